"""The classes whose files have MNIST's names."""

from __future__ import annotations

import os
import warnings
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Any, ClassVar

import numpy as np
import torch
from numpy.typing import NDArray
from PIL import Image
from torch.utils.data import Dataset

from idxhub import Split, arguments, errors, load
from idxhub_compat.folders import find_folder
from idxhub_compat.torchvision_datasets.batches import GatheredBatch
from idxhub_compat.torchvision_datasets.transforms import batch_transform

_DIGITS = ("zero", "one", "two", "three", "four", "five", "six", "seven", "eight", "nine")


class DatasetNotFoundError(errors.DownloadError, RuntimeError):
    """The files were found nowhere. torchvision raises a `RuntimeError` then, so this is one too."""


class WrongFilesError(errors.ChecksumError, RuntimeError):
    """Only wrong files were found. torchvision raises a `RuntimeError` for a wrong download, so this is one too."""


@contextmanager
def missing_files_as_in_torchvision(download: bool) -> Iterator[None]:
    """Raise `DatasetNotFoundError` in the place of a `DownloadError`, and `WrongFilesError` of a `ChecksumError`."""
    try:
        yield
    except (errors.DownloadError, errors.ChecksumError) as error:
        hint = "" if download else "; download=True downloads it"
        kind = DatasetNotFoundError if isinstance(error, errors.DownloadError) else WrongFilesError
        raise kind(f"{error.message}{hint}", error.failures) from error


class MNIST(Dataset[tuple[Any, Any]]):
    """MNIST: pairs of a PIL image, 28x28 of mode "L", and an `int`.

    Args:
        root (path): a folder, which is searched first, and below it `raw_folder`. It need not exist, and nothing is
            written into it: idxhub keeps its files in its cache.
        train (bool): the 60,000 train examples; else the 10,000 test examples. Default: True.
        transform (callable or None): applied to each PIL image. Default: None.
        target_transform (callable or None): applied to each label. Default: None.
        download (bool): whether to download files that are not on this machine. Default: False.

    `data` is uint8 (N, 28, 28) and `targets` int64 (N,): tensors over the mapped file, which other ones may replace.

    A `DataLoader` gets each batch in one step if there is no transform, or if the transform is `ToTensor()`, or
    `v2.ToDtype(torch.float32, scale=True)` with `v2.ToImage()` or `PILToTensor()` before it, or a `Compose` of one of
    these and `Normalize(...)`. The batch has the bits that the transform gives. Without a transform, where
    torchvision's batches fail, it is uint8 (B, 1, 28, 28).

    Raises:
        DatasetNotFoundError: the files were found nowhere; it is a `RuntimeError`.
        WrongFilesError: only wrong files were found; it is a `RuntimeError`.
        IdxHubError: the other errors of `idxhub.load`.
    """

    classes: ClassVar[list[str]] = [f"{label} - {digit}" for label, digit in enumerate(_DIGITS)]
    dataset_name = "mnist"

    def __init__(
        self,
        root: str | Path,
        train: bool = True,
        transform: Callable[[Any], Any] | None = None,
        target_transform: Callable[[Any], Any] | None = None,
        download: bool = False,
    ) -> None:
        self.root = os.path.expanduser(root) if isinstance(root, str) else root
        self.train, self.transform, self.target_transform = train, transform, target_transform
        self.data, self.targets = self._load_data(download)

    def _load_data(self, download: bool) -> tuple[torch.Tensor, torch.Tensor]:
        split = self._load_split(self.dataset_name, "train" if self.train else "test", download)
        return torch.from_numpy(split.images), torch.from_numpy(split.labels)

    def _load_split(self, name: str, split: str, download: bool) -> Split:
        folder = find_folder(self.raw_folder) or find_folder(self.root)
        with missing_files_as_in_torchvision(download):
            return load(name, split, data_dir=folder, download=download)

    @property
    def raw_folder(self) -> str:
        """Where torchvision keeps the files of this class."""
        return os.path.join(self.root, type(self).__name__, "raw")

    @property
    def class_to_idx(self) -> dict[str, int]:
        """The label of each class name."""
        return {name: label for label, name in enumerate(self.classes)}

    def __len__(self) -> int:
        return len(self.data)

    def __getitem__(self, index: Any) -> tuple[Any, Any]:
        """The image and the label at an index, after the transforms."""
        image: Any = Image.fromarray(self.data[index].numpy())
        target = self._target(index)
        if self.transform is not None:
            image = self.transform(image)
        if self.target_transform is not None:
            target = self.target_transform(target)
        return image, target

    def __getitems__(self, indices: Sequence[int]) -> Sequence[tuple[Any, Any]]:
        """The elements at `indices`: what a `DataLoader` asks for. Gathered in one step where that is the same."""
        transform = batch_transform(self.transform)
        targets = self._batch_targets()
        if (
            transform is None
            or self.target_transform is not None
            or type(self).__getitem__ is not MNIST.__getitem__
            or not (_is_plain(self.data, torch.uint8) and self.data.ndim == 3)
            or not (_is_plain(targets, torch.int64) and len(targets) == len(self.data))
        ):
            return [self[index] for index in indices]
        rows = arguments.indices(indices)
        images, labels = _take(self.data.numpy(), rows), _take(targets.numpy(), rows)
        return GatheredBatch(self, rows, transform.apply(images), torch.from_numpy(labels), transform.element)

    def _target(self, index: Any) -> Any:
        """The label at an index, before the transform."""
        return int(self.targets[index])

    def _batch_targets(self) -> Any:
        """All labels, in the form in which default collation puts them into a batch."""
        return self.targets

    def __repr__(self) -> str:
        lines = [f"Number of datapoints: {len(self)}", f"Root location: {self.root}", *self.extra_repr().splitlines()]
        text = "\n".join([f"Dataset {type(self).__name__}", *(f"    {line}" for line in lines)])
        if self.transform is not None or self.target_transform is not None:
            text += "\n    StandardTransform"
        for title, transform in (("Transform: ", self.transform), ("Target transform: ", self.target_transform)):
            if transform is not None:
                text += f"\n{title}" + repr(transform).replace("\n", "\n" + " " * len(title))
        return text

    def extra_repr(self) -> str:
        """The line of the repr that names the split."""
        return f"Split: {'Train' if self.train is True else 'Test'}"

    @property
    def train_data(self) -> Any:
        """The former name of `data`."""
        return self._renamed("train_data", "data")

    @property
    def test_data(self) -> Any:
        """The former name of `data`."""
        return self._renamed("test_data", "data")

    @property
    def train_labels(self) -> Any:
        """The former name of `targets`."""
        return self._renamed("train_labels", "targets")

    @property
    def test_labels(self) -> Any:
        """The former name of `targets`."""
        return self._renamed("test_labels", "targets")

    def _renamed(self, former: str, name: str) -> Any:
        warnings.warn(f"{former} is the former name of {name}", stacklevel=3)
        return getattr(self, name)


class FashionMNIST(MNIST):
    """Fashion-MNIST, in place of `torchvision.datasets.FashionMNIST`: arguments and attributes are those of `MNIST`."""

    classes: ClassVar[list[str]] = [
        *("T-shirt/top", "Trouser", "Pullover", "Dress", "Coat"),
        *("Sandal", "Shirt", "Sneaker", "Bag", "Ankle boot"),
    ]
    dataset_name = "fashion-mnist"


class KMNIST(MNIST):
    """Kuzushiji-MNIST, in place of `torchvision.datasets.KMNIST`: arguments and attributes are those of `MNIST`."""

    classes: ClassVar[list[str]] = ["o", "ki", "su", "tsu", "na", "ha", "ma", "ya", "re", "wo"]
    dataset_name = "kmnist"


def _take(array: NDArray[Any], rows: NDArray[np.int64]) -> NDArray[Any]:
    """The rows, as a new contiguous array. If the array is not contiguous, NumPy's `take` copies all of it first."""
    return array.take(rows, axis=0) if array.flags.c_contiguous else np.ascontiguousarray(array[rows])


def _is_plain(value: Any, dtype: torch.dtype) -> bool:
    """Whether `value` is a tensor that NumPy can take batches of."""
    return type(value) is torch.Tensor and value.dtype == dtype and value.is_cpu and value.layout == torch.strided
