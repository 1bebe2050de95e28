"""Checking arguments: each function returns the value, or raises an `ArgumentError` that says what it must be.

`indices` raises a `TypeError` instead, as Python's own sequences do.
"""

from __future__ import annotations

import operator
from collections.abc import Container, Iterable, Mapping
from typing import TYPE_CHECKING, TypeVar

import numpy as np

from idxhub.errors import ArgumentError

if TYPE_CHECKING:  # importing numpy.typing takes 0.7 ms
    from numpy.typing import NDArray

T = TypeVar("T")


def integer(argument: str, value: object, least: int = 0, most: int | None = None) -> int:
    """Return `value` as an int, if it is an integer from `least` to `most`.

    NumPy's integers and a framework's 0-d integer tensors count as integers. Booleans of any kind do not, and neither
    does an array that has a dimension, even if it has only one element.
    """
    number = as_int(value)
    if number is None or number < least:
        raise ArgumentError(argument, value, f"an integer of {least} or more")
    if most is not None and number > most:
        raise ArgumentError(argument, value, f"an integer of {most} or less")
    return number


def as_int(value: object) -> int | None:
    """Return `value` as an int, or None if it does not count as an integer; see `integer`."""
    # Tensors are told apart by the attributes that those of all frameworks have, because torch converts booleans and
    # one-element arrays to an index as well. The dtype's name is "bool", "torch.bool", "<dtype: 'bool'>", ...
    if isinstance(value, bool) or getattr(value, "ndim", 0) != 0 or "bool" in str(getattr(value, "dtype", "")):
        return None
    try:
        return operator.index(value)  # type: ignore[arg-type]  # a value without an index raises TypeError
    except (AttributeError, RuntimeError, TypeError, ValueError):  # tensors of the frameworks raise any of these
        return None


def boolean(argument: str, value: object) -> bool:
    """Return `value` as a bool, if it is True or False, or one of NumPy's."""
    if not isinstance(value, (bool, np.bool_)):
        raise ArgumentError(argument, value, "True or False")
    return bool(value)


def function(argument: str, value: T) -> T:
    """Return `value`, if it can be called or is None."""
    if value is not None and not callable(value):
        raise ArgumentError(argument, value, "a callable, or None")
    return value


def batching(options: Mapping[str, object], *, need_batches: Container[str] = ("drop_last",)) -> None:
    """Check the options of an adapter whose dataset has batches if `batch_size` is given. Each may be left out.

    `batch_size` is an integer of 1 or more, or None; `shuffle` and `drop_last` are booleans; `seed` is an integer of 0
    or more. What `need_batches` names must be False without a batch size.
    """
    has_batches = options.get("batch_size") is not None
    if has_batches:
        integer("batch_size", options["batch_size"], 1)
    for option in ("shuffle", "drop_last"):
        if boolean(option, options.get(option, False)) and option in need_batches and not has_batches:
            raise ArgumentError(option, options[option], "False if batch_size is not given")
    integer("seed", options.get("seed", 0))


def indices(values: Iterable[object]) -> NDArray[np.int64]:
    """Return the indices of a batch, (n,), which may be given as a sequence, a set or an iterator of integers.

    Raises `TypeError` for a mask, for numbers that are not whole, and for another shape.
    """
    rows = np.asarray(values)
    if rows.ndim == 0:  # a set, or an iterator
        rows = np.asarray(list(values))
    if (rows.dtype.kind not in "iu" or rows.ndim != 1) and len(rows):
        found = f"{rows.dtype} of shape {rows.shape}"
        raise TypeError(f"indices are integers, (n,), not {found}; of a mask, take numpy.flatnonzero(mask)")
    return rows.astype(np.int64, copy=False)
