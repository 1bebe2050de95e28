"""TensorFlow Datasets: its own fashion_mnist, which finds the .gz files in the place of its downloads."""

from __future__ import annotations

import gzip
import os
from pathlib import Path
from typing import Any

import tensorflow_datasets as tfds

from idxhub_bench.load.contenders.tensorflow import InGraph, TensorFlow, mapped_batches


class Tfds(TensorFlow):
    """`tfds.load`, then cache, shuffle, batch, map, prefetch, as its documentation of performance says."""

    def prepare(self) -> None:
        self._build(self.place.folder("tfds"))

    def cold(self, folder: str) -> Any:
        builder = self._build(folder)
        return tuple(builder.as_dataset(split=split, as_supervised=True) for split in ("train", "test"))

    def open(self, dtype: str) -> Any:
        options = {"split": "train", "as_supervised": True, "download": False}
        return tfds.load("fashion_mnist", data_dir=self.place.folder("tfds"), **options).cache(), {}

    def pipeline(self, dataset: Any, size: int, dtype: str) -> Any:
        return mapped_batches(dataset[0], size, dtype)

    def small(self) -> None:
        """It knows only the full dataset."""

    def _build(self, folder: str) -> Any:
        builder = tfds.builder("fashion_mnist", data_dir=folder)
        target, data_dir = Path(folder, "unpacked"), self.place.data_dir

        def unpack(self: Any, urls: dict[str, str]) -> dict[str, str]:  # noqa: ARG001 -- it replaces a method
            target.mkdir(parents=True, exist_ok=True)
            return {key: _unpacked(Path(data_dir, os.path.basename(url)), target) for key, url in urls.items()}

        tfds.download.DownloadManager.download_and_extract = unpack
        builder.download_and_prepare()
        return builder


class TfdsInGraph(InGraph, Tfds):
    """The same inside one `tf.function`."""


def _unpacked(source: Path, folder: Path) -> str:
    target = folder / source.name.removesuffix(".gz")
    target.write_bytes(gzip.decompress(source.read_bytes()))
    return str(target)
