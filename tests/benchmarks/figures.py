"""What is measured against what: the figures, and the rows that put two of them beside each other."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, field
from typing import Any

SECONDS, BYTES, RATE = "s", "B", "images/s"


@dataclass(frozen=True)
class Figure:
    """One thing measured: a function of measures.py and its arguments, or an import statement.

    `needs` names the packages that the interpreter must have; the first of them that `--peer-python` names says
    which interpreter that is. `splits` are those whose pixels the measure must have seen.
    """

    name: str
    unit: str
    measure: str = ""
    arguments: dict[str, Any] = field(default_factory=dict)
    statement: str = ""
    needs: tuple[str, ...] = ("idxhub",)
    splits: tuple[str, ...] = ("train",)


@dataclass(frozen=True)
class Row:
    """Ours, theirs (a figure's name or a number), and how their ratio ours / theirs should be."""

    title: str
    ours: str
    theirs: str | float
    goal: float | None = None

    def is_met(self, ratio: float, unit: str) -> bool | None:
        """Whether the goal is met: a rate must reach it, time and memory must not exceed it."""
        if self.goal is None:
            return None
        return ratio >= self.goal if unit == RATE else ratio <= self.goal


def figures(dataset: str, data_dir: str, cache_dir: str, root: str) -> list[Figure]:
    """Everything that is measured. `cache_dir` is filled beforehand; `root` is a root of torchvision's."""
    cached = {"dataset": dataset, "cache_dir": cache_dir}
    cold = {"dataset": dataset, "data_dir": data_dir}
    both = ("train", "test")
    return [
        Figure("python", SECONDS, statement="pass", needs=()),
        Figure("import numpy", SECONDS, statement="import numpy", needs=("numpy",)),
        Figure("import idxhub", SECONDS, statement="import idxhub"),
        Figure("warm", SECONDS, "warm_open", cached | {"call": 1}),
        Figure("warm, later", SECONDS, "warm_open", cached | {"call": 5}),
        Figure("torchvision open", SECONDS, "torchvision_open", {"root": root, "call": 1}, needs=_TORCHVISION),
        Figure("torchvision open, later", SECONDS, "torchvision_open", {"root": root, "call": 5}, needs=_TORCHVISION),
        Figure("cold", SECONDS, "cold_open", cold | {"fsync": True}, splits=both),
        Figure("cold, no fsync", SECONDS, "cold_open", cold | {"fsync": False}, splits=both),
        Figure("keras open", SECONDS, "keras_open", needs=("keras",), splits=both),
        Figure("memory", BYTES, "memory", cached | {"peak": False}),
        Figure("peak memory", BYTES, "memory", cached | {"peak": True}),
        Figure("numpy gather", RATE, "numpy_epoch", cached),
        *_epochs(cached, root),
    ]


def rows(payload: int) -> list[Row]:
    """The comparisons. `payload` is the number of bytes of the train set's images and labels."""
    return [
        Row("`import idxhub` vs `import numpy`, whole process", "import idxhub", "import numpy", 1.3),
        Row("warm open vs torchvision's construction, first call", "warm", "torchvision open", 1 / 5),
        Row("the same, a later call", "warm, later", "torchvision open, later", 1 / 5),
        Row("cold open vs keras' load_data", "cold", "keras open", 1.2),
        Row("the same, without our fsync", "cold, no fsync", "keras open", 1.2),
        Row("memory added by a warm open vs the data", "memory", payload, 1 / 4),
        Row("its peak", "peak memory", payload, 1 / 4),
        Row("epoch, float32 vs torchvision", "idxhub float32 0", "torchvision float32 0", 40),
        Row("epoch, float32, 2 workers vs torchvision", "idxhub float32 2", "torchvision float32 2"),
        Row("epoch, uint8 vs TensorDataset", "idxhub uint8 0", "TensorDataset uint8 0", 5),
        Row("epoch, float32 vs TensorDataset", "idxhub float32 0", "TensorDataset float32 0", 5),
        Row("epoch, uint8, 2 workers vs TensorDataset", "idxhub uint8 2", "TensorDataset uint8 2"),
        Row("epoch, float32, 2 workers vs TensorDataset", "idxhub float32 2", "TensorDataset float32 2"),
        Row("epoch, uint8 vs the floor, NumPy's gather", "idxhub uint8 0", "numpy gather"),
    ]


_TORCHVISION = ("torchvision", "torch", "pillow")


def _epochs(cached: dict[str, Any], root: str) -> Iterator[Figure]:
    for workers in (0, 2):
        for dtype in ("uint8", "float32"):
            arguments = cached | {"dtype": dtype, "workers": workers}
            yield Figure(f"idxhub {dtype} {workers}", RATE, "idxhub_epoch", arguments, needs=("torch", "idxhub"))
            yield Figure(f"TensorDataset {dtype} {workers}", RATE, "tensor_epoch", arguments, needs=("torch", "idxhub"))
        yield Figure(
            f"torchvision float32 {workers}",
            RATE,
            "torchvision_epoch",
            {"root": root, "workers": workers},
            needs=_TORCHVISION,
        )
