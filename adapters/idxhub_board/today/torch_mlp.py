"""PyTorch: fully connected layers."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from functools import partial
from typing import Any

import torch
from torch import nn

from idxhub_board.today.torch_training import TorchClassifier


def make(parameters: Mapping[str, Any], threads: int, *, random_state: int) -> TorchClassifier:
    """Hidden layers of the given sizes, each with ReLU, and Adam."""
    return TorchClassifier(
        partial(network, parameters["hidden_layer_sizes"]),
        partial(torch.optim.Adam, lr=parameters["learning_rate"]),
        epochs=parameters["epochs"],
        batch_size=parameters["batch_size"],
        random_state=random_state,
        threads=threads,
    )


def network(hidden: Sequence[int], height: int, width: int, classes: int) -> nn.Sequential:
    """The hidden layers between the pixels and the classes."""
    layers: list[nn.Module] = [nn.Flatten()]
    size = height * width
    for wanted in hidden:
        layers += [nn.Linear(size, wanted), nn.ReLU()]
        size = wanted
    return nn.Sequential(*layers, nn.Linear(size, classes))
