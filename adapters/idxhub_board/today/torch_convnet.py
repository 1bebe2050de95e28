"""PyTorch: the network that `idxhub bench train` trains, with the same optimiser.

It is written here again, for packages do not import one another (docs/decisions/0031); a test compares the two.
"""

from __future__ import annotations

from collections.abc import Mapping
from functools import partial
from typing import Any

import torch
from torch import nn

from idxhub_board.today.torch_training import TorchClassifier


def make(parameters: Mapping[str, Any], threads: int, *, random_state: int) -> TorchClassifier:
    """Two convolutions, and gradient descent without momentum."""
    return TorchClassifier(
        network,
        partial(torch.optim.SGD, lr=parameters["learning_rate"]),
        epochs=parameters["epochs"],
        batch_size=parameters["batch_size"],
        random_state=random_state,
        threads=threads,
    )


def network(height: int, width: int, classes: int) -> nn.Sequential:
    """Two convolutions and a layer of 1,024: benchmark/convnet.py of github.com/zalandoresearch/fashion-mnist."""
    made = nn.Sequential(
        nn.Conv2d(1, 32, 5, padding="same"),
        nn.ReLU(),
        nn.MaxPool2d(2),
        nn.Conv2d(32, 64, 5, padding="same"),
        nn.ReLU(),
        nn.MaxPool2d(2),
        nn.Flatten(),
        nn.Linear(64 * (height // 4) * (width // 4), 1024),
        nn.ReLU(),
        nn.Dropout(0.4),
        nn.Linear(1024, classes),
    )
    return made.apply(_initialise)


def _initialise(module: nn.Module) -> None:
    """As TensorFlow's layers do, for which the network was written: uniform (Glorot), and biases of 0."""
    for name, values in module.named_parameters(recurse=False):
        if name == "weight":
            nn.init.xavier_uniform_(values)
        else:
            nn.init.zeros_(values)
