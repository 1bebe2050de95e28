"""The traps of measuring loaders, each with a reader that falls into it on purpose and is caught."""

from __future__ import annotations

import itertools
import pickle
import threading
import time
from pathlib import Path
from typing import Any

import numpy as np
import pytest

import idxhub
from idxhub_bench.load import child
from idxhub_bench.load.contenders.numpy import Floor
from idxhub_bench.load.judge import CheatError, Truth, check
from idxhub_bench.load.places import Place

SAMPLE = Path(idxhub.Plugins([]).dataset("fashion-mnist-sample").folders[0])
PLACE = Place("fashion-mnist-sample", str(SAMPLE), "")
TRUTH = Truth.read(SAMPLE)
SIZE = 96  # 2,000 images: 20 batches and one of 80


def judged(reader: Any, dtype: str, limit: int | None = None) -> None:
    dataset = reader.open(dtype)
    passes = [child.one_pass(reader, dataset, size=SIZE, dtype=dtype, limit=limit)[0] for _ in range(2)]
    check(passes[1], passes[0], TRUTH, dtype=dtype, size=SIZE, bounded=limit is not None)


@pytest.mark.parametrize("dtype", ["uint8", "float32"])
@pytest.mark.parametrize("limit", [None, 960])
def test_an_honest_reader_stands(dtype, limit):
    judged(Floor(PLACE), dtype, limit)


class Unread(Floor):
    """The same batch again and again: nothing is gathered after the first."""

    def batches(self, *asked: Any, **more: Any) -> Any:
        batches = super().batches(*asked, **more)
        first = next(batches)
        return itertools.chain([first], ((first[0][: len(y)], first[1][: len(y)]) for _, y in batches))


class OtherPixels(Floor):
    """One pixel of each image is another."""

    def open(self, dtype: str) -> Any:
        images, labels = super().open(dtype)
        images[:, 14, 14] ^= 4
        return images, labels


class OneOtherPixel(Floor):
    """One pixel of one image is another, at a place that no key has."""

    def open(self, dtype: str) -> Any:
        images, labels = super().open(dtype)
        images[7, 0, 0] ^= 1
        return images, labels


class OtherLabels(Floor):
    """Images in one order, labels in another."""

    def batches(self, *asked: Any, **more: Any) -> Any:
        return ((x, np.roll(y, 1)) for x, y in super().batches(*asked, **more))


class Unshuffled(Floor):
    """Slices: views of the arrays, which no gather has made."""

    def batches(self, dataset: Any, size: int, dtype: str, workers: int = 0) -> Any:
        images, labels = dataset
        scaled = images if dtype == "uint8" else images / np.float32(255)
        return ((scaled[i : i + size], labels[i : i + size]) for i in range(0, len(labels), size))


class ShuffledInBlocks(Floor):
    """Whole runs of the file, in random order, each shuffled within: what a buffer that is too small makes."""

    def batches(self, dataset: Any, size: int, dtype: str, workers: int = 0) -> Any:
        images, labels = dataset
        random = np.random.default_rng()
        blocks = np.arange(len(labels)).reshape(-1, 200)
        order = np.concatenate([random.permutation(block) for block in random.permutation(blocks)])
        scaled = images if dtype == "uint8" else images / np.float32(255)
        return ((scaled[order[i : i + size]], labels[order[i : i + size]]) for i in range(0, len(labels), size))


class SameOrder(Floor):
    """One permutation for all epochs: gathered once, kept, and sliced ever after."""

    def batches(self, dataset: Any, size: int, dtype: str, workers: int = 0) -> Any:
        if not hasattr(self, "kept"):
            self.kept = list(super().batches(dataset, size, dtype))
        return iter(self.kept)


class DropsTheRest(Floor):
    """No short batch at the end."""

    def batches(self, *asked: Any, **more: Any) -> Any:
        return (batch for batch in super().batches(*asked, **more) if len(batch[1]) == SIZE)


class OtherSizes(Floor):
    """Twice as many images in a batch, half as many batches."""

    def batches(self, dataset: Any, size: int, dtype: str, workers: int = 0) -> Any:
        return super().batches(dataset, 2 * size, dtype)


class OtherDtype(Floor):
    """uint8 where float32 was asked for, and float64 where uint8 was."""

    def batches(self, dataset: Any, size: int, dtype: str, workers: int = 0) -> Any:
        batches = super().batches(dataset, size, "uint8")
        return batches if dtype == "float32" else ((x.astype(np.float64), y) for x, y in batches)


class OtherScale(Floor):
    """pixel/256, by which one may shift instead of dividing."""

    def batches(self, dataset: Any, size: int, dtype: str, workers: int = 0) -> Any:
        return ((x * np.float32(255 / 256), y) for x, y in super().batches(dataset, size, dtype))


class Centred(Floor):
    """From -1 to 1."""

    def batches(self, dataset: Any, size: int, dtype: str, workers: int = 0) -> Any:
        return ((x * np.float32(2) - np.float32(1), y) for x, y in super().batches(dataset, size, dtype))


BOTH, FLOAT = ("uint8", "float32"), ("float32",)
CHEATS = [
    (Unread, BOTH, "read more than once|not in the files|not each of the files'"),
    (OtherPixels, BOTH, "not in the files|its pixels are not those"),
    (OneOtherPixel, ("uint8",), "its pixels are not those"),
    (OtherLabels, BOTH, "not with this label"),
    (Unshuffled, BOTH, "not shuffled|the same order"),
    (ShuffledInBlocks, BOTH, "not shuffled"),
    (SameOrder, BOTH, "two passes have the same order"),
    (DropsTheRest, BOTH, "an epoch is 2000 in 21, the last of 80"),
    (OtherSizes, BOTH, "an epoch is 2000 in 21"),
    (OtherDtype, BOTH, "its images are"),
    (OtherScale, FLOAT, "not in the files"),
    (Centred, FLOAT, "not in the files"),
]


@pytest.mark.parametrize(
    ("reader", "dtype", "said"), [(reader, dtype, said) for reader, dtypes, said in CHEATS for dtype in dtypes]
)
def test_a_reader_that_cheats_is_caught(reader, dtype, said):
    with pytest.raises(CheatError, match=said):
        judged(reader(PLACE), dtype)


@pytest.mark.parametrize(
    "reader", [Unread, OtherPixels, OtherLabels, Unshuffled, ShuffledInBlocks, SameOrder, OtherSizes]
)
@pytest.mark.parametrize("dtype", BOTH)
def test_a_reader_that_cheats_over_a_part_of_an_epoch_is_caught(reader, dtype):
    with pytest.raises(CheatError):
        judged(reader(PLACE), dtype, limit=960)


class InOrder(Unshuffled):
    """An honest reader in the order of the files, which gathers a copy of each batch."""

    def batches(self, *asked: Any, **more: Any) -> Any:
        return ((x.copy(), y.copy()) for x, y in super().batches(*asked, **more))


@pytest.mark.parametrize("dtype", BOTH)
def test_an_epoch_in_the_order_of_the_files_is_told_from_a_shuffled_one(dtype):
    for reader, said in ((InOrder(PLACE), None), (Floor(PLACE), "are not where the files have them")):
        dataset = reader.open(dtype)
        seen, before = (child.one_pass(reader, dataset, size=SIZE, dtype=dtype)[0] for _ in range(2))
        asked = {"dtype": dtype, "size": SIZE, "bounded": False, "in_order": True}
        if said is None:
            check(seen, before, TRUTH, **asked)
        else:
            with pytest.raises(CheatError, match=said):
                check(seen, before, TRUTH, **asked)


class Later(Floor):
    """Answers at once and computes afterwards, as a device does: who does not wait measures nothing."""

    DELAY = 0.01  # seconds a batch

    def batches(self, *asked: Any, **more: Any) -> Any:
        return ((Pending(x, self.DELAY), y) for x, y in super().batches(*asked, **more))


class Pending:
    """An array that a thread is still at."""

    def __init__(self, array: Any, delay: float) -> None:
        self.array = array
        self.thread = threading.Thread(target=time.sleep, args=(delay,))
        self.thread.start()

    def __len__(self) -> int:
        return len(self.array)

    def __array__(self, dtype: Any = None, copy: Any = None) -> Any:
        self.thread.join()
        return self.array


def test_what_a_device_does_later_is_within_the_time():
    reader = Later(PLACE)
    seen, seconds, _ = child.one_pass(reader, reader.open("uint8"), size=SIZE, dtype="uint8")
    assert seconds >= Later.DELAY * len(seen.sizes)


class Compiles(Floor):
    """What it does in its first pass it does not do again."""

    DELAY = 0.3

    def batches(self, *asked: Any, **more: Any) -> Any:
        if not hasattr(self, "compiled"):
            time.sleep(self.DELAY)
            self.compiled = True
        return super().batches(*asked, **more)


def test_compiling_is_not_in_the_rate_and_is_told(tmp_path):
    reader = Compiles(PLACE)
    answer = child.epochs(reader, dtypes=["uint8"], sizes=[SIZE], limit=None, workers=0, file=str(tmp_path / "seen"))
    rate, cpu = answer["readings"]
    assert rate["figure"] == "rate"
    assert 2000 / rate["value"] < Compiles.DELAY / 2
    assert rate["warm-up"] >= Compiles.DELAY
    assert cpu["figure"] == "cpu"
    assert 0 < cpu["value"] * 2000 < 1
    with (tmp_path / "seen").open("rb") as file:
        ((dtype, size, seen, before, in_order),) = pickle.load(file)  # noqa: S301 -- written two lines above
    check(seen, before, TRUTH, dtype=dtype, size=size, bounded=False, in_order=in_order)
