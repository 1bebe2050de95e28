"""Which transforms take a PIL image, as torchvision's datasets give it, and how it is made of a stored image."""

from __future__ import annotations

from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray

_TAKE_AN_IMAGE = {"ToTensor", "PILToTensor"}  # they refuse tensors, or return them as they are
_CONTAINERS = {"Compose", "RandomApply", "RandomChoice", "RandomOrder"}


def takes_pil_image(transform: Any) -> bool:
    """Whether a transform is given a PIL image, or an array, instead of a tensor.

    That is `ToTensor` or `PILToTensor` of torchvision, or a container of transforms in which one of them comes before
    any `ToPILImage`. Transforms are known by their classes, so that torchvision need not be imported.
    """
    steps = _steps(transform)
    return next((name in _TAKE_AN_IMAGE for name in steps if name in _TAKE_AN_IMAGE or name == "ToPILImage"), False)


def pil_image(stored: NDArray[Any]) -> Any:
    """The PIL image of a stored image, uint8 (H, W); any other one is returned as the array that it is."""
    if stored.dtype != np.uint8 or stored.ndim != 2:
        return stored
    from PIL import Image  # noqa: PLC0415 -- who has torchvision has Pillow; others do without it

    return Image.fromarray(stored)


def _steps(transform: Any) -> list[str]:
    """The names of torchvision's classes among the steps of a transform, in order."""
    names = {each.__name__ for each in type(transform).__mro__ if each.__module__.startswith("torchvision.transforms")}
    if names & _CONTAINERS:
        return [name for step in transform.transforms for name in _steps(step)]
    if isinstance(transform, torch.nn.Sequential):
        return [name for step in transform for name in _steps(step)]
    return sorted(names & {*_TAKE_AN_IMAGE, "ToPILImage"})
