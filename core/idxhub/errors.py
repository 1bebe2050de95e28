"""All errors that idxhub raises on purpose, with one root.

IdxHubError
├── UnknownNameError     (+ LookupError)  a dataset, split, framework, option or value that does not exist
│   └── ArgumentError    (+ ValueError)   an argument out of range or of the wrong type
├── MissingFrameworkError (+ ImportError) the framework asked for cannot be imported
├── AdapterError                          a plugin broke its contract
├── SpecError            (+ ValueError)   a description of a dataset that makes no sense
├── DownloadError        (+ OSError)      the file was found nowhere; lists every place that was tried, with the reason
├── ChecksumError                         a file was found, on this machine or at a mirror, but is not the published one
├── CacheError           (+ OSError)      the cache cannot be read or written
├── ExportError          (+ OSError)      an export cannot be written: its target exists, or the disk is full
├── StateError           (+ ValueError)   a loader's state that belongs to another loader
└── IdxFormatError       (+ ValueError)   bytes that are not a sound IDX file, or arrays that cannot be one
"""

from __future__ import annotations

import re
from collections.abc import Iterable
from typing import NamedTuple

_LONGEST_VALUE = 400  # characters of an argument in a message
STOPPED = "stopped"  # the reason in a `Failure` of a search that was told to end


def printable(text: str, limit: int = 200) -> str:
    """Text from a server or a file, safe for an error message: at most `limit` characters, all of them printable."""
    text = text.strip()
    if len(text) > limit:
        text = f"{text[: limit - 3]}..."
    return "".join(c if c.isprintable() else "\N{REPLACEMENT CHARACTER}" for c in text)


def describe_value(value: object) -> str:
    """The repr of a value, cut to a length that can be read.

    If the value has no repr, or one that shows an address in memory, the name of its type instead.
    """
    try:
        text = repr(value)
    except Exception:  # noqa: BLE001 -- any object may be an argument; this error must not hide that of the caller
        text = ""
    if not text or " at 0x" in text:
        return f"an object of type {type(value).__qualname__}"
    return text if len(text) <= _LONGEST_VALUE else f"{text[:_LONGEST_VALUE]}..."


class IdxHubError(Exception):
    """The root of all errors: `except idxhub.errors.IdxHubError` catches every one of them."""


class UnknownNameError(IdxHubError, LookupError):
    """A name that does not exist.

    `kind` says what it should name (such as "split"), `name` is the name itself, and `choices` are the names that
    exist. `problem` is a word such as "unknown", and `why` is an explanation, which may be empty.
    """

    def __init__(
        self, kind: str, name: object, choices: Iterable[str], *, why: str = "", problem: str = "unknown"
    ) -> None:
        self.kind, self.name = kind, name
        # sets are sorted, because their order differs from run to run
        self.choices: tuple[str, ...] = tuple(sorted(choices) if isinstance(choices, (set, frozenset)) else choices)
        self.why, self.problem = why, problem
        super().__init__(kind, name, self.choices)

    def __str__(self) -> str:
        message = f"{self.problem} {self.kind} {describe_value(self.name)}"
        if self.why:
            message += f": {self.why}"
        nearest = self.nearest()
        has_suggestion = nearest is not None and repr(nearest) not in self.why
        message += f"; did you mean {nearest!r}?" if has_suggestion else "."
        return f"{message} Choices: {', '.join(self.choices)}." if self.choices else f"{message} There are none."

    def nearest(self) -> str | None:
        """The choice that is most similar to the name, or to its first word; None if no choice is similar."""
        import difflib  # noqa: PLC0415 -- needed for an error alone: it would slow down every `import idxhub`

        text = self.name if isinstance(self.name, str) else describe_value(self.name)
        words = text, re.split(r"[^\w.-]", text)[0]
        if set(words) & set(self.choices):  # to suggest the same name would not help
            return None
        folded: dict[str, str] = {choice.casefold(): choice for choice in self.choices}
        for wanted in words:
            near = difflib.get_close_matches(wanted.casefold(), folded, n=1)
            if near:
                return folded[near[0]]
        return None

    def __reduce__(self) -> tuple[object, ...]:
        return _unknown_name, (self.kind, self.name, self.choices, self.why, self.problem)


def _unknown_name(kind: str, name: object, choices: tuple[str, ...], why: str, problem: str) -> UnknownNameError:
    return UnknownNameError(kind, name, choices, why=why, problem=problem)


class ArgumentError(UnknownNameError, ValueError):
    """An argument that is out of range or has the wrong type: `kind` is its name, and `name` is its value."""

    def __init__(self, argument: str, value: object, must_be: str) -> None:
        self.must_be = must_be
        super().__init__(argument, value, ())

    def __str__(self) -> str:
        return f"{self.kind} is {describe_value(self.name)}; it must be {self.must_be}"

    def __reduce__(self) -> tuple[object, ...]:
        return ArgumentError, (self.kind, self.name, self.must_be)


class MissingFrameworkError(IdxHubError, ImportError):
    """The framework is not installed, or cannot be imported.

    The message ends with the command that installs it, if the adapter's distribution says which packages it needs.
    """


class AdapterError(IdxHubError):
    """A plugin does not do what the hooks require."""


class SpecError(IdxHubError, ValueError):
    """A `DatasetSpec`, or a part of one, makes no sense. The message names the field."""


class Failure(NamedTuple):
    """One place that was tried: `where` is a path or URL, and `why` is the reason why it could not be used."""

    where: str
    why: str


class _SearchError(IdxHubError):
    def __init__(self, message: str, failures: Iterable[Failure] = ()) -> None:
        self.message, self.failures = message, tuple(failures)
        super().__init__(message)  # without the failures: OSError would take the message for an errno

    def __str__(self) -> str:
        return "\n".join([self.message, *(f"  {f.where}: {f.why}" for f in self.failures)])


class DownloadError(_SearchError, OSError):
    """The file was found nowhere. `failures` lists each place with its reason; `message` is the text before that list.

    Also raised if `data_dir` is not a folder; `failures` is empty then.
    """


class ChecksumError(_SearchError):
    """A file was found, on this machine or at a mirror, but it is not the published one.

    `failures` lists each wrong file and every other place that was tried; `message` is the text before that list.
    """


class CacheError(IdxHubError, OSError):
    """The cache folder cannot be used as it is. The message says what to do, such as to set another folder."""


class ExportError(IdxHubError, OSError):
    """An export cannot be written to the path asked for; the message says why and what to do about it."""


class StateError(IdxHubError, ValueError):
    """A saved state does not belong to this loader. The message names the first difference."""


class IdxFormatError(IdxHubError, ValueError):
    """The bytes are not a sound IDX file, or not a sound .gz or .xz of one; or an array cannot be written as IDX.

    If it is known which byte is wrong, the message names it.
    """
