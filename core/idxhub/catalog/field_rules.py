"""The rules for the fields of a spec: a table says what each field must be, and one function checks it.

Importing attrs, whose validators do the same, takes 10.4 ms on top of `import idxhub`; the allowance is 0.5 ms.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any

from idxhub.arguments import as_int
from idxhub.errors import SpecError


class FieldRule:
    """What a field must be: in words that follow "must be", and as a predicate.

    `convert` gives the value that is checked and stored instead of the one that was passed. A `secret` value is not
    shown in errors.
    """

    __slots__ = ("convert", "is_valid", "must_be", "secret")  # to make a NamedTuple takes 0.1 ms of each import

    def __init__(
        self,
        must_be: str,
        is_valid: Callable[[Any], bool],
        convert: Callable[[Any], Any] | None = None,
        *,
        secret: bool = False,
    ) -> None:
        self.must_be, self.is_valid, self.convert, self.secret = must_be, is_valid, convert, secret


def check_fields(spec: object, name: object, rules: Mapping[str, FieldRule]) -> None:
    """Check each field of a frozen dataclass by its rule, in the order of the table, and store converted values.

    `name` says in the error which spec it is. Raises `SpecError` for the first field that breaks its rule.
    """
    for field, rule in rules.items():
        value = getattr(spec, field)
        if rule.convert is not None:
            value = rule.convert(value)
            object.__setattr__(spec, field, value)  # the dataclass is frozen
        if not rule.is_valid(value):
            prefix = "" if value is name else f"{name}: "
            shown = "" if rule.secret else f", not {value!r}"
            raise SpecError(f"{prefix}{field} must be {rule.must_be}{shown}")


def optional(rule: FieldRule) -> FieldRule:
    """The same rule, and None is valid too."""
    return FieldRule(
        f"{rule.must_be}, or None",
        lambda value: value is None or rule.is_valid(value),
        rule.convert,
        secret=rule.secret,
    )


def plain_integer(value: Any) -> Any:
    """An integer of any type, such as NumPy's, as an int; anything else, a boolean too, is given back as it is."""
    number = as_int(value)
    return value if number is None else number


def plain_integers(values: Any) -> Any:
    """A tuple with `plain_integer` applied to each element; anything else is given back as it is."""
    return tuple(map(plain_integer, values)) if isinstance(values, tuple) else values


def is_plain_integer(value: object) -> bool:
    """Whether a value is an int, and not a boolean."""
    return type(value) is int


NATURAL = FieldRule("an integer of 0 or more", lambda value: is_plain_integer(value) and value >= 0, plain_integer)
STRING = FieldRule("a string", lambda value: isinstance(value, str))
STRINGS = FieldRule(
    "a tuple of strings",
    lambda values: isinstance(values, (tuple, list)) and all(isinstance(value, str) for value in values),
)
BOOLEAN = FieldRule("True or False", lambda value: isinstance(value, bool))
