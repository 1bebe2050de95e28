"""Ray: idxhub's dataset through `iter_batches`, on a local Ray with all cores of the machine."""

from __future__ import annotations

import logging
from collections.abc import Iterator
from typing import Any

import numpy as np
import ray
import ray.data
from numpy.typing import NDArray

from idxhub_bench.load.contenders import hub


class Ray(hub.Dataset):
    """`get_dataset(framework="ray", shuffle=True).iter_batches(batch_size=...)`; Ray is started beforehand."""

    framework = "ray"

    def __init__(self, *args: Any) -> None:
        super().__init__(*args)
        if not ray.is_initialized():
            ray.init(include_dashboard=False, log_to_driver=False, logging_level=logging.ERROR)
            ray.data.DataContext.get_current().enable_progress_bars = False
            logging.getLogger("ray.data").setLevel(logging.ERROR)

    def open(self, dtype: str) -> Any:
        return self.get(dtype=dtype, shuffle=True, cache_dir=self.place.folder("cache"))

    def batches(self, dataset: Any, size: int, dtype: str, workers: int = 0) -> Iterator[Any]:
        return iter(dataset.iter_batches(batch_size=size, batch_format="numpy"))

    def arrays(self, batch: Any) -> tuple[NDArray[Any], NDArray[Any]]:
        return np.asarray(batch["image"]), np.asarray(batch["label"])

    def small(self) -> None:
        """Its workers belong to the cluster."""

    def threads(self) -> dict[str, int]:
        return {"ray cpus": int(ray.cluster_resources()["CPU"])}
