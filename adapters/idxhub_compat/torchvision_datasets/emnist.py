"""EMNIST: five datasets in one class."""

from __future__ import annotations

import string
from pathlib import Path
from typing import Any, ClassVar

import torch

from idxhub import errors
from idxhub_compat.torchvision_datasets.mnist import MNIST

_MERGED = set("cijklmopsuvwxyz")  # small letters that are in the class of their capitals
_ALL = sorted(string.digits + string.ascii_letters)


class EMNIST(MNIST):
    """EMNIST, in place of `torchvision.datasets.EMNIST`.

    Args:
        root (path): as for `MNIST`.
        split (str): "byclass", "bymerge", "balanced", "letters" or "digits".
        **kwargs: `train`, `transform`, `target_transform` and `download`, as for `MNIST`.

    Images and labels are those of the files, as in torchvision and unlike `get_dataset`: the images have rows and
    columns exchanged, and the labels of "letters" begin at 1.

    Raises `ArgumentError`, which is a `ValueError`, for another split, and what `MNIST` raises. torchvision's split
    "mnist" is not in idxhub's catalog.
    """

    classes_split_dict: ClassVar[dict[str, list[str]]] = {
        "byclass": _ALL,
        "bymerge": [name for name in _ALL if name not in _MERGED],
        "balanced": [name for name in _ALL if name not in _MERGED],
        "letters": ["N/A", *string.ascii_lowercase],
        "digits": list(string.digits),
    }
    splits = tuple(classes_split_dict)

    def __init__(self, root: str | Path, split: str, **kwargs: Any) -> None:
        if split not in self.splits:
            raise errors.ArgumentError("split", split, f"one of {', '.join(self.splits)}")
        self.split = split
        super().__init__(root, **kwargs)
        self.classes = self.classes_split_dict[split]  # type: ignore[misc]  # as in torchvision: of each split its own

    def _load_data(self, download: bool) -> tuple[torch.Tensor, torch.Tensor]:
        part = "train" if self.train else "test"
        split = self._load_split(f"emnist-{self.split}", part, download)
        offset = split.info.spec.splits[part].label_offset
        return torch.from_numpy(split.images).transpose(1, 2), torch.from_numpy(split.labels + offset)
