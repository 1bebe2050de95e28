"""What the readers of idxhub share, whatever the framework."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

from idxhub import FrameworkName, get_dataset, get_loader
from idxhub_bench.load.contenders.base import Contender, added_up


class Dataset(Contender):
    """`get_dataset(framework=...)`."""

    framework = "numpy"

    def prepare(self) -> None:
        self.get(split=("train", "test"), data_dir=self.place.data_dir, cache_dir=self.place.folder("cache"))

    def cold(self, folder: str) -> Any:
        return self.get(split=("train", "test"), data_dir=self.place.data_dir, cache_dir=folder)

    def open(self, dtype: str) -> Any:
        return self.get(dtype=dtype, cache_dir=self.place.folder("cache"))

    def get(self, **options: Any) -> Any:
        """Of this dataset, for this framework, without a network."""
        return get_dataset(self.place.dataset, framework=FrameworkName(self.framework), download=False, **options)


class Loader(Contender):
    """`get_loader(framework=...)`; each batch size is a loader of its own."""

    framework = "numpy"

    def prepare(self) -> None:
        where: dict[str, Any] = {
            "data_dir": self.place.data_dir,
            "cache_dir": self.place.folder("cache"),
            "download": False,
        }
        get_dataset(self.place.dataset, split=("train", "test"), **where)

    def open(self, dtype: str) -> Any:
        return {"dtype": dtype, "epoch": 0}

    def batches(self, dataset: Any, size: int, dtype: str, workers: int = 0) -> Iterator[Any]:
        del workers
        if size not in dataset:
            options: dict[str, Any] = {
                "dtype": dtype,
                "cache_dir": self.place.folder("cache"),
                "download": False,
            }
            dataset[size] = get_loader(
                self.place.dataset,
                framework=FrameworkName(self.framework),
                batch_size=size,
                **options,
            )
        return iter(dataset[size])


class Arrays(Dataset):
    """`get_dataset()`, NumPy's: for opening and for memory."""

    def batches(self, dataset: Any, size: int, dtype: str, workers: int = 0) -> Iterator[Any]:
        """Gathered as NumPy does it, to read what is mapped."""
        from idxhub_bench.load.contenders.numpy import Floor  # noqa: PLC0415 -- one row's idiom, for memory alone

        return Floor(self.place).batches((dataset.images, dataset.labels), size, dtype, workers)

    def sums(self, dataset: Any) -> dict[str, int]:
        return added_up(*(dataset if type(dataset) is tuple else [dataset]))
