"""TensorFlow Datasets: its own fashion_mnist, its downloads answered from the .gz files."""

from __future__ import annotations

import gzip
import os
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import tensorflow as tf
import tensorflow_datasets as tfds

from idxhub_bench.load.contenders.tensorflow import TensorFlow


class Tfds(TensorFlow):
    """`tfds.load`, then cache, shuffle over all, batch, map, prefetch, as its page on performance says."""

    def prepare(self) -> None:
        self._make(self.place.folder("tfds"))

    def cold(self, folder: str) -> Any:
        builder = self._make(folder)
        return tuple(builder.as_dataset(split=split, as_supervised=True) for split in ("train", "test"))

    def open(self, dtype: str) -> Any:
        del dtype
        asked = {"split": "train", "as_supervised": True, "download": False}
        return tfds.load("fashion_mnist", data_dir=self.place.folder("tfds"), **asked).cache(), {}

    def batches(self, dataset: Any, size: int, dtype: str, workers: int = 0) -> Iterator[Any]:
        del workers
        source, pipelines = dataset
        if size not in pipelines:
            pipelines[size] = self._pipeline(source, size, dtype)
        return iter(pipelines[size])

    def _pipeline(self, source: tf.data.Dataset, size: int, dtype: str) -> tf.data.Dataset:
        batched = source.shuffle(source.cardinality()).batch(size)
        if dtype == "float32":
            batched = batched.map(lambda x, y: (tf.cast(x, tf.float32) / 255.0, y), num_parallel_calls=tf.data.AUTOTUNE)
        return batched.prefetch(tf.data.AUTOTUNE)

    def small(self) -> None:
        """It knows the full dataset alone."""

    def _make(self, folder: str) -> Any:
        builder = tfds.builder("fashion_mnist", data_dir=folder)
        unpacked = Path(folder, "unpacked")

        def local(self: Any, urls: dict[str, str]) -> dict[str, str]:  # noqa: ARG001 -- a method's place
            unpacked.mkdir(parents=True, exist_ok=True)
            return {key: _unpack(Path(data_dir, os.path.basename(url)), unpacked) for key, url in urls.items()}

        data_dir = self.place.data_dir
        tfds.download.DownloadManager.download_and_extract = local
        builder.download_and_prepare()
        return builder


def _unpack(source: Path, folder: Path) -> str:
    target = folder / source.name.removesuffix(".gz")
    target.write_bytes(gzip.decompress(source.read_bytes()))
    return str(target)
