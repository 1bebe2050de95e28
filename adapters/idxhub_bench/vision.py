"""torchvision, even if its compiled part is missing."""

from __future__ import annotations

import sys
from typing import Any

import torch
from torch.utils.data import DataLoader, Subset


def modules() -> tuple[Any, Any]:
    """`torchvision.datasets` and `torchvision.transforms`."""
    try:
        from torchvision import datasets, transforms  # noqa: PLC0415 -- the first import may fail
    except RuntimeError:  # without its compiled part it fails to describe two operators
        for module in [name for name in sys.modules if name.partition(".")[0] == "torchvision"]:
            del sys.modules[module]
        library = torch.library.Library("torchvision", "DEF")  # type: ignore[no-untyped-call]  # torch leaves it so
        _KEPT.append(library)
        for operator in ("nms", "qnms"):
            schema = f"{operator}(Tensor dets, Tensor scores, float iou_threshold) -> Tensor"
            library.define(schema)  # type: ignore[no-untyped-call]  # as above
        from torchvision import datasets, transforms  # noqa: PLC0415 -- as above
    return datasets, transforms


def batches(root: str, examples: int, size: int, workers: int, *, pin: bool) -> Any:
    """A DataLoader over the first examples, in a new order in each pass, without the short last batch."""
    datasets, transforms = modules()
    dataset = datasets.FashionMNIST(root, train=True, transform=transforms.ToTensor())
    first = Subset(dataset, range(examples))
    return DataLoader(first, size, shuffle=True, num_workers=workers, drop_last=True, pin_memory=pin)


_KEPT: list[Any] = []  # operators are removed with their Library
