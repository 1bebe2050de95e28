"""A device in each framework: how batches get there, when they have, how fast it copies its own memory."""

from __future__ import annotations

import importlib
from typing import Any, Protocol


class Device(Protocol):
    """What is asked of a framework's device."""

    name: str

    def put(self, batch: Any) -> Any:
        """A native batch of an ordinary loader, sent there; without waiting where the framework does not."""

    def wait(self, batches: Any) -> None:
        """Return when these batches, and what was asked for before them, are there."""

    def copied(self, size: int) -> float:
        """Seconds for a copy of `size` bytes from the device's memory to the device's memory, the best of several."""


def make(framework: str, device: str) -> Device:
    """A framework's device."""
    made: Device = importlib.import_module(f"idxhub_bench.device.{framework}").Device(device)
    return made
