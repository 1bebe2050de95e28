"""tinygrad's conformance subject: batches are slices of the two tensors."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

from tinygrad import Tensor

from idxhub import Arrays
from idxhub.conformance import Subject


def _batches(native: Arrays[Tensor], size: int) -> Iterator[tuple[Any, Any]]:
    for start in range(0, len(native.labels), size):
        yield native.images[start : start + size], native.labels[start : start + size]


SUBJECT = Subject(
    framework="tinygrad",
    batches=_batches,
    to_numpy=lambda tensor: tensor.numpy(),
    element=lambda native, i: (native.images[i], native.labels[i].item()),
    length=lambda native: len(native.labels),
    package="tinygrad",
    options={"device": "NPY"},
    wrong_options={"device": "no-such-device"},
    records=lambda native: [record._asdict() for record in native.info.records],
    minimum=48,
)
