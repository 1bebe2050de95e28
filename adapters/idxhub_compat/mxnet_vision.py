"""In place of `mxnet.gluon.data.vision`: `FashionMNIST` and `MNIST`. They need mxnet, whose arrays they give."""

from __future__ import annotations

import os
from collections.abc import Callable
from typing import Any

import mxnet
import numpy as np
from mxnet.gluon.data import Dataset

from idxhub import load
from idxhub_compat.folders import find_folder

_MNIST, _FASHION_MNIST = (os.path.join(mxnet.base.data_dir(), "datasets", each) for each in ("mnist", "fashion-mnist"))


class MNIST(Dataset):  # type: ignore[misc]  # MXNet has no types
    """MNIST: pairs of an NDArray, uint8 (28, 28, 1), and an int32.

    Args:
        root (path): a folder, which is searched first. It need not exist, and nothing is written into it. Default:
            where MXNet keeps the files.
        train (bool): the 60,000 train examples; else the 10,000 test examples. Default: True.
        transform (callable or None): called with an image and its label; it returns the element. Default: None.

    `transform`, `transform_first` and the other methods are those of every dataset of Gluon. Raises `IdxHubError` as
    `idxhub.load` does.
    """

    dataset_name = "mnist"

    def __init__(
        self,
        root: str | os.PathLike[str] = _MNIST,
        train: bool = True,
        transform: Callable[[Any, Any], Any] | None = None,
    ) -> None:
        super().__init__()
        self._transform = transform
        split = load(self.dataset_name, "train" if train else "test", data_dir=find_folder(root))
        self._data, self._label = split.images[..., None], split.labels.astype(np.int32)
        if mxnet.util.is_np_array():
            self._data, self._label = (mxnet.np.array(each, dtype=each.dtype) for each in (self._data, self._label))
        else:
            self._data = mxnet.nd.array(self._data, dtype=np.uint8)

    def __getitem__(self, idx: Any) -> Any:
        """The element at an index; of a slice, a pair of arrays."""
        if self._transform is not None:
            return self._transform(self._data[idx], self._label[idx])
        return self._data[idx], self._label[idx]

    def __len__(self) -> int:
        return len(self._label)


class FashionMNIST(MNIST):
    """Fashion-MNIST, in place of `mxnet.gluon.data.vision.FashionMNIST`: arguments and elements are those of `MNIST`.

    The original reads the first release of Fashion-MNIST, which still contained duplicates; this class reads today's.
    """

    dataset_name = "fashion-mnist"

    def __init__(
        self,
        root: str | os.PathLike[str] = _FASHION_MNIST,
        train: bool = True,
        transform: Callable[[Any, Any], Any] | None = None,
    ) -> None:
        super().__init__(root, train, transform)
