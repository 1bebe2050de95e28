"""What the readers of idxhub share in all frameworks."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

from idxhub import FrameworkName, get_dataset, get_loader
from idxhub_bench.load.contenders.base import Contender, InMemory


class Dataset(Contender):
    """`get_dataset(framework=...)`."""

    framework = "numpy"

    def prepare(self) -> None:
        self.cold(self.place.folder("cache"))

    def cold(self, folder: str) -> Any:
        return self.get(split=("train", "test"), data_dir=self.place.data_dir, cache_dir=folder)

    def open(self, dtype: str) -> Any:
        return self.get(dtype=dtype, cache_dir=self.place.folder("cache"))

    def get(self, **options: Any) -> Any:
        """The dataset for the framework, without a network."""
        return get_dataset(self.place.dataset, framework=FrameworkName(self.framework), download=False, **options)


class Loader(Contender):
    """`get_loader(framework=...)`; each batch size has a loader of its own."""

    framework = "numpy"

    def prepare(self) -> None:
        where: dict[str, Any] = {"data_dir": self.place.data_dir, "cache_dir": self.place.folder("cache")}
        get_dataset(self.place.dataset, split=("train", "test"), download=False, **where)

    def open(self, dtype: str) -> Any:
        return {}

    def batches(self, dataset: Any, size: int, dtype: str, workers: int = 0) -> Iterator[Any]:
        if size not in dataset:
            options: dict[str, Any] = {"framework": self.framework, "batch_size": size, "dtype": dtype}
            where: dict[str, Any] = {"cache_dir": self.place.folder("cache"), "download": False}
            dataset[size] = get_loader(self.place.dataset, **options, **where)
        return iter(dataset[size])


class Arrays(InMemory, Dataset):
    """`get_dataset()`, NumPy's: for opening and for memory."""

    def batches(self, dataset: Any, size: int, dtype: str, workers: int = 0) -> Iterator[Any]:
        """Batches that NumPy gathers, to read what is mapped."""
        from idxhub_bench.load.contenders.numpy import Floor  # noqa: PLC0415 -- one row's idiom, for memory alone

        return Floor(self.place).batches((dataset.images, dataset.labels), size, dtype, workers)
