"""Compare Ray datasets in one run: idxhub's, and Ray's own from arrays in memory and from a Parquet file.

    python tools/bench_ray.py --data-dir FOLDER [--rounds 7]

with Fashion-MNIST's four .gz files in FOLDER. Each pass reads every byte of the train images in batches of 128, on a
local Ray with two CPUs: shuffled, and in the order of the files. In each round, every reader makes one pass; the table
shows the median images/s of all rounds. The last lines are what one execution of Ray Data takes that reads two numbers,
and what a pass takes over blocks that are in memory.
"""

from __future__ import annotations

import argparse
import logging
import statistics
import tempfile
import time
from collections.abc import Callable, Iterator
from typing import Any, NamedTuple

import ray
import ray.data

from idxhub_bench.load.contenders import ray as contenders
from idxhub_bench.load.places import Place

BATCH = 128
SHUFFLED, IN_ORDER, PEER = "shuffled", "in the order of the files", "from_numpy, random_shuffle"


class Pass(NamedTuple):
    """A function that reads a pass and returns how many images it read."""

    name: str
    order: str
    read: Callable[[], int]


def main() -> None:
    """Measure and print."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--data-dir", required=True, help="the folder with the four .gz files")
    parser.add_argument("--rounds", type=int, default=7)
    options = parser.parse_args()
    ray.init(num_cpus=2, include_dashboard=False, log_to_driver=False, logging_level=logging.ERROR)
    ray.data.DataContext.get_current().enable_progress_bars = False
    logging.getLogger("ray.data").setLevel(logging.ERROR)
    with tempfile.TemporaryDirectory() as folder:
        place = Place("fashion-mnist", options.data_dir, folder)
        contenders.Ray(place).prepare()
        contenders.Parquet(place).prepare()
        report(measure([*passes(place), *parts(place)], options.rounds))


def passes(place: Place) -> Iterator[Pass]:
    """All readers; their datasets are opened here."""
    for dtype in ("uint8", "float32"):
        yield from both_orders(f'get_dataset(framework="ray"), {dtype}', contenders.Ray, place, dtype)
        yield from both_orders(f"the same with batch_size=128, {dtype}", contenders.Batches, place, dtype)
        yield Pass(f'get_loader(framework="ray"), {dtype}', SHUFFLED, a_pass(contenders.Loader(place), dtype))
    yield from both_orders(PEER, contenders.FromNumpy, place, "uint8")
    yield Pass("from_numpy, local_shuffle_buffer_size", SHUFFLED, a_pass(contenders.LocalShuffle(place), "uint8"))
    yield from both_orders("read_parquet, random_shuffle", contenders.Parquet, place, "uint8")


def both_orders(name: str, reader: type[contenders.OnRay], place: Place, dtype: str) -> Iterator[Pass]:
    """The same reader, shuffled and in the order of the files."""
    yield Pass(name, SHUFFLED, a_pass(reader(place), dtype))
    yield Pass(name, IN_ORDER, a_pass(reader(place, shuffle=False), dtype))


def parts(place: Place) -> Iterator[Pass]:
    """What a pass consists of: an execution that reads nearly nothing, and reading blocks that are in memory."""
    two = ray.data.range(2, override_num_blocks=1)
    yield Pass("an execution that reads two numbers", "", lambda: sum(1 for _ in two.iter_rows()))
    for name, reader in {"iter_batches": contenders.Ray, "iter_rows, a row is a batch": contenders.Batches}.items():
        made = reader(place, shuffle=False)
        opened = made.open("uint8")
        if reader is contenders.Batches:
            kept: Any = {BATCH: made.get(batch_size=BATCH, cache_dir=place.folder("cache")).materialize()}
        else:
            kept = opened.materialize()
        yield Pass(f"{name} over blocks in memory", "", a_pass(made, "uint8", kept))


def a_pass(reader: Any, dtype: str, opened: Any = None) -> Callable[[], int]:
    """A function that reads a pass over a dataset, which is opened here unless it is given."""
    dataset = reader.open(dtype) if opened is None else opened
    return lambda: int(reader.read(dataset, BATCH, dtype).images)


def measure(readers: list[Pass], rounds: int) -> dict[tuple[str, str], tuple[int, float]]:
    """How much each reader read in a pass, and the median of the seconds, after a round that is not counted."""
    seconds: dict[tuple[str, str], list[float]] = {}
    counts: dict[tuple[str, str], int] = {}
    for _ in range(rounds + 1):
        for name, order, read in readers:
            start = time.perf_counter()
            counts[name, order] = read()
            seconds.setdefault((name, order), []).append(time.perf_counter() - start)
    return {key: (counts[key], statistics.median(found[1:])) for key, found in seconds.items()}


def report(measured: dict[tuple[str, str], tuple[int, float]]) -> None:
    """A table of images/s, each with its ratio to from_numpy, and the milliseconds of the parts of a pass."""
    print(f"| images/s | {SHUFFLED} | ratio | {IN_ORDER} | ratio |\n| --- | --- | --- | --- | --- |")
    rates = {key: count / seconds for key, (count, seconds) in measured.items()}
    for name in dict.fromkeys(name for name, order in measured if order):
        cells = []
        for order in (SHUFFLED, IN_ORDER):
            found = rates.get((name, order))
            cells += ["", ""] if found is None else [f"{found:,.0f}", f"{found / rates[PEER, order]:.2f}"]
        print(f"| {name} | {' | '.join(cells)} |")
    for (name, order), (_, seconds) in measured.items():
        if not order:
            print(f"{name}: {seconds * 1e3:.0f} ms")


if __name__ == "__main__":
    main()
