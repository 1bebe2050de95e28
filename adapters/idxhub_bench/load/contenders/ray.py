"""Ray: idxhub's datasets and loader, and Ray's own datasets, on a local Ray with all cores of the machine."""

from __future__ import annotations

import logging
from collections.abc import Iterator
from typing import Any

import numpy as np
import ray
import ray.data
from numpy.typing import NDArray
from ray.data.block import BlockAccessor

from idxhub_bench.load.contenders import hub
from idxhub_bench.load.contenders.base import Contender
from idxhub_bench.load.judge import read_split
from idxhub_bench.load.places import Place


class OnRay(Contender):
    """What all rows share; Ray is started beforehand."""

    def __init__(self, place: Place, *, shuffle: bool = True) -> None:
        super().__init__(place)
        self.shuffle = shuffle
        if not ray.is_initialized():
            ray.init(include_dashboard=False, log_to_driver=False, logging_level=logging.ERROR)
            ray.data.DataContext.get_current().enable_progress_bars = False
            logging.getLogger("ray.data").setLevel(logging.ERROR)

    def in_order(self) -> OnRay:
        return type(self)(self.place, shuffle=False)

    def arrays(self, batch: Any) -> tuple[NDArray[Any], NDArray[Any]]:
        return np.asarray(batch["image"]), np.asarray(batch["label"])

    def small(self) -> None:
        """Its workers belong to the cluster."""

    def threads(self) -> dict[str, int]:
        return {"ray cpus": int(ray.cluster_resources()["CPU"])}


class Ray(OnRay, hub.Dataset):
    """`get_dataset(framework="ray", shuffle=True).iter_batches(batch_size=...)`."""

    framework = "ray"

    def open(self, dtype: str) -> Any:
        return self.get(dtype=dtype, shuffle=self.shuffle, cache_dir=self.place.folder("cache"))

    def batches(self, dataset: Any, size: int, dtype: str, workers: int = 0) -> Iterator[Any]:
        return iter(dataset.iter_batches(batch_size=size, batch_format="numpy"))


class Batches(Ray):
    """`get_dataset(framework="ray", shuffle=True, batch_size=..., override_num_blocks=1).iter_rows()`."""

    def open(self, dtype: str) -> Any:
        return {}

    def batches(self, dataset: Any, size: int, dtype: str, workers: int = 0) -> Iterator[Any]:
        if size not in dataset:
            options: dict[str, Any] = {"dtype": dtype, "shuffle": self.shuffle, "batch_size": size}
            cache = self.place.folder("cache")
            # one block, since Ray reads one after another in the first second of an execution
            dataset[size] = self.get(**options, override_num_blocks=1, cache_dir=cache)
        return iter(dataset[size].iter_rows())


class Loader(hub.Loader):
    """`get_loader(framework="ray")`: it reads in this process, without Ray's workers."""

    framework = "ray"
    arrays = OnRay.arrays


class FromNumpy(OnRay):
    """`ray.data.from_numpy(...).random_shuffle().iter_batches(...)`: the same block, and a column of labels in it."""

    def cold(self, folder: str) -> tuple[Any, Any]:
        return self._split("train"), self._split("test")

    def open(self, dtype: str) -> Any:
        return self._split("train")

    def _split(self, name: str) -> Any:
        images, labels = read_split(self.place.data_dir, name)
        return ray.data.from_blocks([BlockAccessor.batch_to_block({"image": images, "label": labels})])

    def batches(self, dataset: Any, size: int, dtype: str, workers: int = 0) -> Iterator[Any]:
        ordered = dataset.random_shuffle() if self.shuffle else dataset
        return iter(ordered.iter_batches(batch_size=size, batch_format="numpy"))


class LocalShuffle(FromNumpy):
    """The same with `local_shuffle_buffer_size`, of all images: less would be no shuffle over the whole set."""

    def batches(self, dataset: Any, size: int, dtype: str, workers: int = 0) -> Iterator[Any]:
        count = dataset.count()
        return iter(dataset.iter_batches(batch_size=size, batch_format="numpy", local_shuffle_buffer_size=count))


class Parquet(FromNumpy):
    """`ray.data.read_parquet(...).random_shuffle()` of a file that Ray wrote from the same two columns."""

    def prepare(self) -> None:
        self._split("train").write_parquet(self.place.folder("ray-parquet"))

    def open(self, dtype: str) -> Any:
        dataset = ray.data.read_parquet(self.place.folder("ray-parquet"))
        dataset.context.execution_options.preserve_order = not self.shuffle
        return dataset
