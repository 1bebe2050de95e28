"""PyTorch: a map-style `Dataset` whose batches a plain `DataLoader` reads in one step.

This module is what the entry point names: the hooks, and the names that users and pickles may refer to.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import torch
from numpy.typing import NDArray

from idxhub import Conventions, Split, arguments, errors, hookimpl
from idxhub_adapters.torch.batches import GatheredBatch, Sample
from idxhub_adapters.torch.dataset import IdxDataset, Transform
from idxhub_adapters.torch.resident import Resident, resolve_device
from idxhub_adapters.torch.transforms import takes_pil_image

__all__ = ["Gathered", "GatheredBatch", "IdxDataset", "Resident", "Sample", "Transform"]

Gathered = GatheredBatch  # the former name, by which an older pickle refers to the class


@hookimpl
def idxhub_conventions() -> Conventions:
    """The conventions: layout CHW, int64 labels, and two options for transforms."""
    return Conventions(
        layout="CHW",
        label_dtype="int64",
        options={
            "transform": "a callable applied to each image: a tensor, or a PIL image for torchvision's ToTensor",
            "target_transform": "a callable applied to each label",
        },
    )


@hookimpl
def idxhub_check(options: Mapping[str, Any], layout: str | None) -> None:
    """Refuse a transform that cannot be called, and a layout for one that takes PIL images."""
    for option, value in options.items():
        arguments.function(option, value)
    if layout not in (None, "CHW") and takes_pil_image(options.get("transform")):
        raise errors.ArgumentError("layout", layout, "None for a transform that takes a PIL image, as ToTensor does")


@hookimpl
def idxhub_dataset(split: Split, options: Mapping[str, Any]) -> IdxDataset[Any, Any]:
    """A map-style Dataset."""
    return IdxDataset(split, **options)


@hookimpl
def idxhub_batch(images: NDArray[Any], labels: NDArray[Any]) -> list[torch.Tensor]:
    """`[images, labels]`, as DataLoader's default collation gives them. The tensors share the arrays' memory."""
    return [torch.from_numpy(images), torch.from_numpy(labels)]


@hookimpl
def idxhub_check_device(device: Any) -> None:
    """Refuse a device that this machine does not have."""
    resolve_device(device)


@hookimpl
def idxhub_resident(split: Split, device: Any) -> Resident:
    """Copy images and labels to `device` (a torch.device, or its name or number); batches are gathered there."""
    return Resident(split, device)
