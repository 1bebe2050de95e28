"""The goals, as data, and whether they are met."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, replace
from typing import Any

from idxhub_bench.load.rows import BOTH, FLOOR, IN_GRAPH, RAY


@dataclass(frozen=True)
class Key:
    """One figure of one row, under one setting."""

    row: str
    figure: str
    dtype: str | None = None
    size: int | None = None
    workers: int | None = None


@dataclass(frozen=True)
class Goal:
    """Ours should be `at_least` or `at_most` so many times theirs; None for theirs is the size of the data.

    `short` is the title in the README's table, which has only goals with one. `why` is the reason that a profile has
    shown, which a report gives if the goal is missed.
    """

    title: str
    ours: Key
    theirs: Key | None
    at_least: float | None = None
    at_most: float | None = None
    short: str = ""
    why: str = ""

    @property
    def text(self) -> str:
        """The goal as a relation."""
        return f"≥ {self.at_least:g}" if self.at_least is not None else f"≤ {self.at_most:.3g}"

    def verdict(self, ratio: float | None, spread: tuple[float, float] | None = None) -> str:
        """Whether `ratio`, ours / theirs, meets the goal, and whether every ratio in `spread` does or does not."""
        if ratio is None:
            return "not measured"
        wanted = self.at_least if self.at_least is not None else self.at_most
        assert wanted is not None  # noqa: S101 -- a goal has one of the two
        met = (ratio >= wanted) if self.at_least is not None else (ratio <= wanted)
        verdict = "met" if met else f"missed by {abs(ratio / wanted - 1):.0%}"
        return verdict if spread is None or not spread[0] < wanted < spread[1] else f"{verdict}, within the spread"


_NUMPY, _PLAIN, _TORCHVISION = "idxhub numpy", "idxhub torch DataLoader", "torchvision"
_PNG, _PARQUET, _KERAS = "idxhub huggingface png", "load_dataset Parquet", "keras, batch then map"
_TF_DATA, _TENSORS, _ARRAY = "idxhub tensorflow tf.data", "TensorDataset", "idxhub huggingface array"
_RAY = "idxhub ray batch_size"
_TF_LOOP, _KERAS_LOOP = f"{_TF_DATA}{IN_GRAPH}", f"{_KERAS}{IN_GRAPH}"

# what limits them: microseconds for a batch of 128, the best of several passes, by tests/benchmarks/steps.py
_WHY_FLOAT32 = """\
Where nothing reads the batch, a step of a DataLoader over idxhub's dataset takes 83 µs: 19 are a DataLoader's own, \
7 the gather, 34 the division by 255, which TensorDataset has done beforehand, in four times the memory; the rest are \
PyTorch's calls for indices, labels and collation. Where every byte is read, as here, steps take longer by more than \
the reading, and these figures do not show by what."""
_WHY_COLD = """\
Most of the difference is fsync, which waits for the disk and for what other programs have written to it: the line \
below is the same without fsync. Keras does not force its files onto the disk."""
_WHY_TORCH = """\
Where nothing reads the batch, a step of NumPy's gather takes 9 µs, and one of `get_loader` 15 for NumPy and 17 for \
PyTorch. To be read by NumPy's code, as here, a tensor becomes an array again: both conversions together take 5 µs."""
_WHY_TF_DATA = """\
A step of TensorFlow's own iterator over one ready batch that it repeats takes {nothing} µs, a step of idxhub's \
pipeline {ours}, of the usual idiom {usual}, all without reading the batch: a pipeline that did nothing at all was \
{most} times as fast as the usual one. `get_loader` does not use that iterator."""
_WHY_TF_LOOP = """\
With every byte read inside one `tf.function`, a step over one ready batch that is repeated takes {nothing} µs, a step \
of idxhub's pipeline {ours}, of the usual idiom {usual}. To be four times as fast, a step would have to take {goal} \
µs."""
_WHY_RAY = """\
Three of the seven passes took 0.24 s, and the others 0.11 s: sometimes the system takes 0.1 s longer to provide the \
memory of Ray's object store. In `tools/bench_ray.py`, where a process reads many passes, the median is 89 ms, 675 \
thousand images/s. Of that, Ray 2.60 needs 39 ms for an execution that reads two numbers, and 23 ms for the batches; \
the rest is gathering and copying into the object store."""
_WHY_RAY_FLOAT32 = """\
An image has four times the bytes, and each of them is written twice: when it is scaled, and into Ray's object store."""
_WHY_IMPORT = """\
At best, importing NumPy takes 65 ms, and idxhub 23 ms more. Of these, pathlib takes 4.0, pluggy 2.4, and json 1.4; \
most of the rest are idxhub's own modules. The shortest of seven processes took 122 ms with idxhub, and 89 ms with \
NumPy alone."""
_WHY_TF_UINT8 = _WHY_TF_DATA.format(nothing=116, ours=179, usual=400, most=3.4)
_WHY_TF_FLOAT32 = _WHY_TF_DATA.format(nothing=127, ours=187, usual=526, most=4.1)
_WHY_TF_LOOPS = {
    "uint8": _WHY_TF_LOOP.format(nothing=144, ours=181, usual=454, goal=114),
    "float32": _WHY_TF_LOOP.format(nothing=127, ours=205, usual=468, goal=117),
}


def _rates(title: str, ours: str, theirs: str, dtype: str, at_least: float, **texts: Any) -> Goal:
    """Images per second in batches of 128, without workers."""
    mine, other = (Key(row, "rate", dtype, 128, 0) for row in (ours, theirs))
    return Goal(title, mine, other, at_least=at_least, **texts)


def _of_the_floor(framework: str, least: float) -> Iterator[Goal]:
    """The rates of `get_loader` against NumPy's gather alone."""
    for dtype in BOTH:
        title = f"{framework} get_loader vs the floor, {dtype}"
        short = f"`get_loader`, {framework}, vs NumPy's gather alone" if dtype == "uint8" else ""
        why = _WHY_TORCH if (framework, dtype) == ("torch", "uint8") else ""
        yield _rates(title, f"idxhub {framework} get_loader", FLOOR, dtype, least, short=short, why=why)


def _opening(title: str, figure: str, ours: str, theirs: str, at_most: float, **texts: Any) -> Goal:
    """Seconds of one figure."""
    return Goal(title, Key(ours, figure), Key(theirs, figure), at_most=at_most, **texts)


_FLOAT32_TORCHVISION = "PyTorch `DataLoader`, float32, vs torchvision"
_UINT8_TENSORS = "PyTorch `DataLoader`, uint8, vs `TensorDataset`"
_UINT8_ARRAY = 'Hugging Face `image="array"` vs `load_dataset` on Parquet'
_RAY_SHORT = "Ray, shuffled, vs `from_numpy` and `random_shuffle`"
_RAY_IN_ORDER = Key(_RAY, "rate, in order", "uint8", 128, 0)
_WARM_TORCH, _WARM_NUMPY = "open, warm, PyTorch, vs torchvision", "open, warm, NumPy, vs Keras' `load_data`"
_COLD = "open, cold, NumPy, vs Keras' `load_data`"

GOALS = (
    _rates("plain DataLoader vs torchvision, float32", _PLAIN, _TORCHVISION, "float32", 40, short=_FLOAT32_TORCHVISION),
    _rates("plain DataLoader vs TensorDataset, uint8", _PLAIN, _TENSORS, "uint8", 5, short=_UINT8_TENSORS),
    _rates("plain DataLoader vs TensorDataset, float32", _PLAIN, _TENSORS, "float32", 5, why=_WHY_FLOAT32),
    *(
        goal
        for framework, least in {"numpy": 0.8, "torch": 0.8, "tensorflow": 0.35, "jax": 0.3}.items()
        for goal in _of_the_floor(framework, least)
    ),
    _rates("tf.data in batches vs the usual idiom, uint8", _TF_DATA, _KERAS, "uint8", 4, why=_WHY_TF_UINT8),
    _rates(
        "tf.data in batches vs the usual idiom, float32",
        _TF_DATA,
        _KERAS,
        "float32",
        4,
        short="TensorFlow `tf.data`, float32, vs `from_tensor_slices`",
        why=_WHY_TF_FLOAT32,
    ),
    *(
        _rates(
            f"tf.data in batches vs the usual idiom, in a tf.function, {dtype}",
            _TF_LOOP,
            _KERAS_LOOP,
            dtype,
            4,
            why=why,
        )
        for dtype, why in _WHY_TF_LOOPS.items()
    ),
    _rates("Hugging Face PNG pictures, the default, vs its Image path", _PNG, _PARQUET, "uint8", 20),
    _rates("Hugging Face array vs its Image path", _ARRAY, _PARQUET, "uint8", 20, short=_UINT8_ARRAY),
    _rates("Hugging Face get_loader vs its Image path", "idxhub huggingface get_loader", _PARQUET, "uint8", 20),
    Goal("Hugging Face PNG build vs the PIL loop", Key(_PNG, "build"), Key(_PARQUET, "build"), at_least=10),
    _rates("Ray, shuffled, vs from_numpy and random_shuffle", _RAY, RAY, "uint8", 10, short=_RAY_SHORT, why=_WHY_RAY),
    Goal("Ray, order of the files, vs from_numpy", _RAY_IN_ORDER, replace(_RAY_IN_ORDER, row=RAY), at_least=1),
    Goal(
        "Ray, float32 vs uint8",
        Key(_RAY, "rate", "float32", 128, 0),
        Key(_RAY, "rate", "uint8", 128, 0),
        at_least=0.5,
        why=_WHY_RAY_FLOAT32,
    ),
    _opening(
        "warm open vs torchvision's construction, first call", "warm", _PLAIN, _TORCHVISION, 1 / 5, short=_WARM_TORCH
    ),
    _opening("warm open vs torchvision's construction, a later call", "warm, later", _PLAIN, _TORCHVISION, 1 / 5),
    _opening("warm open vs keras' load_data, first call", "warm", _NUMPY, _KERAS, 1 / 15, short=_WARM_NUMPY),
    _opening("warm open vs keras' load_data, a later call", "warm, later", _NUMPY, _KERAS, 1 / 15),
    _opening("cold open vs keras' load_data", "cold", _NUMPY, _KERAS, 1.3, short=_COLD, why=_WHY_COLD),
    Goal(
        "cold open vs keras' load_data, without our fsync",
        Key(_NUMPY, "cold, no fsync"),
        Key(_KERAS, "cold"),
        at_most=1.0,
    ),
    _opening("`import idxhub` vs `import numpy`, whole process", "import", _NUMPY, FLOOR, 1.3, why=_WHY_IMPORT),
    Goal("memory added by a warm open vs the data", Key(_NUMPY, "opened"), None, at_most=1 / 4),
    Goal("memory added by a warm open, at its peak, vs the data", Key(_NUMPY, "opening"), None, at_most=1 / 4),
    Goal(
        "memory of 8 workers together vs the data",
        Key(_PLAIN, "pss", "uint8", 128, 8),
        None,
        at_most=1.2,
        short="memory of 8 DataLoader workers vs the data",
    ),
)
