"""Hugging Face: idxhub's datasets, pictures and arrays, and `load_dataset` on Parquet as on the Hub."""

from __future__ import annotations

import io
import itertools
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
from idxhub_bench.load.contenders.base import Contender, unpacked

datasets.disable_progress_bars()


class HuggingFace(Contender):
    """`dataset.shuffle(seed=epoch).with_format("numpy").iter(batch_size)`."""

    def __init__(self, *args: Any) -> None:
        super().__init__(*args)
        self._epochs = itertools.count()

    def batches(self, dataset: Any, size: int, dtype: str, workers: int = 0) -> Iterator[Any]:
        del dtype, workers
        # without the None it would make int64 of every integer
        shuffled = dataset.shuffle(seed=next(self._epochs), keep_in_memory=True).with_format("numpy", dtype=None)
        for batch in shuffled.iter(size):
            yield batch["image"], batch["label"]

    def small(self) -> None:
        """Each picture file is made anew in a cache of its own."""


class Png(HuggingFace, hub.Dataset):
    """`get_dataset(framework="huggingface")`: PNG pictures, an Image feature."""

    framework = "huggingface"

    def open(self, dtype: str) -> Any:
        del dtype
        return self.get(cache_dir=self.place.folder("cache"))

    def build(self, limit: int) -> tuple[int, float]:
        """Encode the train set's pictures into an empty cache: images, seconds. `limit` is for those that need one."""
        del limit
        with tempfile.TemporaryDirectory(dir=self.place.root) as where:  # a round finds nothing of the one before
            self.get(split="train[:1]", image="array", data_dir=self.place.data_dir, cache_dir=where)  # decoded
            start = perf_counter()
            count = len(self.get(cache_dir=where))
            return count, perf_counter() - start


class Loader(hub.Loader):
    """`get_loader(framework="huggingface")`."""

    framework = "huggingface"

    def arrays(self, batch: Any) -> tuple[NDArray[Any], NDArray[Any]]:
        return batch["image"], batch["label"]


class Array(HuggingFace, hub.Dataset):
    """`get_dataset(framework="huggingface", image="array")`."""

    framework = "huggingface"

    def get(self, **options: Any) -> Any:
        return super().get(image="array", **options)


class WithFormat(Array):
    """The same with `with_format("torch")`, a BatchSampler asking for whole batches, as its page on PyTorch has it."""

    def batches(self, dataset: Any, size: int, dtype: str, workers: int = 0) -> Iterator[Any]:
        import torch  # noqa: PLC0415 -- this row alone needs it

        torch.set_num_threads(1)  # as in the rows of torch
        from torch.utils.data import BatchSampler, DataLoader, RandomSampler  # noqa: PLC0415 -- as above

        del dtype
        sampler = BatchSampler(RandomSampler(dataset), size, drop_last=False)
        formatted = dataset.with_format("torch", dtype=None)
        return iter(DataLoader(formatted, batch_size=None, sampler=sampler, num_workers=workers))

    def arrays(self, batch: Any) -> tuple[NDArray[Any], NDArray[Any]]:
        return np.asarray(batch["image"]), np.asarray(batch["label"])


class Parquet(HuggingFace):
    """`load_dataset("parquet")` of the Hub's form: an Image feature of PNG files that PIL has made."""

    def prepare(self) -> None:
        for split in ("train", "test"):
            self._made(*unpacked(self.place.data_dir, split)).to_parquet(self._file(split))
        self.open("uint8")

    def cold(self, folder: str) -> Any:
        files = {split: self._file(split) for split in ("train", "test")}
        loaded = datasets.load_dataset("parquet", data_files=files, cache_dir=folder)
        return loaded["train"], loaded["test"]

    def open(self, dtype: str) -> Any:
        del dtype
        files = {split: self._file(split) for split in ("train", "test")}
        return datasets.load_dataset("parquet", data_files=files, cache_dir=self.place.folder("datasets"))["train"]

    def build(self, limit: int) -> tuple[int, float]:
        """The PIL loop over the first `limit` pictures: images, seconds."""
        images, labels = unpacked(self.place.data_dir, "train")
        start = perf_counter()
        count = len(self._made(images[:limit], labels[:limit]))
        return count, perf_counter() - start

    def _file(self, split: str) -> str:
        return str(Path(self.place.root) / "parquet" / f"{split}.parquet")

    def _made(self, images: NDArray[Any], labels: NDArray[Any]) -> datasets.Dataset:
        features = datasets.Features({"image": datasets.Image(), "label": datasets.ClassLabel(num_classes=10)})
        pictures = [{"bytes": _encoded(image), "path": None} for image in images]
        return datasets.Dataset.from_dict({"image": pictures, "label": labels}, features=features)


def _encoded(image: NDArray[Any]) -> bytes:
    file = io.BytesIO()
    Image.fromarray(image).save(file, "PNG")
    return file.getvalue()
