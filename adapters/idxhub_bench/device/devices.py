"""A device in each framework."""

from __future__ import annotations

import importlib
from collections.abc import Callable, Iterator
from typing import Any, Protocol

from numpy.typing import NDArray


class Device(Protocol):
    """What each framework's module implements."""

    name: str

    def put(self, batch: Any) -> Any:
        """Copy a batch of an ordinary loader to the device, without waiting if the framework does not."""

    def wait(self, batches: Any) -> None:
        """Return when these batches, and everything that was asked for before them, are on the device."""

    def make_copy(self, size: int) -> Callable[[], Any]:
        """A function that copies `size` bytes from the device's memory to its memory, and does not wait."""

    def keep(self, images: NDArray[Any], labels: NDArray[Any]) -> ByHand:
        """Copy the arrays of a split to the device; images are uint8, or float32 of pixel/255."""


class ByHand(Protocol):
    """Arrays on a device, and what a user writes without idxhub's loader."""

    def passes(self, size: int) -> Callable[[], Iterator[Any]]:
        """A function that begins a shuffled pass, whose permutation is drawn on the device: images and labels."""

    def whole_epoch(self, size: int) -> Callable[[NDArray[Any]], Any]:
        """A function that takes an order, gathers all whole batches by one call, and returns sums of each batch.

        The sums are two arrays on the device: of all pixels, modulo 2**32 if they are integers, and of the labels.
        """


def make(framework: str, device: str) -> Device:
    """A framework's device."""
    made: Device = importlib.import_module(f"idxhub_bench.device.{framework}").Device(device)
    return made
