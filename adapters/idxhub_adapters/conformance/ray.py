"""Ray's conformance subject: read as its users read it, through `iter_batches`, with two workers."""

from __future__ import annotations

import logging
import warnings
from collections.abc import Iterator
from typing import Any

import ray
import ray.data

from idxhub.conformance import Subject


def _start_ray() -> None:
    if ray.is_initialized():
        return
    with warnings.catch_warnings():
        # the forked processes start another program at once, so they do not miss JAX's threads
        warnings.filterwarnings("ignore", r"os\.fork\(\) was called.* JAX", RuntimeWarning)
        ray.init(num_cpus=2, include_dashboard=False, log_to_driver=False, logging_level=logging.ERROR)
    # messages about each execution would hide the report
    ray.data.DataContext.get_current().enable_progress_bars = False
    logging.getLogger("ray.data").setLevel(logging.ERROR)


def _batches(native: ray.data.Dataset, size: int) -> Iterator[tuple[Any, Any]]:
    for batch in native.iter_batches(batch_size=size, batch_format="numpy"):
        yield batch["image"], batch["label"]


SUBJECT = Subject(
    framework="ray",
    start=_start_ray,
    batches=_batches,
    pair=lambda batch: (batch["image"], batch["label"]),
    length=lambda native: native.count(),
    package="ray",
    options={"batch_size": 32, "shuffle": False, "seed": 1, "drop_last": False, "override_num_blocks": 3},
    wrong_options={"batch_size": 0, "shuffle": "yes", "seed": -1, "drop_last": True, "override_num_blocks": 0},
    records=lambda native: [record._asdict() for record in native.info.records],
    minimum=46,
)
