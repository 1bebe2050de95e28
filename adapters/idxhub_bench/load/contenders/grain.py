"""Grain: `MapDataset.source(...).shuffle().batch()` over arrays in memory, as its tutorial has it."""

from __future__ import annotations

import itertools
from collections.abc import Iterator
from typing import Any

import grain
import numpy as np
from absl import flags

from idxhub_bench.load.contenders.base import Contender, unpacked


class Source:
    """Random access to two arrays."""

    def __init__(self, images: Any, labels: Any) -> None:
        self.images, self.labels = images, labels

    def __len__(self) -> int:
        return len(self.labels)

    def __getitem__(self, index: int) -> tuple[Any, Any]:
        return self.images[index], self.labels[index]


class Grain(Contender):
    """Batches in the process itself, of its ways the fastest for arrays in memory, or through `mp_prefetch`."""

    def __init__(self, *args: Any) -> None:
        super().__init__(*args)
        self._seeds = itertools.count()
        if not flags.FLAGS.is_parsed():  # its worker processes ask for flags, which absl's programs parse
            flags.FLAGS.mark_as_parsed()

    def cold(self, folder: str) -> Any:
        del folder
        return tuple(Source(*unpacked(self.place.data_dir, split)) for split in ("train", "test"))

    def open(self, dtype: str) -> Any:
        del dtype
        return Source(*unpacked(self.place.data_dir, "train"))

    def batches(self, dataset: Any, size: int, dtype: str, workers: int = 0) -> Iterator[Any]:
        examples = grain.MapDataset.source(dataset).shuffle(seed=next(self._seeds))
        # by default 16 threads read, for files: over arrays they wait for one another
        batched = examples.batch(size).to_iter_dataset(grain.ReadOptions(num_threads=0, prefetch_buffer_size=0))
        if dtype == "float32":
            batched = batched.map(_scaled)
        if workers:
            batched = batched.mp_prefetch(grain.multiprocessing.MultiprocessingOptions(num_workers=workers))
        return iter(batched)


def _scaled(batch: tuple[Any, Any]) -> tuple[Any, Any]:
    images, labels = batch
    return np.divide(images, np.float32(255), dtype=np.float32), labels
