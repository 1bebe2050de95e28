"""torchvision: `FashionMNIST(transform=ToTensor())` in a plain DataLoader, as PyTorch's tutorials have it."""

from __future__ import annotations

import shutil
from pathlib import Path
from typing import Any

from idxhub_bench import vision
from idxhub_bench.load.contenders.base import added_up
from idxhub_bench.load.contenders.torch import Torch

_datasets, _transforms = vision.modules()


class Torchvision(Torch):
    """It keeps the files decompressed, and reads them whole each time that it is constructed."""

    def cold(self, folder: str) -> Any:
        shutil.copytree(Path(self.place.folder("torchvision-gz")), folder, dirs_exist_ok=True)
        return tuple(_datasets.FashionMNIST(folder, train=train, download=True) for train in (True, False))

    def open(self, dtype: str) -> Any:
        del dtype
        return _datasets.FashionMNIST(self.place.folder("torchvision"), train=True, transform=_transforms.ToTensor())

    def sums(self, dataset: Any) -> dict[str, int]:
        several = dataset if isinstance(dataset, tuple) else (dataset,)
        return added_up(*((each.data, each.targets) for each in several))
