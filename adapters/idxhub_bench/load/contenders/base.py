"""What every reader can do."""

from __future__ import annotations

import itertools
from collections.abc import Iterator
from typing import Any

import numpy as np
from numpy.typing import NDArray

from idxhub_bench.load.places import Place
from idxhub_bench.load.touch import PassRecord


class Contender:
    """A reader, written as its users write it. Its module imports the framework; the clock starts afterwards."""

    compiles = False  # whether the framework compiles something for each shape of a batch

    def __init__(self, place: Place) -> None:
        self.place = place

    def prepare(self) -> None:
        """Make the files that this reader needs; not measured."""

    def cold(self, folder: str) -> tuple[Any, Any]:
        """Train and test, opened from the .gz files with nothing kept from before; `folder` is empty."""
        raise NotImplementedError

    def open(self, dtype: str) -> Any:
        """The train set, ready to be read, from what the reader keeps between two runs."""
        raise NotImplementedError

    def batches(self, dataset: Any, size: int, dtype: str, workers: int = 0) -> Iterator[Any]:
        """A new shuffled epoch of the framework's own batches."""
        raise NotImplementedError

    def in_order(self) -> Contender:
        """The same reader in the order of the files; asked only of rows with `in_order`."""
        raise NotImplementedError

    def read(self, dataset: Any, size: int, dtype: str, workers: int = 0, limit: int | None = None) -> PassRecord:
        """Read a new shuffled epoch to the last byte, or its first `limit` images in whole batches."""
        batches = self.batches(dataset, size, dtype, workers)
        seen = PassRecord()
        for batch in batches if limit is None else itertools.islice(batches, max(1, limit // size)):
            seen.read(*self.arrays(batch))
        return seen

    def arrays(self, batch: Any) -> tuple[NDArray[Any], NDArray[Any]]:
        """A batch as NumPy arrays. If a device computes it in the background, this waits for it."""
        images, labels = batch
        return np.asarray(images), np.asarray(labels)

    def small(self) -> Contender | None:
        """The same reader over a small dataset; None if it cannot read one."""
        return type(self)(self.place.small) if self.place.small else None

    def threads(self) -> dict[str, int]:
        """How many threads the framework uses, if it tells."""
        return {}

    def pair(self, split: Any) -> tuple[Any, Any] | None:
        """The images and the labels of an opened split; None if only an epoch can show them."""
        del split
        return None

    def sums(self, *splits: Any) -> dict[str, int] | None:
        """The number of images and the sums of pixels and labels over opened splits; None without `pair`."""
        pairs = [found for found in map(self.pair, splits) if found is not None]
        arrays = [(np.asarray(images), np.asarray(labels)) for images, labels in pairs]
        sums = {
            "images": sum(len(labels) for _, labels in arrays),
            "pixels": sum(int(images.sum(dtype=np.uint64)) for images, _ in arrays),
            "labels": sum(int(labels.sum(dtype=np.uint64)) for _, labels in arrays),
        }
        return sums if pairs else None


class InMemory(Contender):
    """A reader whose opened split begins with arrays: images, labels."""

    def pair(self, split: Any) -> tuple[Any, Any]:
        return split[0], split[1]


def scaled(images: NDArray[np.uint8]) -> NDArray[np.float32]:
    """pixel/255 as float32."""
    return np.divide(images, np.float32(255), dtype=np.float32)
