"""Chainer's conformance subject: read as its users read it, through iterators and `concat_examples`."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

from chainer.dataset import concat_examples
from chainer.iterators import MultiprocessIterator, SerialIterator

from idxhub.conformance import Subject
from idxhub_adapters.conformance.processes import started_by


def _batches(native: Any, size: int) -> Iterator[tuple[Any, Any]]:
    if len(native):  # an iterator over nothing never ends its first epoch
        yield from map(concat_examples, SerialIterator(native, size, repeat=False, shuffle=False))


def _batches_from_workers(native: Any, size: int, count: int, start_method: str) -> Iterator[tuple[Any, Any]]:
    options = {"repeat": False, "shuffle": False, "n_processes": count}
    with started_by(start_method), MultiprocessIterator(native, size, **options) as batches:
        yield from map(concat_examples, batches)


SUBJECT = Subject(
    framework="chainer",
    batches=_batches,
    element=lambda native, i: native[i],
    length=len,
    workers=_batches_from_workers,
    package="chainer",
    records=lambda native: [record._asdict() for record in native.info.records],
    minimum=49,
)
