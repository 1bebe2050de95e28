"""A device of JAX."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import jax
import jax.numpy as jnp


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
