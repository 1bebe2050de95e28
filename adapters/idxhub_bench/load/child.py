"""A measured process of `idxhub bench load`: `python -m idxhub_bench.load.child QUESTION FILE`.

The framework is imported first, before the clock starts. The answer has `readings`, each a figure and its value, and
the number of threads. What was read from the batches goes into a file, for the judge.
"""

from __future__ import annotations

import gc
import os
import pickle
import tempfile
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

from idxhub_bench import machine, processes
from idxhub_bench.load import contenders, memory
from idxhub_bench.load.contenders.base import Contender
from idxhub_bench.load.places import Place
from idxhub_bench.load.touch import PassRecord

_LATER = 5  # which call stands for the later ones
_LATER_SECONDS = 0.5  # once the later calls have taken so long, no more are made
_FEW_BATCHES, _LONG_EPOCH = 20, 0.3  # seconds
_SMALL_BATCH = 16  # so that even a small dataset gives batches to every worker


def main() -> None:
    """Do what the first argument asks for, and write the answer."""
    question = processes.question()
    if question["measure"] == "versions":
        answer: dict[str, Any] = {"versions": machine.versions(question["packages"])}
    else:
        reader = contenders.make(question["reader"], Place.from_json(question["place"]))
        answer = MEASURES[question["measure"]](reader, **question["arguments"])
        answer["threads"] = reader.threads()
    processes.answer(answer)


def prepare(reader: Contender) -> dict[str, Any]:
    """Make the files that the reader needs; nothing is measured."""
    reader.prepare()
    return {}


def warm(reader: Contender, dtype: str, size: int) -> dict[str, Any]:
    """Time the first opening in the process, the first batch, and a later opening."""
    start = time.perf_counter()
    dataset = reader.open(dtype)
    opened = time.perf_counter() - start
    batches = reader.batches(dataset, size, dtype)
    PassRecord().read(*reader.arrays(next(batches)))
    first = time.perf_counter() - start
    later, spent = opened, 0.0
    for _ in range(_LATER - 1):
        start = time.perf_counter()
        dataset = reader.open(dtype)
        later = time.perf_counter() - start
        spent += later
        if spent > _LATER_SECONDS:
            break
    readings = _readings({"warm": opened, "first batch": first, "warm, later": later})
    return {"readings": readings, "sums": reader.sums(dataset), "split": "train"}


def cold(reader: Contender, *, fsync: bool = True) -> dict[str, Any]:
    """Time the opening of train and test from the .gz files; without `fsync` no file is forced onto the disk."""
    spent = 0.0

    def timed(descriptor: int, call: Callable[[int], None] = os.fsync) -> None:
        nonlocal spent
        start = time.perf_counter()
        call(descriptor)
        spent += time.perf_counter() - start

    os.fsync = timed if fsync else lambda _: None  # type: ignore[assignment]  # called with descriptors alone
    with tempfile.TemporaryDirectory(ignore_cleanup_errors=os.name == "nt") as folder:  # Windows keeps mapped files
        start = time.perf_counter()
        splits = reader.cold(folder)
        value = time.perf_counter() - start
        readings = _readings({"cold" if fsync else "cold, no fsync": value}, fsync=spent)
        return {"readings": readings, "sums": reader.sums(*splits), "split": "all"}


def epochs(reader: Contender, *, file: str, in_order: bool = False, **asked: Any) -> dict[str, Any]:
    """Time a pass for each dtype and batch size: a whole epoch, or the first `limit` images.

    The time includes the permutation, the start of workers, and reading every byte of every batch. Each pass comes
    after another one that warms up. If `in_order`, passes in the order of the files are timed too.
    """
    readings, passes = _time_passes(reader, **asked)
    judged = [(*each, False) for each in passes]
    if in_order:
        more, passes = _time_passes(reader.in_order(), **asked)
        readings += [each | {"figure": "rate, in order"} for each in more if each["figure"] == "rate"]
        judged += [(*each, True) for each in passes]
    Path(file).write_bytes(pickle.dumps(judged))
    return {"readings": readings}


def _time_passes(
    reader: Contender, *, dtypes: list[str], sizes: list[int], limit: int | None, workers: int
) -> tuple[list[dict[str, Any]], list[tuple[Any, ...]]]:
    """The readings, and for each pass its dtype and size, what was read, and what the pass before it read."""
    readings, passes = [], []
    for dtype in dtypes:
        dataset = reader.open(dtype)
        slow = bool(workers)
        for size in sizes:
            setting: dict[str, Any] = {"size": size, "dtype": dtype, "workers": workers}
            # if an epoch takes long, or starts its workers anew, some batches are enough to warm up
            warming = size * _FEW_BATCHES if slow else limit
            before, warm_up, _ = one_pass(reader, dataset, **setting, limit=warming)
            seen, seconds, cpu = one_pass(reader, dataset, **setting, limit=limit)
            slow = slow or (seconds > _LONG_EPOCH and not reader.compiles)
            values = {"rate": seen.images / seconds, "cpu": cpu / seen.images}  # cpu: seconds for each image
            readings += _readings(values, **setting, images=seen.images, **{"warm-up": warm_up})
            passes.append((dtype, size, seen, before))
    return readings, passes


def one_pass(
    reader: Contender, dataset: Any, *, size: int, dtype: str, workers: int = 0, limit: int | None = None
) -> tuple[PassRecord, float, float]:
    """What was read, the seconds it took, and the processor seconds of this process and its descendants."""
    clock, start = memory.Clock(), time.perf_counter()
    seen = reader.read(dataset, size, dtype, workers, limit)
    seconds = time.perf_counter() - start
    return seen, seconds, clock.seconds()


def together(
    reader: Contender, dtype: str, size: int, *, limit: int | None, workers: int, compared: bool
) -> dict[str, Any]:
    """Measure the memory that a dataset takes, after a small one has been read in the same way.

    Without workers: the resident memory that opening adds, afterwards (`opened`) and at its peak (`opening`), and the
    peak of opening and an epoch. If `compared`, also the memory of this process and its workers together (`pss`): the
    peak in an epoch, minus the same over the small dataset. A page that n processes share counts 1/n in each of them,
    as in the kernel's PSS. Imported objects are kept from Python's collector: it would write into their pages in each
    worker, sooner or later, and the kernel would copy tens of megabytes that have nothing to do with the data.
    """
    gc.freeze()
    base = _pss_of_small(reader, dtype, size, workers)
    memory.forget_peak()
    before = memory.status("VmRSS")
    dataset = reader.open(dtype)
    opened, opening = memory.status("VmRSS") - before, memory.status("VmHWM") - before
    highest, images = _pss_of_pass(reader, dataset, size=size, dtype=dtype, workers=workers, limit=limit)
    setting = {"dtype": dtype, "size": size, "images": images}
    readings: list[dict[str, Any]] = []
    if not workers:
        readings += _readings({"opened": opened, "opening": opening})
        readings += _readings({"peak": memory.status("VmHWM") - before}, **setting)
    if compared:
        readings += _readings({"pss": highest - base}, base=base, workers=workers, **setting)
    return {"readings": readings, "sums": reader.sums(dataset), "split": "train"}


def build(reader: Any, limit: int) -> dict[str, Any]:
    """Measure how many pictures are encoded in a second."""
    count, seconds = reader.build(limit)
    return {"readings": _readings({"build": count / seconds}, images=count)}


MEASURES: dict[str, Callable[..., dict[str, Any]]] = {
    each.__name__: each for each in (prepare, warm, cold, epochs, together, build)
}


def _readings(values: dict[str, float], **setting: Any) -> list[dict[str, Any]]:
    return [{"figure": figure, "value": value, **setting} for figure, value in values.items()]


def _pss_of_small(reader: Contender, dtype: str, size: int, workers: int) -> int:
    """The PSS after a pass over a small dataset, which includes imported modules and pools of memory."""
    small = reader.small()
    if small is None:
        return memory.pss()
    size = min(size, _SMALL_BATCH)
    return _pss_of_pass(small, small.open(dtype), size=size, dtype=dtype, workers=workers)[0]


def _pss_of_pass(
    reader: Contender, dataset: Any, *, size: int, dtype: str, workers: int, limit: int | None = None
) -> tuple[int, int]:
    """The highest PSS in a pass, before its workers end, and the number of images."""
    images, highest = 0, 0
    for number, batch in enumerate(reader.batches(dataset, size, dtype, workers), 1):
        images += len(reader.arrays(batch)[1])
        if number % 8 == 0:
            highest = max(highest, memory.pss())
        if limit is not None and images + size > limit:
            break
    return highest, images


if __name__ == "__main__":
    main()
