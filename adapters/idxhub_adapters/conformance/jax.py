"""JAX's conformance subject: batches are slices of the two arrays."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import jax

from idxhub import Arrays
from idxhub.conformance import Subject


def _batches(native: Arrays[jax.Array], size: int) -> Iterator[tuple[Any, Any]]:
    for start in range(0, len(native.labels), size):
        yield native.images[start : start + size], native.labels[start : start + size]


SUBJECT = Subject(
    framework="jax",
    batches=_batches,
    length=lambda native: len(native.labels),
    package="jax",
    options={"device": jax.devices("cpu")[0], "sharding": jax.sharding.SingleDeviceSharding(jax.devices("cpu")[0])},
    device=jax.devices()[0],
    wrong_options={"device": "no-such-device", "sharding": "x"},
    records=lambda native: [record._asdict() for record in native.info.records],
    minimum=50,
)
