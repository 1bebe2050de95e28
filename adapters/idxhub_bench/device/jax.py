"""A device of JAX."""

from __future__ import annotations

from time import perf_counter
from typing import Any

import jax
import jax.numpy as jnp

_COPIES, _ROUNDS = 10, 5


class Device:
    """The first `jax.Device` of that name."""

    def __init__(self, device: str) -> None:
        self._device = jax.devices(device)[0]
        self.name = self._device.device_kind

    def put(self, batch: Any) -> Any:
        """As programs for JAX have it."""
        return jax.device_put(batch, self._device)

    def wait(self, batches: Any) -> None:
        """These batches."""
        jax.block_until_ready(batches)

    def copied(self, size: int) -> float:
        """A jitted copy."""
        source = jax.device_put(jnp.ones(size, "uint8"), self._device)
        copy = jax.jit(jnp.copy)
        best = float("inf")
        for _ in range(_ROUNDS):
            jax.block_until_ready(copy(source))
            start = perf_counter()
            for _ in range(_COPIES):
                target = copy(source)
            jax.block_until_ready(target)
            best = min(best, (perf_counter() - start) / _COPIES)
        return best
