"""The goals, as data, and whether they are met."""

from __future__ import annotations

from dataclasses import dataclass

from idxhub_bench.load.rows import FLOOR


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
    """How ours should stand to theirs: `at_least` or `at_most` so many times. None for theirs is the data's own size.

    `short` is the line's title in the README's table; without one it is not there. `why` is what a profile shows to
    limit it; a report says it where the goal is missed.
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
        """In words, of ours / theirs, None if one of the two was not measured, and of the range that it may be in."""
        if ratio is None:
            return "not measured"
        wanted = self.at_least if self.at_least is not None else self.at_most
        assert wanted is not None  # noqa: S101 -- a goal has one of the two
        met = (ratio >= wanted) if self.at_least is not None else (ratio <= wanted)
        verdict = "met" if met else f"missed by {abs(ratio / wanted - 1):.0%}".replace("%", " %")
        return verdict if spread is None or not spread[0] < wanted < spread[1] else f"{verdict}, within the spread"


def _rate(row: str, dtype: str, workers: int = 0) -> Key:
    return Key(row, "rate", dtype, 128, workers)


_NUMPY, _PLAIN, _LOADER = "idxhub numpy", "idxhub torch DataLoader", "idxhub {} get_loader"
_PNG, _PARQUET, _KERAS = "idxhub huggingface png", "load_dataset Parquet", "keras, batch then map"
_OF_THE_FLOOR = {"numpy": 0.8, "torch": 0.8, "tensorflow": 0.35, "jax": 0.3}

# what limits them: microseconds for a batch of 128, the best of several passes, by tests/benchmarks/steps.py
_WHY_FLOAT32 = """\
Where nothing reads the batch, a step of a DataLoader over idxhub's dataset takes 119 µs: 24 are a DataLoader's own, \
14 the gather, 28 the division by 255, which TensorDataset has done beforehand, in four times the memory; the rest are \
PyTorch's calls for indices, labels and collation. Where every byte is read, as here, steps take longer by more than \
the reading, and these figures do not explain by what."""
_WHY_COLD = """\
Of the difference the greater part is fsync, which waits for the disk and for what others have written to it: the line \
below is the same without. Keras forces nothing onto the disk."""
_WHY_TF_DATA = """\
A step of TensorFlow's own iterator over one ready batch that it repeats takes {nothing} µs, a step of idxhub's \
pipeline {ours}, of the usual idiom {usual}, all without reading the batch: on that day a pipeline that did nothing at \
all was {most} times as fast as the usual one. `get_loader` goes without that iterator."""
_WHY_TF_UINT8 = _WHY_TF_DATA.format(nothing=223, ours=278, usual=484, most=2.2)
_WHY_TF_FLOAT32 = _WHY_TF_DATA.format(nothing=208, ours=318, usual=767, most=3.7)

GOALS = (
    Goal(
        "plain DataLoader vs torchvision, float32",
        _rate(_PLAIN, "float32"),
        _rate("torchvision", "float32"),
        at_least=40,
        short="PyTorch `DataLoader`, float32, vs torchvision",
    ),
    Goal(
        "plain DataLoader vs TensorDataset, uint8",
        _rate(_PLAIN, "uint8"),
        _rate("TensorDataset", "uint8"),
        at_least=5,
        short="PyTorch `DataLoader`, uint8, vs `TensorDataset`",
    ),
    Goal(
        "plain DataLoader vs TensorDataset, float32",
        _rate(_PLAIN, "float32"),
        _rate("TensorDataset", "float32"),
        at_least=5,
        why=_WHY_FLOAT32,
    ),
    *(
        Goal(
            f"{framework} get_loader vs the floor, {dtype}",
            _rate(_LOADER.format(framework), dtype),
            _rate(FLOOR, dtype),
            at_least=least,
            short=f"`get_loader`, {framework}, vs NumPy's gather alone" * (dtype == "uint8"),
        )
        for framework, least in _OF_THE_FLOOR.items()
        for dtype in ("uint8", "float32")
    ),
    Goal(
        "tf.data in batches vs the usual idiom, uint8",
        _rate("idxhub tensorflow tf.data", "uint8"),
        _rate(_KERAS, "uint8"),
        at_least=4,
        why=_WHY_TF_UINT8,
    ),
    Goal(
        "tf.data in batches vs the usual idiom, float32",
        _rate("idxhub tensorflow tf.data", "float32"),
        _rate(_KERAS, "float32"),
        at_least=4,
        why=_WHY_TF_FLOAT32,
        short="TensorFlow `tf.data`, float32, vs `from_tensor_slices`",
    ),
    Goal(
        "Hugging Face array vs its Image path",
        _rate("idxhub huggingface array", "uint8"),
        _rate(_PARQUET, "uint8"),
        at_least=20,
        short='Hugging Face `image="array"` vs `load_dataset` on Parquet',
    ),
    Goal(
        "Hugging Face get_loader vs its Image path",
        _rate("idxhub huggingface get_loader", "uint8"),
        _rate(_PARQUET, "uint8"),
        at_least=20,
    ),
    Goal("Hugging Face PNG build vs the PIL loop", Key(_PNG, "build"), Key(_PARQUET, "build"), at_least=10),
    Goal(
        "warm open vs torchvision's construction, first call",
        Key(_PLAIN, "warm"),
        Key("torchvision", "warm"),
        at_most=1 / 5,
        short="open, warm, PyTorch, vs torchvision",
    ),
    Goal(
        "warm open vs torchvision's construction, a later call",
        Key(_PLAIN, "warm, later"),
        Key("torchvision", "warm, later"),
        at_most=1 / 5,
    ),
    Goal(
        "warm open vs keras' load_data, first call",
        Key(_NUMPY, "warm"),
        Key(_KERAS, "warm"),
        at_most=1 / 15,
        short="open, warm, NumPy, vs Keras' `load_data`",
    ),
    Goal(
        "warm open vs keras' load_data, a later call",
        Key(_NUMPY, "warm, later"),
        Key(_KERAS, "warm, later"),
        at_most=1 / 15,
    ),
    Goal(
        "cold open vs keras' load_data",
        Key(_NUMPY, "cold"),
        Key(_KERAS, "cold"),
        at_most=1.2,
        short="open, cold, NumPy, vs Keras' `load_data`",
        why=_WHY_COLD,
    ),
    Goal(
        "cold open vs keras' load_data, without our fsync",
        Key(_NUMPY, "cold, no fsync"),
        Key(_KERAS, "cold"),
        at_most=1.2,
    ),
    Goal("`import idxhub` vs `import numpy`, whole process", Key(_NUMPY, "import"), Key(FLOOR, "import"), at_most=1.3),
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
