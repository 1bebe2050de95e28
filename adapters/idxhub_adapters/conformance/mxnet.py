"""MXNet's conformance subject: read as its users read it, through Gluon's DataLoader."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

from mxnet.gluon.data import DataLoader

from idxhub.conformance import Subject
from idxhub_adapters.conformance.processes import started_by


def _batches_from_workers(native: Any, size: int, count: int, start_method: str) -> Iterator[Any]:
    with started_by(start_method):
        yield from DataLoader(native, batch_size=size, num_workers=count)


SUBJECT = Subject(
    framework="mxnet",
    batches=lambda native, size: DataLoader(native, batch_size=size),
    to_numpy=lambda array: array.asnumpy(),
    element=lambda native, i: native[i],
    length=len,
    class_names=lambda native: native.classes,
    workers=_batches_from_workers,
    package="mxnet",
    records=lambda native: [record._asdict() for record in native.info.records],
    minimum=50,
)
