"""Registering checks, and helpers that several checks use."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, TypeVar

import numpy as np
from numpy.typing import NDArray

from idxhub.conformance.kit import Case, Check, require

T = TypeVar("T")
CHECKS: list[Check] = []


def check(needs: str = "") -> Callable[[Callable[[Case], None]], Callable[[Case], None]]:
    """A decorator that adds a function to `CHECKS`. Its name becomes the id, and its docstring the promise."""

    def add(function: Callable[[Case], None]) -> Callable[[Case], None]:
        promise = (function.__doc__ or "").strip()
        CHECKS.append(Check(function.__name__.replace("_", "-"), promise, frozenset(needs.split()), function))
        return function

    return add


def require_capability(capability: T | None) -> T:
    """Return a capability of a subject. A check must declare it, so that it runs only if the subject has it."""
    if capability is None:
        raise TypeError("the check needs a capability that it did not declare")
    return capability


def require_equal(seen: NDArray[Any], expected: NDArray[Any], what: str) -> None:
    """Raise `Violation` unless two arrays are equal. The message says how many examples differ, and the first one."""
    require(seen.shape == expected.shape, f"{what}: shape {seen.shape}, expected {expected.shape}")
    different = np.flatnonzero((seen != expected).reshape(len(seen), -1).any(axis=1))
    require(
        different.size == 0, f"{what}: {different.size} of {len(seen)} differ, the first at {different[:1].tolist()}"
    )


def to_layout(images: NDArray[Any], layout: str) -> NDArray[Any]:
    """Images (N, H, W) in a layout."""
    return {"HW": images, "CHW": images[:, np.newaxis], "HWC": images[..., np.newaxis]}[layout]
