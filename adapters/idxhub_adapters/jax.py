"""JAX: `Arrays(images, labels)` of `jax.Array`, on the CPU over the mapped file itself."""

from __future__ import annotations

import contextlib
import re
from collections.abc import Callable, Iterator, Mapping
from typing import Any

import jax
import numpy as np
from numpy.typing import NDArray

from idxhub import Arrays, Conventions, Split, errors, hookimpl


@hookimpl
def idxhub_conventions() -> Conventions:
    """HW; int32 labels, since JAX has no int64 unless it is switched on."""
    return Conventions(
        layout="HW",
        label_dtype="int32",
        options={
            "device": "the jax.Device to put the arrays on, or its name; the default one if not given",
            "sharding": "a jax.sharding.Sharding to spread both arrays by, along the examples",
        },
    )


@hookimpl
def idxhub_check(options: Mapping[str, Any], dtype: str) -> None:
    """A device that there is, or a sharding; a dtype that JAX has as it is switched."""
    _check_dtype(dtype)
    device, sharding = options.get("device"), options.get("sharding")
    if sharding is not None and not isinstance(sharding, jax.sharding.Sharding):
        raise errors.ArgumentError("sharding", sharding, "a jax.sharding.Sharding, or None")
    if device is not None:
        _device(device)
        if sharding is not None:
            raise errors.ArgumentError("sharding", sharding, "None where there is a device, or the device None")


@hookimpl
def idxhub_check_device(device: Any) -> None:
    """A device that this machine has."""
    _device(device)


@hookimpl
def idxhub_dataset(split: Split, options: Mapping[str, Any]) -> Arrays[jax.Array]:
    """uint8 (N, 28, 28) and int32 (N,)."""
    return _arrays(split, **options)


@hookimpl
def idxhub_batch(images: NDArray[Any], labels: NDArray[Any]) -> Arrays[jax.Array]:
    """The two arrays on the default device."""
    if images.dtype.itemsize == 8:  # JAX would make them half as wide, and say nothing
        _check_dtype(images.dtype.name)
    return Arrays(*_taken_over(images, labels))


@hookimpl
def idxhub_resident(split: Split, device: Any) -> Callable[[NDArray[np.int64], int], Iterator[Arrays[jax.Array]]]:
    """Batches gathered on `device`, a jax.Device or a name such as "gpu" or "cpu:1", by a jitted function."""
    place = _device(device)
    _check_dtype(split.dtype)
    stored = jax.device_put((split.images, split.labels, _PARTS), place)
    how = {"shape": split.element_shape, "scaled": split.dtype != split.images.dtype}

    def batches(indices: NDArray[np.int64], size: int) -> Iterator[Arrays[jax.Array]]:
        # the place in the pass stays on the device too: a number from here would be a transfer for each batch
        where, start = jax.device_put((indices.astype(np.int32), np.int32(0)), place)
        for first in range(0, len(indices), size):
            count = min(size, len(indices) - first)
            images, labels, start = _gather(*stored, where, start, count=count, **how)
            yield Arrays(images, labels)

    return batches


# For arrays of a batch's size the bookkeeping counts, not the copy: a jitted function takes two NumPy arrays in a
# quarter of the time that jnp.asarray or device_put needs.
_taken_over = jax.jit(lambda *arrays: arrays)


def _arrays(split: Split, device: Any = None, sharding: Any = None) -> Arrays[jax.Array]:
    # On the CPU XLA takes memory that starts on a 64-byte boundary as it is. What is done there in place, by
    # donation say, stays in this process: the mapping is copy-on-write, and no other dataset has it.
    where = sharding if device is None else _device(device)
    arrays = Arrays(*jax.device_put((split.batch(), split.labels), where))
    arrays.info = split.info
    return arrays


def _check_dtype(dtype: str) -> None:
    if dtype == "float64" and not jax.config.jax_enable_x64:
        must_be = "one that JAX has: float64 only after jax.config.update('jax_enable_x64', True)"
        raise errors.ArgumentError("dtype of the images", dtype, must_be)


def _device(device: Any) -> jax.Device:
    if isinstance(device, jax.Device):
        return device
    named = re.fullmatch(r"(\w+)(?::([0-9]+))?", device) if isinstance(device, str) else None
    if named is not None:
        with contextlib.suppress(IndexError, RuntimeError, ValueError):  # no such platform, or not so many of it
            return jax.devices(named[1])[int(named[2] or 0)]
    there = ", ".join(sorted({each.platform for each in (*jax.devices(), *jax.devices("cpu"))}))
    must_be = f"a jax.Device, or the name of one, as 'cpu' or 'cpu:0', and this machine has: {there}"
    raise errors.ArgumentError("device", device, must_be)


def _gathered(
    images: Any, labels: Any, parts: Any, where: Any, start: Any, *, count: int, shape: tuple[int, ...], scaled: bool
) -> tuple[Any, Any, Any]:
    """Images and labels at `where[start:start + count]`, and where the next batch starts."""
    here = jax.lax.dynamic_slice(where, (start,), (count,))
    batch = images.at[here].get(mode="promise_in_bounds")
    if scaled:
        batch = batch.astype("float32")
        batch = batch * parts[0] + batch * parts[1]
    return batch.reshape(count, *shape), labels.at[here].get(mode="promise_in_bounds"), start + count


_gather = jax.jit(_gathered, static_argnames=("count", "shape", "scaled"))

# 1/255 in two parts. XLA does not divide by what all pixels share: it multiplies by the reciprocal, and 126 of the 256
# quotients are not pixel/255 then. The first part has so few bits that its product with a pixel is exact; the sum is
# rounded once, and is pixel/255 for each of the 256, with a fused multiplication and without.
_PARTS = np.array([257 / 65536, 1 / 255 - 257 / 65536], np.float32)
