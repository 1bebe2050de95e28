"""Which of torchvision's transforms can be applied to a whole batch, with the same result."""

from __future__ import annotations

import sys
from collections.abc import Callable
from typing import Any, NamedTuple, TypeAlias

import numpy as np
import torch
from numpy.typing import NDArray

from idxhub import to_float32

ToBatch: TypeAlias = Callable[[NDArray[np.uint8]], torch.Tensor]


class BatchTransform(NamedTuple):
    """What does to a batch what a transform does to each image.

    `apply` takes stored images, uint8 (B, H, W), and returns (B, 1, H, W). `element` makes of one image of the result,
    (1, H, W), what the transform gives; it is None if that is a PIL image.
    """

    apply: ToBatch
    element: Callable[[torch.Tensor], Any] | None


def batch_transform(transform: Any) -> BatchTransform | None:
    """How to apply `transform` to a batch; None if no way is known that gives the same bits.

    Transforms are known by their classes alone. A subclass counts as unknown, because it may do something else.
    """
    if transform is None:
        return BatchTransform(_as_stored, None)
    steps = _steps(transform)
    names = [_name(step) for step in steps]
    normalize = [step for step, name in zip(steps, names, strict=True) if name == "Normalize"]
    first = names[: len(names) - len(normalize)]
    if "Normalize" in first:  # it is not the last step
        return None
    scale: ToBatch = _multiply
    element: Callable[[torch.Tensor], Any] | None
    if first == ["ToTensor"] and torch.get_default_dtype() is torch.float32:
        scale, element = _divide, _ELEMENTS["ToTensor"]
    elif first in (["ToImage", "v2.ToDtype"], ["PILToTensor", "v2.ToDtype"], ["v2.ToDtype"]) and _scales(
        steps[len(first) - 1]
    ):
        element = _ELEMENTS.get(first[0])
        if element is _as_image and any(type(step) is not _of_v2("Normalize") for step in normalize):
            element = _as_it_is  # the first version of Normalize returns a plain tensor
    else:
        return None

    def to_batch(images: NDArray[np.uint8]) -> torch.Tensor:
        batch = scale(images)
        for step in normalize:
            batch = step(batch)
        return batch

    return BatchTransform(to_batch if normalize else scale, element)


def _steps(transform: Any) -> list[Any]:
    """The transforms that are applied one after another, those in a `Compose` of torchvision one by one."""
    if _name(transform) != "Compose":
        return [transform]
    return [step for each in transform.transforms for step in _steps(each)]


def _name(transform: Any) -> str:
    """The name by which this module knows a transform; empty if it does not know it."""
    # whoever has a transform has imported its module
    first = sys.modules.get("torchvision.transforms")
    second = sys.modules.get("torchvision.transforms.v2")
    for module, names in ((first, _NAMES), (second, _NAMES_OF_V2)):
        for name, known_as in names.items():
            if module is not None and type(transform) is getattr(module, name, None):
                return known_as
    return ""


_NAMES = {name: name for name in ("Compose", "ToTensor", "PILToTensor", "Normalize")}
_NAMES_OF_V2 = {
    **{name: name for name in ("Compose", "PILToTensor", "ToImage", "Normalize")},
    "ToDtype": "v2.ToDtype",
}


def _of_v2(name: str) -> Any:
    return getattr(sys.modules["torchvision.transforms.v2"], name)


def _scales(to_dtype: Any) -> bool:
    return to_dtype.dtype is torch.float32 and to_dtype.scale is True


def _as_image(tensor: torch.Tensor) -> Any:
    return sys.modules["torchvision.tv_tensors"].Image(tensor)


def _as_it_is(tensor: torch.Tensor) -> torch.Tensor:
    return tensor


# the steps that make a tensor of a PIL image, and the type of tensor that they make
_ELEMENTS: dict[str, Callable[[torch.Tensor], Any]] = {
    "ToTensor": _as_it_is,
    "PILToTensor": _as_it_is,
    "ToImage": _as_image,
}


def _as_stored(images: NDArray[np.uint8]) -> torch.Tensor:
    return torch.from_numpy(images[:, None])


def _divide(images: NDArray[np.uint8]) -> torch.Tensor:
    """The quotient pixel/255, as the first version of the transforms computes it."""
    scaled = images.astype(np.float32)  # converted first, then divided: NumPy's buffered cast is slower
    return torch.from_numpy(to_float32(scaled, out=scaled)[:, None])


def _multiply(images: NDArray[np.uint8]) -> torch.Tensor:
    """The product pixel * (1/255), as the second version of the transforms computes it."""
    scaled = images.astype(np.float32)
    np.multiply(scaled, np.float32(1 / 255), out=scaled)
    return torch.from_numpy(scaled[:, None])
