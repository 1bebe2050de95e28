"""MXNet: `FashionMNIST().transform_first(ToTensor())` in a Gluon DataLoader."""

from __future__ import annotations

import os
from collections.abc import Iterator
from typing import Any

from mxnet.gluon.data import DataLoader
from mxnet.gluon.data.vision import FashionMNIST, datasets, transforms
from numpy.typing import NDArray

from idxhub_bench.load.contenders.base import Contender


class Gluon(Contender):
    """It decodes the .gz files each time.

    It accepts only files of its own compression, whose host no longer exists: its downloads are replaced by the
    published files.
    """

    def __init__(self, *args: Any) -> None:
        super().__init__(*args)
        datasets.download = lambda url, path, sha1_hash: os.path.join(path, os.path.basename(url))  # noqa: ARG005 -- its call

    def cold(self, folder: str) -> Any:
        return tuple(FashionMNIST(root=self.place.folder("mxnet"), train=train) for train in (True, False))

    def open(self, dtype: str) -> Any:
        return FashionMNIST(root=self.place.folder("mxnet"), train=True)

    def batches(self, dataset: Any, size: int, dtype: str, workers: int = 0) -> Iterator[Any]:
        if dtype == "float32":
            dataset = dataset.transform_first(transforms.ToTensor())
        return iter(DataLoader(dataset, batch_size=size, shuffle=True, last_batch="keep", num_workers=workers))

    def arrays(self, batch: Any) -> tuple[NDArray[Any], NDArray[Any]]:
        images, labels = batch
        return images.asnumpy(), labels.asnumpy()

    def pair(self, split: Any) -> tuple[Any, Any]:
        return split._data.asnumpy(), split._label  # noqa: SLF001 -- it has no public name for them
