"""Arguments checked: each function gives the value back, or raises `ArgumentError` that says what it must be."""

from __future__ import annotations

import operator
from typing import TypeVar

import numpy as np

from idxhub.errors import ArgumentError

T = TypeVar("T")


def integer(argument: str, value: object, least: int = 0, most: int | None = None) -> int:
    """`value` as an int, if it is an integer from `least` to `most`.

    NumPy's integers and a framework's 0-d integer tensors are integers. Booleans of any kind are not, nor is an array
    with a dimension, even if it has one element.
    """
    number = as_int(value)
    if number is None or number < least:
        raise ArgumentError(argument, value, f"an integer of {least} or more")
    if most is not None and number > most:
        raise ArgumentError(argument, value, f"an integer of {most} or less")
    return number


def as_int(value: object) -> int | None:
    """`value` as an int, or None if it is not an integer in the sense of `integer`."""
    # A framework's tensor is recognised by what all of them have: torch makes an index of booleans and of one-element
    # arrays too. The dtype's name is "bool", "torch.bool", "<dtype: 'bool'>", ...
    if isinstance(value, bool) or getattr(value, "ndim", 0) != 0 or "bool" in str(getattr(value, "dtype", "")):
        return None
    try:
        return operator.index(value)  # type: ignore[arg-type]  # whether it has an index is the question
    except (AttributeError, RuntimeError, TypeError, ValueError):  # what tensors of the frameworks raise
        return None


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
