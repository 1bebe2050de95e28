"""In place of `input_data` of TensorFlow 1 (`tensorflow.examples.tutorials.mnist`): `read_data_sets`.

Numbers are those of the original: float32 images are pixel * (1/255), which differs from pixel/255 in the last bit for
some pixels. A seed gives the batches that it gives there if nothing else uses NumPy's global generator, which this
module leaves alone.
"""

from __future__ import annotations

import os
from collections.abc import Callable
from dataclasses import replace
from functools import cached_property
from typing import Any, NamedTuple

import numpy as np
from numpy.typing import NDArray

from idxhub import Plugins, Split, arguments, load
from idxhub_compat.folders import find_folder, refuse_other_dataset

NAME = "fashion-mnist"
_FAKE_EXAMPLES = 10_000
_CLASSES = 10


class DataSet:
    """Images and labels, in memory, and their next batch.

    `images` is (N, 784) or, with `reshape=False`, (N, 28, 28, 1), and `labels` is (N,) or, with `one_hot=True`,
    (N, 10). Both stay in the order of the files; only the batches are shuffled. What is written into them is in the
    next batches too.
    """

    def __init__(
        self, images: NDArray[np.uint8], labels: NDArray[Any], to_dtype: Callable[[NDArray[Any]], Any], seed: int | None
    ) -> None:
        self._stored, self._labels, self._to_dtype = images, labels, to_dtype
        self._random = np.random.RandomState(seed)
        self._order = np.arange(len(images))
        self._start = self._epochs_completed = 0

    @cached_property
    def images(self) -> NDArray[Any]:
        """All images, in the dtype asked for."""
        images: NDArray[Any] = self._to_dtype(self._stored)
        return images

    @property
    def labels(self) -> NDArray[Any]:
        """All labels."""
        return self._labels

    @property
    def num_examples(self) -> int:
        """The number of images."""
        return len(self._stored)

    @property
    def epochs_completed(self) -> int:
        """How many times `next_batch` has passed the last example."""
        return self._epochs_completed

    def next_batch(self, batch_size: int, fake_data: bool = False, shuffle: bool = True) -> tuple[Any, Any]:
        """The next `batch_size` images and labels, never fewer.

        When an epoch ends inside the batch, the batch has what is left of it, and then the first examples of the next
        one, which is shuffled first. Without `shuffle` the order stays as it is. `fake_data` gives lists of ones.

        Raises `ArgumentError`, which is a `ValueError`, if the size is not a natural number or the set is empty.
        """
        if fake_data:
            return _fake_batch(batch_size, one_hot=self._labels.ndim == 2)
        size = arguments.integer("batch_size", batch_size, most=None if self.num_examples else 0)
        if shuffle and self._start == self._epochs_completed == 0:
            self._shuffle()
        parts = []
        while size > self.num_examples - self._start:
            parts.append(self._order[self._start :])
            size -= len(parts[-1])
            self._start = 0
            self._epochs_completed += 1
            if shuffle:
                self._shuffle()
        parts.append(self._order[self._start : self._start + size])
        self._start += size
        where = np.concatenate(parts)
        if "images" in vars(self):  # somebody has them, and may have written into them
            return self.images.take(where, axis=0), self._labels.take(where, axis=0)
        return self._to_dtype(self._stored.take(where, axis=0)), self._labels.take(where, axis=0)

    def _shuffle(self) -> None:
        permutation = np.arange(self.num_examples)
        self._random.shuffle(permutation)
        self._order = self._order[permutation]


class Datasets(NamedTuple):
    """The three parts of the data."""

    train: DataSet
    validation: DataSet
    test: DataSet


def read_data_sets(
    train_dir: str | os.PathLike[str] | None,
    fake_data: bool = False,
    one_hot: bool = False,
    dtype: Any = np.float32,
    reshape: bool = True,
    validation_size: int = 5000,
    seed: int | None = None,
    source_url: str | None = None,
) -> Datasets:
    """Fashion-MNIST in three parts, of 55,000, 5,000 and 10,000 examples.

    Args:
        train_dir (path or None): the folder with the files, which is searched first. If it does not exist, or is None,
            the files are found or downloaded as by `idxhub.load`; nothing is written into it.
        fake_data (bool): sets of 10,000 examples without content, which need no files. Default: False.
        one_hot (bool): labels as rows of ten float64, with a 1 at the label; else uint8. Default: False.
        dtype (dtype): uint8 for pixels as stored, or float32 for pixel * (1/255); a dtype of NumPy or TensorFlow, or
            its name. Default: float32.
        reshape (bool): images (784,); else (28, 28, 1). Default: True.
        validation_size (int): how many of the first train examples become the part `validation`. Default: 5000.
        seed (int or None): for the order of the batches; None for another one in each run. Default: None.
        source_url (str or None): a URL of a folder with the four .gz files, which is tried before the mirrors. What it
            gives is verified. Default: None.

    Raises:
        TypeError: the dtype is another one.
        ArgumentError: `validation_size` is negative or larger than the train set; it is a `ValueError`.
        ChecksumError: the folder holds another dataset, such as MNIST, or only wrong files were found.
        IdxHubError: the other errors of `idxhub.load`.
    """
    to_dtype = _conversion(dtype)
    if fake_data:
        images = np.broadcast_to(np.uint8(0), (_FAKE_EXAMPLES, *_shape(reshape)))
        labels = _labels(np.zeros(_FAKE_EXAMPLES, np.uint8), one_hot)
        return Datasets(*(DataSet(images, labels, to_dtype, seed) for _ in Datasets._fields))
    folder = find_folder(train_dir)
    refuse_other_dataset(folder, NAME)
    spec = Plugins([]).dataset(NAME)
    if source_url is not None:
        spec = replace(spec, mirrors=(source_url, *spec.mirrors))
    size = arguments.integer("validation_size", validation_size, most=spec.sizes["train"])

    def part(split: Split, where: slice) -> DataSet:
        images = split.images[where].reshape(-1, *_shape(reshape))
        return DataSet(images, _labels(split.labels[where].astype(np.uint8), one_hot), to_dtype, seed)

    train, test = (load(spec, each, data_dir=folder) for each in ("train", "test"))
    return Datasets(part(train, slice(size, None)), part(train, slice(size)), part(test, slice(None)))


def _shape(reshape: bool) -> tuple[int, ...]:
    return (784,) if reshape else (28, 28, 1)


def _labels(labels: NDArray[np.uint8], one_hot: bool) -> NDArray[Any]:
    return np.eye(_CLASSES)[labels] if one_hot else labels


def _conversion(dtype: Any) -> Callable[[NDArray[Any]], Any]:
    """The function that gives stored images the dtype. Raises `TypeError` for a dtype that the original refuses."""
    named = getattr(dtype, "as_numpy_dtype", dtype)  # what a dtype of TensorFlow has
    try:
        name = np.dtype(named).name
    except TypeError:
        name = ""
    if name == "uint8":
        return np.asarray
    if name == "float32":
        return _scaled
    raise TypeError(f"dtype is {dtype!r}; it must be uint8 or float32")


def _scaled(images: NDArray[np.uint8]) -> NDArray[np.float32]:
    scaled: NDArray[np.float32] = np.multiply(images, np.float32(1 / 255), dtype=np.float32)
    return scaled


def _fake_batch(batch_size: int, *, one_hot: bool) -> tuple[list[Any], list[Any]]:
    image, label = [1] * 784, [1] + [0] * (_CLASSES - 1) if one_hot else 0
    return [image for _ in range(batch_size)], [label for _ in range(batch_size)]
