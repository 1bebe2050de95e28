"""What every reader can be asked to do."""

from __future__ import annotations

import gzip
from collections.abc import Iterable, Iterator
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from idxhub_bench.load.judge import FILES
from idxhub_bench.load.places import Place

Pairs = Iterable[tuple[Any, Any]]


class Contender:
    """A reader in its users' usual idiom. Its module imports the framework; the clock starts afterwards."""

    compiles = False  # whether something is compiled for each shape, the last batch's too

    def __init__(self, place: Place) -> None:
        self.place = place

    def prepare(self) -> None:
        """Make files that this reader wants beforehand; not measured."""

    def cold(self, folder: str) -> Any:
        """From the .gz files, with nothing kept from before: train and test, ready. `folder` is empty."""
        raise NotImplementedError

    def open(self, dtype: str) -> Any:
        """The train set, ready to be read, from whatever the reader keeps between two runs."""
        raise NotImplementedError

    def batches(self, dataset: Any, size: int, dtype: str, workers: int = 0) -> Iterator[Any]:
        """A new shuffled epoch of native batches."""
        raise NotImplementedError

    def arrays(self, batch: Any) -> tuple[NDArray[Any], NDArray[Any]]:
        """A native batch as NumPy arrays, finished: where a device works by itself, this waits for it."""
        images, labels = batch
        return np.asarray(images), np.asarray(labels)

    def small(self) -> Contender | None:
        """The same reader over a small dataset; None if it has no way to read one."""
        return type(self)(self.place.small) if self.place.small else None

    def threads(self) -> dict[str, int]:
        """How many threads the framework uses, as far as it says."""
        return {}

    def sums(self, dataset: Any) -> dict[str, int] | None:
        """What an opened dataset holds, in sums; None if nothing short of an epoch can tell."""
        del dataset
        return None


def unpacked(data_dir: str, split: str) -> tuple[NDArray[np.uint8], NDArray[np.int64]]:
    """Images and labels of a split by gzip and NumPy alone, as people write it."""
    images, labels = (gzip.decompress(Path(data_dir, name).read_bytes()) for name in FILES[split])
    return (
        np.frombuffer(images, np.uint8, offset=16).reshape(-1, 28, 28),
        np.frombuffer(labels, np.uint8, offset=8).astype(np.int64),
    )


def added_up(*pairs: tuple[Any, Any]) -> dict[str, int]:
    """The number of images and the sums of pixels and labels, over several splits."""
    arrays = [(np.asarray(images), np.asarray(labels)) for images, labels in pairs]
    return {
        "images": sum(len(labels) for _, labels in arrays),
        "pixels": sum(int(images.sum(dtype=np.uint64)) for images, _ in arrays),
        "labels": sum(int(labels.sum(dtype=np.uint64)) for _, labels in arrays),
    }
