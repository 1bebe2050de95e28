"""NumPy's conformance subject: batches are slices of the two arrays."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

from numpy.typing import NDArray

from idxhub import Arrays
from idxhub.conformance import Subject


def _batches(native: Arrays[NDArray[Any]], size: int) -> Iterator[tuple[Any, Any]]:
    for start in range(0, len(native.labels), size):
        yield native.images[start : start + size], native.labels[start : start + size]


SUBJECT = Subject(
    framework="numpy",
    batches=_batches,
    element=lambda native, i: (native.images[i], native.labels[i]),
    length=lambda native: len(native.labels),
    records=lambda native: [record._asdict() for record in native.info.records],
    minimum=46,
)
