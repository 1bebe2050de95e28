"""TensorFlow's conformance subject: read as its users read it, by iterating eagerly."""

from __future__ import annotations

from typing import Any

from idxhub.conformance import Subject


def _batches(native: Any, size: int) -> Any:
    return native.batch(size)


SUBJECT = Subject(
    framework="tensorflow",
    batches=_batches,
    to_numpy=lambda tensor: tensor.numpy(),
    length=lambda native: int(native.cardinality()),
    package="tensorflow",
    options={"batch_size": 32, "shuffle": True, "seed": 1, "drop_last": False},
    pickles=False,
    wrong_options={"batch_size": 0, "shuffle": "no", "seed": -1, "drop_last": True},
    records=lambda native: [record._asdict() for record in native.info.records],
    minimum=45,
)
