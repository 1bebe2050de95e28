"""PyTorch: a small residual network, that of He et al. (arXiv:1512.03385, section 4.2) for small images."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from functools import partial
from typing import Any

import torch
from torch import nn
from torch.optim.lr_scheduler import OneCycleLR

from idxhub_board.today.torch_training import TorchClassifier


def make(parameters: Mapping[str, Any], threads: int, *, random_state: int) -> TorchClassifier:
    """Gradient descent with momentum; the learning rate rises to the given one, and falls again."""
    rate = parameters["learning_rate"]
    return TorchClassifier(
        partial(network, parameters["channels"]),
        partial(torch.optim.SGD, lr=rate, momentum=0.9, nesterov=True, weight_decay=parameters["weight_decay"]),
        epochs=parameters["epochs"],
        batch_size=parameters["batch_size"],
        schedule=partial(OneCycleLR, max_lr=rate),
        random_state=random_state,
        threads=threads,
    )


def network(channels: Sequence[int], _height: int, _width: int, classes: int) -> nn.Module:
    """A convolution, a block for each number of channels, and the mean over the image.

    Each block but the first halves height and width.
    """
    layers = [_convolution(1, channels[0], 3, 1), nn.ReLU()]
    before = channels[0]
    for number, wanted in enumerate(channels):
        layers.append(_Block(before, wanted, 2 if number else 1))
        before = wanted
    made = nn.Sequential(*layers, nn.AdaptiveAvgPool2d(1), nn.Flatten(), nn.Linear(before, classes))
    return made.to(memory_format=torch.channels_last)  # type: ignore[call-overload, no-any-return]  # a format alone; a quarter faster on a CPU


class _Block(nn.Module):
    """Two convolutions, to which the input is added."""

    def __init__(self, channels: int, wanted: int, stride: int) -> None:
        super().__init__()
        same = channels == wanted and stride == 1
        self.first = _convolution(channels, wanted, 3, stride)
        self.second = _convolution(wanted, wanted, 3, 1)
        self.shortcut = nn.Identity() if same else _convolution(channels, wanted, 1, stride)

    def forward(self, images: torch.Tensor) -> torch.Tensor:
        return torch.relu(self.second(torch.relu(self.first(images))) + self.shortcut(images))


def _convolution(channels: int, wanted: int, size: int, stride: int) -> nn.Sequential:
    return nn.Sequential(nn.Conv2d(channels, wanted, size, stride, size // 2, bias=False), nn.BatchNorm2d(wanted))
