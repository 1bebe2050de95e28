"""Compare Ray datasets, in one run: idxhub's with `shuffle=True` and in the order of the file, and `random_shuffle()`.

    python tools/bench_ray.py [--data-dir FOLDER] [--passes 7]

Each pass reads every byte of the train images in batches of 128, on a local Ray with two CPUs. The table shows the
median images/s.
"""

from __future__ import annotations

import argparse
import logging
import statistics
import time
from collections.abc import Callable, Iterable
from typing import Any

import ray
import ray.data

import idxhub


def rate(passes: int, make: Callable[[], Iterable[Any]], column: str) -> float:
    """The median images/s of several passes, after one that is not counted."""
    rates = []
    for _ in range(passes + 1):
        start, count = time.perf_counter(), 0
        for batch in make():
            batch[column].sum()
            count += len(batch[column])
        rates.append(count / (time.perf_counter() - start))
    return statistics.median(rates[1:])


def main() -> None:
    """Measure and print."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--data-dir", help="the folder with the four .gz files")
    parser.add_argument("--passes", type=int, default=7)
    options = parser.parse_args()
    ray.init(num_cpus=2, include_dashboard=False, log_to_driver=False, logging_level=logging.ERROR)
    ray.data.DataContext.get_current().enable_progress_bars = False
    logging.getLogger("ray.data").setLevel(logging.ERROR)
    images, _ = idxhub.get_dataset(data_dir=options.data_dir)
    peer = ray.data.from_numpy(images)
    for dtype in ("uint8", "float32"):
        for name, arguments in (("shuffle=True", {"shuffle": True}), ("the order of the file", {})):
            dataset = idxhub.get_dataset(framework="ray", data_dir=options.data_dir, dtype=dtype, **arguments)
            measured = rate(options.passes, lambda dataset=dataset: dataset.iter_batches(batch_size=128), "image")
            print(f"idxhub, {name}, {dtype}: {measured:,.0f} images/s")
    measured = rate(options.passes, lambda: peer.random_shuffle().iter_batches(batch_size=128), "data")
    print(f"from_numpy, random_shuffle(), uint8: {measured:,.0f} images/s")


if __name__ == "__main__":
    main()
