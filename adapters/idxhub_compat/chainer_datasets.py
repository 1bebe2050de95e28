"""In place of `chainer.datasets`: `get_fashion_mnist`, `get_mnist` and `get_kuzushiji_mnist`, and the names of labels.

Numbers are those of the original: pixel * (scale/255), which for scale=1 differs from pixel/255 in the last bit of some
values.
"""

from __future__ import annotations

import sys
from collections.abc import Sequence
from typing import Any

import numpy as np
from numpy.typing import DTypeLike, NDArray

from idxhub import Plugins, Split, errors, load

NAME = "fashion-mnist"


class TupleDataset:
    """Datasets of the same length, in place of `chainer.datasets.TupleDataset`.

    An element is a tuple of an element of each. A slice gives a list of tuples.
    """

    def __init__(self, *datasets: Sequence[Any] | NDArray[Any]) -> None:
        if not datasets or len({len(each) for each in datasets}) != 1:
            raise errors.ArgumentError("datasets", [len(each) for each in datasets], "at least one, all of one length")
        self._datasets = datasets

    def __len__(self) -> int:
        return len(self._datasets[0])

    def __getitem__(self, index: Any) -> Any:
        parts = [each[index] for each in self._datasets]
        if isinstance(index, slice):
            return list(zip(*parts, strict=True))
        return tuple(parts)


def get_fashion_mnist(
    withlabel: bool = True,
    ndim: int = 1,
    scale: float = 1.0,
    dtype: DTypeLike | None = None,
    label_dtype: DTypeLike = np.int32,
    rgb_format: bool = False,
) -> tuple[Any, Any]:
    """The train and test examples of Fashion-MNIST.

    Args:
        withlabel (bool): each is a `TupleDataset` of images and labels; else an array of images. Default: True.
        ndim (int): 1 for images (784,), 2 for (28, 28), 3 for (1, 28, 28). Default: 1.
        scale (float): the value of the brightest pixel. Default: 1.0.
        dtype (dtype or None): of the images, a float type. None for that of Chainer's configuration, or float32 if
            Chainer is not imported. Default: None.
        label_dtype (dtype): of the labels. Default: int32.
        rgb_format (bool): for ndim=3, three equal channels, (3, 28, 28). Default: False.

    Raises:
        ArgumentError: `ndim` is another number; it is a `ValueError`.
        IdxHubError: the errors of `idxhub.load`.
    """
    return _load(NAME, withlabel, ndim, scale, dtype, label_dtype, rgb_format)


def get_mnist(
    withlabel: bool = True,
    ndim: int = 1,
    scale: float = 1.0,
    dtype: DTypeLike | None = None,
    label_dtype: DTypeLike = np.int32,
    rgb_format: bool = False,
) -> tuple[Any, Any]:
    """The train and test examples of MNIST, as `get_fashion_mnist` gives those of Fashion-MNIST."""
    return _load("mnist", withlabel, ndim, scale, dtype, label_dtype, rgb_format)


def get_kuzushiji_mnist(
    withlabel: bool = True,
    ndim: int = 1,
    scale: float = 1.0,
    dtype: DTypeLike | None = None,
    label_dtype: DTypeLike = np.int32,
    rgb_format: bool = False,
) -> tuple[Any, Any]:
    """The train and test examples of KMNIST, as `get_fashion_mnist` gives those of Fashion-MNIST."""
    return _load("kmnist", withlabel, ndim, scale, dtype, label_dtype, rgb_format)


def get_fashion_mnist_labels() -> list[str]:
    """The names of the labels, from that of 0 to that of 9."""
    return list(Plugins([]).dataset("fashion-mnist").classes)


def _load(
    name: str,
    withlabel: bool,
    ndim: int,
    scale: float,
    dtype: DTypeLike | None,
    label_dtype: DTypeLike,
    rgb_format: bool,
) -> tuple[Any, Any]:
    shapes = {1: (784,), 2: (28, 28), 3: (1, 28, 28)}
    if ndim not in shapes:
        raise errors.ArgumentError("ndim", ndim, "1, 2 or 3")
    image_dtype = _image_dtype(dtype)

    def convert(split: Split) -> Any:
        images: Any = split.images.reshape(-1, *shapes[ndim])
        if ndim == 3 and rgb_format:
            images = np.broadcast_to(images, (len(images), 3, 28, 28))
        images = images.astype(image_dtype)
        images *= scale / 255.0
        return TupleDataset(images, split.labels.astype(label_dtype)) if withlabel else images

    train, test = (convert(load(name, split)) for split in ("train", "test"))
    return train, test


def _image_dtype(dtype: DTypeLike | None) -> Any:
    """The dtype that Chainer uses for None: that of its configuration, if the program has imported Chainer."""
    if dtype is not None:
        return dtype
    chainer = sys.modules.get("chainer")
    return np.float32 if chainer is None else chainer.get_dtype(None)
