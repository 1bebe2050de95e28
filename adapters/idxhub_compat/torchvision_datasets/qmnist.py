"""QMNIST, with its tables of labels."""

from __future__ import annotations

import gzip
import lzma
from pathlib import Path
from typing import Any

import torch

from idxhub import errors, idx
from idxhub_compat.torchvision_datasets.mnist import MNIST, missing_files_as_in_torchvision

_WHAT = ("train", "test", "test10k", "test50k", "nist")


class QMNIST(MNIST):
    """QMNIST, in place of `torchvision.datasets.QMNIST`.

    Args:
        root (path): as for `MNIST`.
        what (str or None): "train", "test", "test10k", "test50k" or "nist". None for "train" or "test", as `train`
            says. Default: None.
        compat (bool): labels are class numbers; else rows of eight numbers. Default: True.
        train (bool): see `what`. Default: True.
        **kwargs: `transform`, `target_transform` and `download`, as for `MNIST`.

    `targets` is the table of the file, int64 (N, 8). Its first column has the classes.

    Raises `ArgumentError`, which is a `ValueError`, for another `what`, and what `MNIST` raises.
    """

    dataset_name = "qmnist"

    def __init__(
        self, root: str | Path, what: str | None = None, compat: bool = True, train: bool = True, **kwargs: Any
    ) -> None:
        self.what = ("train" if train else "test") if what is None else what
        if self.what not in _WHAT:
            raise errors.ArgumentError("what", what, f"one of {', '.join(_WHAT)}")
        self.compat = compat
        super().__init__(root, train, **kwargs)

    def _load_data(self, download: bool) -> tuple[torch.Tensor, torch.Tensor]:
        split = self._load_split(self.dataset_name, self.what, download)
        part = split.info.spec.splits[self.what]
        with missing_files_as_in_torchvision(download):
            data = split.read_published(part.labels)
        table = idx.decode(lzma.decompress(data) if part.labels.filename.endswith(".xz") else gzip.decompress(data))
        return torch.from_numpy(split.images), torch.from_numpy(table[part.start : part.end].astype("int64"))

    def _target(self, index: Any) -> Any:
        return int(self.targets[index][0]) if self.compat else self.targets[index]

    def _batch_targets(self) -> Any:
        return self.targets[:, 0] if self.compat and isinstance(self.targets, torch.Tensor) else self.targets

    def extra_repr(self) -> str:
        """The line of the repr that names the part."""
        return f"Split: {self.what}"
