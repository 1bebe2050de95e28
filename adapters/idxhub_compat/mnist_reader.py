"""In place of `mnist_reader`, the loader in the repository of Fashion-MNIST: `load_mnist`."""

from __future__ import annotations

import os
from typing import Any

import numpy as np
from numpy.typing import NDArray

from idxhub import errors, load
from idxhub_compat.folders import find_folder, refuse_other_dataset

NAME = "fashion-mnist"
_SPLITS = {"train": "train", "t10k": "test"}


def load_mnist(path: str | os.PathLike[str] | None, kind: str = "train") -> tuple[NDArray[Any], NDArray[Any]]:
    """The images, uint8 (N, 784), and the labels, uint8 (N,), of Fashion-MNIST.

    Args:
        path (path or None): the folder with the files, which is searched first. If it does not exist, or is None, the
            files are found or downloaded as by `idxhub.load`.
        kind (str): "train" for the 60,000 train examples, or "t10k" for the 10,000 test examples. Default: "train".

    Raises:
        UnknownNameError: there is no such kind.
        ChecksumError: the folder holds another dataset, such as MNIST, or only wrong files were found.
        IdxHubError: the other errors of `idxhub.load`.
    """
    if kind not in _SPLITS:
        raise errors.UnknownNameError("kind", kind, _SPLITS)
    folder = find_folder(path)
    refuse_other_dataset(folder, NAME)
    split = load(NAME, _SPLITS[kind], data_dir=folder)
    return split.images.reshape(len(split), -1), split.labels.astype(np.uint8)
