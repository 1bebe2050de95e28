"""torchvision: `FashionMNIST(transform=ToTensor())` in a plain DataLoader, as in PyTorch's tutorials."""

from __future__ import annotations

import shutil
from typing import Any

from idxhub_bench import vision
from idxhub_bench.load.contenders.torch import Torch

_datasets, _transforms = vision.modules()


class Torchvision(Torch):
    """It keeps the decompressed files, and reads them each time that it is constructed."""

    def cold(self, folder: str) -> Any:
        shutil.copytree(self.place.folder("torchvision-gz"), folder, dirs_exist_ok=True)
        return tuple(_datasets.FashionMNIST(folder, train=train, download=True) for train in (True, False))

    def open(self, dtype: str) -> Any:
        return _datasets.FashionMNIST(self.place.folder("torchvision"), train=True, transform=_transforms.ToTensor())
