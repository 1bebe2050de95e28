"""Arguments checked: each function gives the value back, or raises `ArgumentError` that says what it must be."""

from __future__ import annotations

import operator
from typing import TypeVar

import numpy as np

from idxhub.errors import ArgumentError

T = TypeVar("T")


def integer(argument: str, value: object, least: int = 0, most: int | None = None) -> int:
    """`value`, if it is an integer from `least` to `most`, NumPy's included; a boolean is none."""
    try:
        number = least - 1 if isinstance(value, bool) else operator.index(value)  # type: ignore[arg-type]  # is asked
    except TypeError:
        number = least - 1
    if number < least:
        raise ArgumentError(argument, value, f"an integer of {least} or more")
    if most is not None and number > most:
        raise ArgumentError(argument, value, f"an integer of {most} or less")
    return number


def boolean(argument: str, value: object) -> bool:
    """`value`, if it is True or False, NumPy's included."""
    if not isinstance(value, (bool, np.bool_)):
        raise ArgumentError(argument, value, "True or False")
    return bool(value)


def function(argument: str, value: T) -> T:
    """`value`, if it can be called, or is None."""
    if value is not None and not callable(value):
        raise ArgumentError(argument, value, "a callable, or None")
    return value
