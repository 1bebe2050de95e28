"""A device of JAX."""

from __future__ import annotations

import functools
from collections.abc import Callable, Iterator
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np
from numpy.typing import NDArray


class Device:
    """The first `jax.Device` of that name."""

    def __init__(self, device: str) -> None:
        self._device = jax.devices(device)[0]
        self.name = self._device.device_kind

    def put(self, batch: Any) -> Any:
        return jax.device_put(batch, self._device)

    def wait(self, batches: Any) -> None:
        jax.block_until_ready(batches)

    def make_copy(self, size: int) -> Callable[[], Any]:
        source, copy = jax.device_put(jnp.ones(size, "uint8"), self._device), jax.jit(jnp.copy)
        return lambda: copy(source)

    def keep(self, images: NDArray[Any], labels: NDArray[Any]) -> ByHand:
        on_device: tuple[jax.Array, jax.Array] = jax.device_put((images, labels), self._device)
        return ByHand(*on_device, self._device)


class ByHand:
    """Arrays on a device."""

    def __init__(self, images: jax.Array, labels: jax.Array, device: jax.Device) -> None:
        self._images, self._labels, self._device = images, labels, device
        self._key = jax.device_put(jax.random.key(0), device)

    def passes(self, size: int) -> Callable[[], Iterator[Any]]:
        whole, rest = divmod(len(self._labels), size)

        def begin() -> Iterator[Any]:
            self._key, order = _permutation(self._key, len(self._labels))
            for number in range(whole + (rest > 0)):
                yield _batch(self._images, self._labels, order, number * size, size if number < whole else rest)

        return begin

    def whole_epoch(self, size: int) -> Callable[[NDArray[Any]], Any]:
        """One jitted function that has a `lax.scan` over the batches."""
        count = len(self._labels) // size * size

        def epoch(indices: NDArray[Any]) -> Any:
            order = jax.device_put(indices[:count].reshape(-1, size).astype(np.int32), self._device)
            return _epoch(self._images, self._labels, order)

        return epoch


@functools.partial(jax.jit, static_argnums=1)
def _permutation(key: Any, n: int) -> Any:
    following, now = jax.random.split(key)
    return following, jax.random.permutation(now, n)


@functools.partial(jax.jit, static_argnums=4)
def _batch(images: Any, labels: Any, order: Any, start: Any, count: int) -> Any:
    rows = jax.lax.dynamic_slice(order, (start,), (count,))
    return images[rows], labels[rows]


def _sums(images: Any, labels: Any, order: Any) -> Any:
    def step(carry: Any, rows: Any) -> Any:
        pixels = images[rows].sum(dtype="float32" if images.dtype == "float32" else "uint32")
        return carry, (pixels, labels[rows].sum())

    return jax.lax.scan(step, None, order)[1]


_epoch = jax.jit(_sums)
