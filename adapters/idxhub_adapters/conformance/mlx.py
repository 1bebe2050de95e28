"""MLX's conformance subject: batches are slices of the two arrays."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

from idxhub.conformance import Subject
from idxhub_adapters.mlx import LazyArrays


def _batches(native: LazyArrays, size: int) -> Iterator[tuple[Any, Any]]:
    images, labels = native
    for start in range(0, len(labels), size):
        yield images[start : start + size], labels[start : start + size]


SUBJECT = Subject(
    framework="mlx",
    batches=_batches,
    length=lambda native: len(native.labels),
    package="mlx",
    records=lambda native: [record._asdict() for record in native.info.records],
    minimum=45,
)
