"""A process in which one thing is measured: `python -m idxhub_bench.load.child JSON` prints one JSON line.

The framework is imported before anything else, and before the clock starts. It prints `readings`, each a figure and its
value, beside what the row's versions and threads are. What was read of the batches goes into a file, for the judge.
"""

from __future__ import annotations

import gc
import importlib.metadata
import itertools
import json
import os
import pickle
import sys
import tempfile
import time
from collections.abc import Callable, Iterator
from typing import Any

from idxhub_bench.load import contenders, memory
from idxhub_bench.load.contenders.base import Contender
from idxhub_bench.load.places import Place
from idxhub_bench.load.touch import Seen

LATER = 5  # which call stands for the later ones
_PATIENCE = 0.5  # seconds for those; who needs longer for one call is asked but once more
_FEW, _LONG = 20, 0.3  # batches; seconds
_SMALL_BATCH = 16  # so that many batches come of a small dataset, and every worker has made some


def main() -> None:
    """Do what the first argument asks for."""
    asked = json.loads(sys.argv[1])
    if asked["measure"] == "versions":
        answer = _versions(asked["packages"])
    else:
        reader = contenders.make(asked["reader"], Place.of(asked["place"]))
        answer = MEASURES[asked["measure"]](reader, **asked["arguments"])
        answer["threads"] = reader.threads()
    print(json.dumps(answer))  # noqa: T201 -- its answer


def prepare(reader: Contender) -> dict[str, Any]:
    """No figure: make the files that the reader wants."""
    reader.prepare()
    return {}


def warm(reader: Contender, dtype: str, size: int) -> dict[str, Any]:
    """The process's first opening, from what is kept, and a later one; the first batch that one gets."""
    start = time.perf_counter()
    dataset = reader.open(dtype)
    opened = time.perf_counter() - start
    seen = Seen()
    batches = reader.batches(dataset, size, dtype)
    seen.read(*reader.arrays(next(batches)))
    first = time.perf_counter() - start
    later, spent = opened, 0.0
    for _ in range(LATER - 1):
        start = time.perf_counter()
        dataset = reader.open(dtype)
        later = time.perf_counter() - start
        spent += later
        if spent > _PATIENCE:
            break
    readings = [{"figure": "warm", "value": opened}, {"figure": "first batch", "value": first}]
    readings.append({"figure": "warm, later", "value": later})
    return {"readings": readings, "sums": reader.sums(dataset), "split": "train"}


def cold(reader: Contender, *, fsync: bool = True) -> dict[str, Any]:
    """Train and test, from the .gz files, into an empty folder. Without `fsync` no file is forced onto the disk."""
    spent = [0.0]
    os.fsync = _timed(os.fsync, spent) if fsync else _nothing  # type: ignore[assignment]  # called with descriptors alone
    with tempfile.TemporaryDirectory() as folder:
        start = time.perf_counter()
        dataset = reader.cold(folder)
        value = time.perf_counter() - start
        figure = "cold" if fsync else "cold, no fsync"
        reading = {"figure": figure, "value": value, "fsync": spent[0]}
        return {"readings": [reading], "sums": reader.sums(dataset), "split": "all"}


def epochs(
    reader: Contender, *, dtypes: list[str], sizes: list[int], limit: int | None, workers: int, file: str
) -> dict[str, Any]:
    """A pass for each dtype and batch size, over the whole epoch or the first `limit` images, after one that warms up.

    The time has all of it: the permutation, the start of workers, the batches, reading every byte of each.
    """
    readings, passes = [], []
    for dtype in dtypes:
        dataset = reader.open(dtype)
        slow = bool(workers)
        for size in sizes:
            asked: dict[str, Any] = {"size": size, "dtype": dtype, "workers": workers}
            # where an epoch takes long, or workers are started anew for each, a few batches do once one has been read
            before, warming, _ = one_pass(reader, dataset, **asked, limit=size * _FEW if slow else limit)
            seen, seconds, cpu = one_pass(reader, dataset, **asked, limit=limit)
            slow = slow or (seconds > _LONG and not reader.compiles)
            common = asked | {"images": seen.images, "warm-up": warming}
            readings.append({"figure": "rate", "value": seen.images / seconds, **common})
            readings.append({"figure": "cpu", "value": cpu / seen.images, **common})  # seconds an image, here
            passes.append((dtype, size, seen, before))
    with open(file, "wb") as stream:
        pickle.dump(passes, stream)
    return {"readings": readings}


def one_pass(
    reader: Contender, dataset: Any, *, size: int, dtype: str, workers: int = 0, limit: int | None = None
) -> tuple[Seen, float, float]:
    """What was read, the seconds it took, and the seconds of all processors in this process and those below it."""
    seen = Seen()
    clock, start = memory.Clock(), time.perf_counter()
    batches: Iterator[Any] = reader.batches(dataset, size, dtype, workers)
    if limit is not None:
        batches = itertools.islice(batches, max(1, limit // size))
    for batch in batches:
        seen.read(*reader.arrays(batch))
    seconds = time.perf_counter() - start
    return seen, seconds, clock.seconds()


def together(
    reader: Contender, dtype: str, size: int, *, limit: int | None, workers: int, compared: bool
) -> dict[str, Any]:
    """Memory that a dataset takes, after the same has been done with a small one.

    Without workers: resident memory that opening adds, afterwards and at its highest, and what opening and an epoch add
    at their highest. If `compared`, also the memory of this process and its workers together, the most in an epoch,
    less what it was over the small dataset. A page that several of them share counts once, in parts (the kernel's PSS).
    What was imported is kept from Python's collector, which would write into it in each worker, sooner or later, so
    that the kernel copies it: tens of megabytes a worker that have nothing to do with the data.
    """
    gc.freeze()
    base = _small(reader, dtype, size, workers)
    memory.forget_peak()
    before = memory.status("VmRSS")
    dataset = reader.open(dtype)
    opened, opening = memory.status("VmRSS") - before, memory.status("VmHWM") - before
    highest, images = _pss_of_pass(reader, dataset, size=size, dtype=dtype, workers=workers, limit=limit)
    peak = memory.status("VmHWM") - before
    setting = {"dtype": dtype, "size": size, "images": images}
    readings: list[dict[str, Any]] = []
    if not workers:
        readings += [{"figure": "opened", "value": opened}, {"figure": "opening", "value": opening}]
        readings.append({"figure": "peak", "value": peak, **setting})
    if compared:
        readings.append({"figure": "pss", "value": highest - base, "base": base, "workers": workers, **setting})
    return {"readings": readings, "sums": reader.sums(dataset), "split": "train"}


def build(reader: Any, limit: int) -> dict[str, Any]:
    """Pictures encoded a second."""
    count, seconds = reader.build(limit)
    return {"readings": [{"figure": "build", "value": count / seconds, "images": count}]}


MEASURES: dict[str, Callable[..., dict[str, Any]]] = {
    each.__name__: each for each in (prepare, warm, cold, epochs, together, build)
}


def _small(reader: Contender, dtype: str, size: int, workers: int) -> int:
    """What a pass over a small dataset leaves behind, modules and pools of memory too; its PSS at the end."""
    small = reader.small()
    if small is None:
        return memory.pss()
    size = min(size, _SMALL_BATCH)
    return _pss_of_pass(small, small.open(dtype), size=size, dtype=dtype, workers=workers)[0]


def _pss_of_pass(
    reader: Contender, dataset: Any, *, size: int, dtype: str, workers: int, limit: int | None = None
) -> tuple[int, int]:
    """The highest on the way: at its end the workers are gone. Images, too."""
    images, highest = 0, 0
    for number, batch in enumerate(reader.batches(dataset, size, dtype, workers), 1):
        images += len(reader.arrays(batch)[1])
        if number % 8 == 0:
            highest = max(highest, memory.pss())
        if limit is not None and images + size > limit:
            break
    return highest, images


def _versions(packages: list[str]) -> dict[str, Any]:
    found = {}
    for package in packages:
        try:
            found[package] = importlib.metadata.version(package)
        except importlib.metadata.PackageNotFoundError:
            continue
    return {"versions": {"python": ".".join(map(str, sys.version_info[:3])), **found}}


def _timed(call: Callable[[int], None], spent: list[float]) -> Callable[[int], None]:
    def timed(descriptor: int) -> None:
        start = time.perf_counter()
        call(descriptor)
        spent[0] += time.perf_counter() - start

    return timed


def _nothing(descriptor: int) -> None:
    pass


if __name__ == "__main__":
    main()
