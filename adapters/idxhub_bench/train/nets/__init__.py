"""The network in each framework, as its users write it; `make` imports the one that is asked for."""

from __future__ import annotations

import importlib
from typing import Any, Protocol

from numpy.typing import NDArray

from idxhub_bench.train.convnet import Weights


class Net(Protocol):
    """The network of `convnet` with its optimiser, on a device."""

    layout: str

    def load(self, weights: Weights) -> None:
        """Take these weights."""

    def ready(self, batch: Any) -> tuple[Any, Any]:
        """The batch as `step` wants it, on the device; returns when it is there."""

    def step(self, images: Any, labels: Any, mask: NDArray[Any]) -> float:
        """One step of gradient descent; the loss before it. Returns when the step is finished."""

    def classes(self, images: Any) -> NDArray[Any]:
        """The class that each image most likely has."""

    def threads(self) -> dict[str, int]:
        """How many threads the framework uses, as far as it says."""


def make(framework: str, rate: float, device: str | None) -> Net:
    """The network in a framework."""
    made: Net = importlib.import_module(f"{__name__}.{framework}").ConvNet(rate, device)
    return made
