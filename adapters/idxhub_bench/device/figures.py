"""What follows from passes over batches that are gathered on a device, and over batches that travel there."""

from __future__ import annotations

import statistics
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Any


@dataclass(frozen=True)
class Rates:
    """Medians in images/s. `share` is the part of a plain copy's speed that `resident` has, in bytes."""

    dtype: str
    size: int
    resident: float
    ordinary: float
    share: float

    @property
    def ratio(self) -> float:
        """On the device / travelling."""
        return self.resident / self.ordinary


def rates(answer: Mapping[str, Any]) -> Iterator[Rates]:
    """One for each dtype and batch size that a framework's readings have in both ways."""
    found: dict[tuple[str, int], dict[str, list[float]]] = {}
    for each in answer["readings"]:
        found.setdefault((each["dtype"], each["size"]), {}).setdefault(each["way"], []).append(each["value"])
    for (dtype, size), ways in found.items():
        if len(ways) == 2:
            resident, ordinary = (statistics.median(ways[way]) for way in ("resident", "ordinary"))
            share = resident * least_bytes(answer["pixels"], dtype) / answer["copy"]["bandwidth"]
            yield Rates(dtype, size, resident, ordinary, share)


def least_bytes(pixels: int, dtype: str) -> int:
    """What must be read of an image as stored, and written as asked for."""
    return pixels * (1 + (4 if dtype == "float32" else 1))
