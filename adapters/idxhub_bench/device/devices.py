"""A device in each framework."""

from __future__ import annotations

import importlib
from collections.abc import Callable
from typing import Any, Protocol


class Device(Protocol):
    """What each framework's module implements."""

    name: str

    def put(self, batch: Any) -> Any:
        """Copy a batch of an ordinary loader to the device, without waiting if the framework does not."""

    def wait(self, batches: Any) -> None:
        """Return when these batches, and everything that was asked for before them, are on the device."""

    def make_copy(self, size: int) -> Callable[[], Any]:
        """A function that copies `size` bytes from the device's memory to its memory, and does not wait."""


def make(framework: str, device: str) -> Device:
    """A framework's device."""
    made: Device = importlib.import_module(f"idxhub_bench.device.{framework}").Device(device)
    return made
