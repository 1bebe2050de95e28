"""Grain: `MapDataset.source(...).shuffle().batch()` over arrays in memory, as in its tutorial."""

from __future__ import annotations

import itertools
from collections.abc import Iterator
from typing import Any

import grain
from absl import flags

from idxhub_bench.load.contenders.base import Contender, scaled
from idxhub_bench.load.judge import read_split


class Source:
    """Random access to two arrays."""

    def __init__(self, images: Any, labels: Any) -> None:
        self.images, self.labels = images, labels

    def __len__(self) -> int:
        return len(self.labels)

    def __getitem__(self, index: int) -> tuple[Any, Any]:
        return self.images[index], self.labels[index]


class Grain(Contender):
    """Batches in this process, which is its fastest way for arrays in memory, or in workers by `mp_prefetch`."""

    def __init__(self, *args: Any) -> None:
        super().__init__(*args)
        self._seeds = itertools.count()
        if not flags.FLAGS.is_parsed():  # its worker processes read flags, which only absl's programs parse
            flags.FLAGS.mark_as_parsed()

    def cold(self, folder: str) -> Any:
        return tuple(Source(*read_split(self.place.data_dir, split)) for split in ("train", "test"))

    def open(self, dtype: str) -> Any:
        return Source(*read_split(self.place.data_dir, "train"))

    def batches(self, dataset: Any, size: int, dtype: str, workers: int = 0) -> Iterator[Any]:
        examples = grain.MapDataset.source(dataset).shuffle(seed=next(self._seeds))
        # by default 16 threads read, which is meant for files: over arrays they wait for one another
        batched = examples.batch(size).to_iter_dataset(grain.ReadOptions(num_threads=0, prefetch_buffer_size=0))
        if dtype == "float32":
            batched = batched.map(_scale)
        if workers:
            batched = batched.mp_prefetch(grain.multiprocessing.MultiprocessingOptions(num_workers=workers))
        return iter(batched)


def _scale(batch: tuple[Any, Any]) -> tuple[Any, Any]:
    images, labels = batch
    return scaled(images), labels
