"""torchvision, with or without its compiled part."""

from __future__ import annotations

import sys
from typing import Any

import torch


def modules() -> tuple[Any, Any]:
    """`torchvision.datasets` and `torchvision.transforms`."""
    try:
        from torchvision import datasets, transforms  # noqa: PLC0415 -- it may take two tries
    except RuntimeError:  # its compiled part is not there, and it wants to describe two of its operators
        for module in [name for name in sys.modules if name.partition(".")[0] == "torchvision"]:
            del sys.modules[module]
        library = torch.library.Library("torchvision", "DEF")  # type: ignore[no-untyped-call]  # torch leaves it so
        _KEPT.append(library)
        for operator in ("nms", "qnms"):
            schema = f"{operator}(Tensor dets, Tensor scores, float iou_threshold) -> Tensor"
            library.define(schema)  # type: ignore[no-untyped-call]  # as above
        from torchvision import datasets, transforms  # noqa: PLC0415 -- as above
    return datasets, transforms


_KEPT: list[Any] = []  # the operators go when their Library does
