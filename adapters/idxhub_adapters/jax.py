"""JAX: `Arrays(images, labels)` of `jax.Array`; on the CPU they share the mapped file's memory."""

from __future__ import annotations

import contextlib
import math
import re
from collections.abc import Iterator, Mapping, Sequence
from typing import Any

import jax
import numpy as np
from numpy.typing import NDArray

from idxhub import Arrays, Conventions, Split, errors, hookimpl


@hookimpl
def idxhub_conventions() -> Conventions:
    """The conventions: layout HW, and int32 labels, because JAX has int64 only if `jax_enable_x64` is set."""
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
    """Refuse an unknown device, a sharding of another type, both options at once, and a dtype that JAX lacks."""
    _check_dtype(dtype)
    device, sharding = options.get("device"), options.get("sharding")
    if sharding is not None and not isinstance(sharding, jax.sharding.Sharding):
        raise errors.ArgumentError("sharding", sharding, "a jax.sharding.Sharding, or None")
    if device is not None:
        _resolve_device(device)
        if sharding is not None:
            raise errors.ArgumentError("sharding", sharding, "None if device is given")


@hookimpl
def idxhub_check_device(device: Any) -> None:
    """Refuse a device that this machine does not have."""
    _resolve_device(device)


@hookimpl
def idxhub_dataset(split: Split, options: Mapping[str, Any]) -> Arrays[jax.Array]:
    """Return two arrays: images, uint8 (N, 28, 28), and labels, int32 (N,)."""
    return _put_on_device(split, **options)


@hookimpl
def idxhub_batch(images: NDArray[Any], labels: NDArray[Any]) -> Arrays[jax.Array]:
    """The two arrays, (B, ...) and (B,), on the default device."""
    if images.dtype.itemsize == 8:  # JAX would make float32 of float64 without a warning
        _check_dtype(images.dtype.name)
    with jax.transfer_guard_host_to_device("allow"):  # who asks for batches asks for the transfer
        return Arrays(*_to_jax(images, labels))


@hookimpl
def idxhub_resident(split: Split, device: Any) -> Resident:
    """Batches gathered on `device`, a jax.Device or a name such as "gpu" or "cpu:1", by a jitted function."""
    _check_dtype(split.dtype)
    return Resident(split, _resolve_device(device))


class Resident:
    """The images and labels of a split on a device, as stored. Called with the indices of a pass, it yields batches."""

    def __init__(self, split: Split, device: jax.Device) -> None:
        self._split, self._device = split, device
        self._stored = jax.device_put((split.images, split.labels, _RECIPROCAL_PARTS), device)
        self._shape, self._scale = split.element_shape, split.dtype != split.images.dtype
        self._image_bytes = math.prod(self._shape) * np.dtype(split.dtype).itemsize
        self._gather_bytes = _GATHER_BYTES_CPU if device.platform == "cpu" else _GATHER_BYTES

    def __reduce__(self) -> tuple[Any, ...]:
        # JAX does not pickle a device; a split is pickled as a reference
        platform = self._device.platform
        return _load_resident, (self._split, f"{platform}:{jax.devices(platform).index(self._device)}")

    def send(self, orders: Sequence[NDArray[Any]]) -> Sequence[jax.Array]:
        """Copy the orders of several passes to the device, by one call."""
        sent: Sequence[jax.Array] = jax.device_put([each.astype(np.int32, copy=False) for each in orders], self._device)
        return sent

    def __call__(self, indices: NDArray[Any] | jax.Array, size: int) -> Iterator[Arrays[jax.Array]]:
        """The batches of a pass: `size` at a time, of images and labels at these indices."""
        on_device = indices if isinstance(indices, jax.Array) else self.send([indices])[0]
        # the start of the next batch is kept on the device too: from the host it would be a transfer for each batch
        start = jax.device_put(np.int32(0), self._device)
        whole, rest = divmod(len(indices), size)
        together = max(1, min(_MOST_BATCHES, self._gather_bytes // max(1, size * self._image_bytes)))
        calls = [(size, together)] * (whole // together) + [(size, 1)] * (whole % together) + [(rest, 1)] * bool(rest)
        form: dict[str, Any] = {"shape": self._shape, "scale": self._scale}
        for count, number in calls:
            made, start = _gather(*self._stored, on_device, start, count=count, number=number, **form)
            for images, labels in made:
                yield Arrays(images, labels)


def _load_resident(split: Split, device: str) -> Resident:
    """What the pickle of a `Resident` calls. Older pickles call it too, so it keeps its name and arguments."""
    return Resident(split, _resolve_device(device))


# Calling a jitted function takes as long as making batches of about so many bytes: one call makes several small ones.
_GATHER_BYTES, _GATHER_BYTES_CPU = 1 << 24, 1 << 18
_MOST_BATCHES = 16  # of one call: each further one makes compiling take longer


# For arrays as small as a batch, what JAX does around the copy takes longer than the copy: a jitted function takes two
# NumPy arrays in a quarter of the time that jnp.asarray or device_put needs. Under `jax.disable_jit` the function gets
# the NumPy arrays themselves.
_to_jax = jax.jit(lambda *arrays: [jax.numpy.asarray(array) for array in arrays])


def _put_on_device(split: Split, device: Any = None, sharding: Any = None) -> Arrays[jax.Array]:
    # On the CPU, XLA uses memory that starts on a 64-byte boundary without a copy. If a program then writes into it
    # (donation, for example), the change stays in this dataset and process, since the file is mapped copy-on-write.
    target = sharding if device is None else _resolve_device(device)
    arrays = Arrays(*jax.device_put((split.batch(), split.labels), target))
    arrays.info = split.info
    return arrays


def _check_dtype(dtype: str) -> None:
    if dtype == "float64" and not jax.config.jax_enable_x64:
        must_be = "a dtype that JAX has; it has float64 only after jax.config.update('jax_enable_x64', True)"
        raise errors.ArgumentError("dtype of the images", dtype, must_be)


def _resolve_device(device: Any) -> jax.Device:
    """The jax.Device that `device` means. Raises `ArgumentError` if this machine does not have it."""
    if isinstance(device, jax.Device):
        return device
    match = re.fullmatch(r"(\w+)(?::([0-9]+))?", device) if isinstance(device, str) else None
    if match is not None:
        platform, number = match[1], int(match[2] or 0)
        with contextlib.suppress(IndexError, RuntimeError, ValueError):  # no such platform, or fewer devices of it
            return jax.devices(platform)[number]
    platforms = ", ".join(sorted({each.platform for each in (*jax.devices(), *jax.devices("cpu"))}))
    must_be = f"a jax.Device or its name, such as 'cpu' or 'cpu:0'; this machine has {platforms}"
    raise errors.ArgumentError("device", device, must_be)


def _gather_batches(
    images: Any,
    labels: Any,
    parts: Any,
    indices: Any,
    start: Any,
    *,
    count: int,
    number: int,
    shape: tuple[int, ...],
    scale: bool,
) -> tuple[list[tuple[Any, Any]], Any]:
    """`number` batches of images (count, *shape) and labels (count,), and the start of the next batch.

    The first one holds the rows at `indices[start : start + count]`.
    """
    made = []
    for _ in range(number):
        rows = jax.lax.dynamic_slice(indices, (start,), (count,))
        batch = images.at[rows].get(mode="promise_in_bounds")
        if scale:
            batch = batch.astype("float32")
            batch = batch * parts[0] + batch * parts[1]
        made.append((batch.reshape(count, *shape), labels.at[rows].get(mode="promise_in_bounds")))
        start = start + count
    return made, start


_gather = jax.jit(_gather_batches, static_argnames=("count", "number", "shape", "scale"))

# 1/255 in two parts. XLA does not divide by a number that all pixels share: it multiplies by the reciprocal, and 126 of
# the 256 products differ from pixel/255. Here the first part has so few bits that its product with a pixel is exact.
# The sum is rounded once and equals pixel/255 for each of the 256 values, with a fused multiplication and without.
_RECIPROCAL_PARTS = np.array([257 / 65536, 1 / 255 - 257 / 65536], np.float32)
