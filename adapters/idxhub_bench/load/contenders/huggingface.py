"""Hugging Face: idxhub's datasets, pictures and arrays, and `load_dataset` on Parquet as on the Hub."""

from __future__ import annotations

import io
import itertools
import os
import tempfile
from collections.abc import Iterator
from pathlib import Path
from time import perf_counter
from typing import Any

import datasets
import numpy as np
from numpy.typing import NDArray
from PIL import Image

from idxhub_bench.load.contenders import hub
from idxhub_bench.load.contenders.base import Contender
from idxhub_bench.load.judge import read_split

datasets.disable_progress_bars()


class HuggingFace(Contender):
    """`dataset.shuffle(seed=epoch).with_format("numpy").iter(batch_size)`."""

    def __init__(self, *args: Any) -> None:
        super().__init__(*args)
        self._epochs = itertools.count()

    def batches(self, dataset: Any, size: int, dtype: str, workers: int = 0) -> Iterator[Any]:
        # without dtype=None every integer would become int64
        shuffled = dataset.shuffle(seed=next(self._epochs), keep_in_memory=True).with_format("numpy", dtype=None)
        return iter(shuffled.iter(size))

    def arrays(self, batch: Any) -> tuple[NDArray[Any], NDArray[Any]]:
        return np.asarray(batch["image"]), np.asarray(batch["label"])

    def small(self) -> None:
        """None: the small dataset would have to be encoded into a cache."""


class Png(HuggingFace, hub.Dataset):
    """`get_dataset(framework="huggingface")`: PNG pictures, an Image feature."""

    framework = "huggingface"

    def open(self, dtype: str) -> Any:
        return self.get(cache_dir=self.place.folder("cache"))

    def build(self, limit: int) -> tuple[int, float]:
        """Encode all pictures of the train set into an empty cache: images, seconds. `limit` is for slower readers."""
        del limit
        # a round finds nothing of the one before; Windows does not remove files that are mapped
        with tempfile.TemporaryDirectory(dir=self.place.root, ignore_cleanup_errors=os.name == "nt") as folder:
            self.get(split="train[:1]", image="array", data_dir=self.place.data_dir, cache_dir=folder)  # decoded
            start = perf_counter()
            count = len(self.get(cache_dir=folder))
            return count, perf_counter() - start


class Loader(hub.Loader):
    """`get_loader(framework="huggingface")`."""

    framework = "huggingface"
    arrays = HuggingFace.arrays


class Array(HuggingFace, hub.Dataset):
    """`get_dataset(framework="huggingface", image="array")`."""

    framework = "huggingface"

    def get(self, **options: Any) -> Any:
        return super().get(image="array", **options)


class WithFormat(Array):
    """The same with `with_format("torch")` and a BatchSampler, as in the documentation of datasets for PyTorch."""

    def batches(self, dataset: Any, size: int, dtype: str, workers: int = 0) -> Iterator[Any]:
        from idxhub_bench.load.contenders.torch import whole_batches  # noqa: PLC0415 -- this row alone needs torch

        return whole_batches(dataset.with_format("torch", dtype=None), size, workers)


class Parquet(HuggingFace):
    """`load_dataset("parquet")` of the same form as on the Hub: an Image feature of PNG files that PIL has made."""

    def prepare(self) -> None:
        for split, file in self._files().items():
            _as_pictures(*read_split(self.place.data_dir, split)).to_parquet(file)
        self.open("uint8")

    def cold(self, folder: str) -> Any:
        loaded = datasets.load_dataset("parquet", data_files=self._files(), cache_dir=folder)
        return loaded["train"], loaded["test"]

    def open(self, dtype: str) -> Any:
        return self.cold(self.place.folder("datasets"))[0]

    def build(self, limit: int) -> tuple[int, float]:
        """Encode the first `limit` pictures in a loop with PIL: images, seconds."""
        images, labels = read_split(self.place.data_dir, "train")
        start = perf_counter()
        count = len(_as_pictures(images[:limit], labels[:limit]))
        return count, perf_counter() - start

    def _files(self) -> dict[str, str]:
        return {split: str(Path(self.place.root, "parquet", f"{split}.parquet")) for split in ("train", "test")}


def _as_pictures(images: NDArray[Any], labels: NDArray[Any]) -> datasets.Dataset:
    features = datasets.Features({"image": datasets.Image(), "label": datasets.ClassLabel(num_classes=10)})
    pictures = [{"bytes": _encoded(image), "path": None} for image in images]
    return datasets.Dataset.from_dict({"image": pictures, "label": labels}, features=features)


def _encoded(image: NDArray[Any]) -> bytes:
    file = io.BytesIO()
    Image.fromarray(image).save(file, "PNG")
    return file.getvalue()
