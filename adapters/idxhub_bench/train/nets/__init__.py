"""The network in each framework, as its users write it; `make` imports only the framework that is asked for."""

from __future__ import annotations

import importlib
from typing import Any, Protocol

from numpy.typing import NDArray

from idxhub_bench.train.convnet import Weights


class Net(Protocol):
    """The network of `convnet` with its optimiser, on a device."""

    layout: str

    def load(self, weights: Weights) -> None:
        """Set the weights."""

    def ready(self, batch: Any) -> tuple[Any, Any]:
        """The batch on the device, in the form for `step`; returns when the copy has finished."""

    def step(self, images: Any, labels: Any, mask: NDArray[Any]) -> float:
        """One step of gradient descent; returns the loss before it, when the step has finished."""

    def classes(self, images: Any) -> NDArray[Any]:
        """The most likely class of each image, without dropout."""

    def threads(self) -> dict[str, int]:
        """How many threads the framework uses, if it tells."""


def make(framework: str, rate: float, device: str | None) -> Net:
    """The network in a framework."""
    made: Net = importlib.import_module(f"{__name__}.{framework}").ConvNet(rate, device)
    return made
