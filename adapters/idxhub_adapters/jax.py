"""JAX: `Arrays(images, labels)` of `jax.Array`, on the CPU over the mapped file itself."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import jax
import jax.numpy as jnp
from numpy.typing import NDArray

from idxhub import Arrays, Conventions, Split, hookimpl


@hookimpl
def idxhub_conventions() -> Conventions:
    """HW; int32 labels, since JAX has no int64 unless it is switched on."""
    return Conventions(
        layout="HW",
        label_dtype="int32",
        options={
            "device": "the jax.Device to put the arrays on; the default one if not given",
            "sharding": "a jax.sharding.Sharding to spread both arrays by, along the examples",
        },
    )


@hookimpl
def idxhub_dataset(split: Split, options: Mapping[str, Any]) -> Arrays[jax.Array]:
    """uint8 (N, 28, 28) and int32 (N,)."""
    return _arrays(split, **options)


@hookimpl
def idxhub_batch(images: NDArray[Any], labels: NDArray[Any]) -> Arrays[jax.Array]:
    """The two arrays on the default device."""
    # for arrays of a batch's size its bookkeeping counts, not the copy, and device_put has more of it
    return Arrays(jnp.asarray(images), jnp.asarray(labels))


def _arrays(split: Split, device: jax.Device | None = None, sharding: Any = None) -> Arrays[jax.Array]:
    # On the CPU XLA takes memory that starts on a 64-byte boundary as it is. What is done there in place, by
    # donation say, stays in this process: the mapping is copy-on-write, and no other dataset has it.
    where = device if sharding is None else sharding
    return Arrays(*jax.device_put((split.batch(), split.labels), where))
