"""In place of `observations`, the datasets of Edward: `fashion_mnist`."""

from __future__ import annotations

import os
from typing import Any, TypeAlias

import numpy as np
from numpy.typing import NDArray

from idxhub import load
from idxhub_compat.folders import find_folder, refuse_other_dataset

NAME = "fashion-mnist"
Pair: TypeAlias = tuple[NDArray[Any], NDArray[Any]]


def fashion_mnist(path: str | os.PathLike[str] | None) -> tuple[Pair, Pair]:
    """`(x_train, y_train), (x_test, y_test)` of Fashion-MNIST: images float64 (N, 784) in 0..255, labels uint8 (N,).

    `path` is the folder with the files, which is searched first. If it does not exist, or is None, the files are found
    or downloaded as by `idxhub.load`; nothing is written into it.

    Raises `ChecksumError` if the folder holds another dataset, such as MNIST, and what `idxhub.load` raises.
    """
    folder = find_folder(path)
    refuse_other_dataset(folder, NAME)
    train, test = (load(NAME, split, data_dir=folder) for split in ("train", "test"))
    return (_rows(train.images), train.labels.astype(np.uint8)), (_rows(test.images), test.labels.astype(np.uint8))


def _rows(images: NDArray[Any]) -> NDArray[Any]:
    return images.reshape(len(images), -1).astype(np.float64)
