"""Keras' conformance subject: the batches of a `PyDataset`, with the batch size that a check asks for."""

from __future__ import annotations

import copy
from collections.abc import Iterator
from typing import Any

from idxhub.conformance import Subject
from idxhub_adapters.keras import IdxPyDataset


def _batches(native: IdxPyDataset, size: int) -> Iterator[tuple[Any, Any]]:
    resized = copy.copy(native)
    resized.batch_size = size
    return iter(resized)


def _element(native: IdxPyDataset, i: int) -> tuple[Any, Any]:
    single = copy.copy(native)
    single.batch_size = 1
    images, labels = single[i]
    return images[0], labels[0]


SUBJECT = Subject(
    framework="keras",
    batches=_batches,
    element=_element,
    length=lambda native: native.num_examples,
    class_names=lambda native: native.class_names,
    package="keras",
    options={"batch_size": 32, "shuffle": True, "seed": 1, "drop_last": False},
    wrong_options={"batch_size": 0, "shuffle": "no", "seed": -1, "drop_last": 2},
    records=lambda native: [record._asdict() for record in native.info.records],
    minimum=49,
)
