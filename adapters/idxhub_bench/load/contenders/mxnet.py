"""MXNet Gluon: `FashionMNIST(...).transform_first(ToTensor())` in a Gluon DataLoader."""

from __future__ import annotations

import os
from collections.abc import Iterator
from typing import Any

from mxnet.gluon.data import DataLoader
from mxnet.gluon.data.vision import FashionMNIST, datasets, transforms
from numpy.typing import NDArray

from idxhub_bench.load.contenders.base import Contender, added_up


class Gluon(Contender):
    """It decodes the .gz files each time.

    It knows files by the SHA-1 of a compression of its own, whose host is gone: what it would download is answered from
    the published ones.
    """

    def __init__(self, *args: Any) -> None:
        super().__init__(*args)
        datasets.download = lambda url, path, sha1_hash: os.path.join(path, os.path.basename(url))  # noqa: ARG005 -- its call

    def cold(self, folder: str) -> Any:
        del folder
        return [FashionMNIST(root=self.place.folder("mxnet"), train=train) for train in (True, False)]

    def open(self, dtype: str) -> Any:
        del dtype
        return FashionMNIST(root=self.place.folder("mxnet"), train=True)

    def batches(self, dataset: Any, size: int, dtype: str, workers: int = 0) -> Iterator[Any]:
        if dtype == "float32":
            dataset = dataset.transform_first(transforms.ToTensor())
        return iter(DataLoader(dataset, batch_size=size, shuffle=True, last_batch="keep", num_workers=workers))

    def arrays(self, batch: Any) -> tuple[NDArray[Any], NDArray[Any]]:
        images, labels = batch
        return images.asnumpy(), labels.asnumpy()

    def sums(self, dataset: Any) -> dict[str, int]:
        several = dataset if isinstance(dataset, list) else [dataset]
        return added_up(*((each._data.asnumpy(), each._label) for each in several))  # noqa: SLF001 -- it shows no other
