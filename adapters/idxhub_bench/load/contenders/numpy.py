"""NumPy: the floor that no loader is under, and idxhub's loader."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import numpy as np

from idxhub_bench.load.contenders.base import Contender, added_up, unpacked


class Floor(Contender):
    """`X[permutation[i:i+b]]` over arrays in memory: no loader, no framework. float32 is made of each batch."""

    def cold(self, folder: str) -> Any:
        del folder
        return [unpacked(self.place.data_dir, split) for split in ("train", "test")]

    def open(self, dtype: str) -> Any:
        del dtype
        images, labels = unpacked(self.place.data_dir, "train")
        return images.copy(), labels

    def batches(self, dataset: Any, size: int, dtype: str, workers: int = 0) -> Iterator[Any]:
        del workers
        images, labels = dataset
        permutation = np.random.default_rng().permutation(len(labels))
        for start in range(0, len(labels), size):
            where = permutation[start : start + size]
            batch = images[where]
            yield batch if dtype == "uint8" else np.divide(batch, np.float32(255), dtype=np.float32), labels[where]

    def sums(self, dataset: Any) -> dict[str, int]:
        return added_up(*(dataset if isinstance(dataset, list) else [dataset]))
