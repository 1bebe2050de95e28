"""JAX: idxhub's loader, and its arrays on the device with the gather inside jit."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np
from numpy.typing import NDArray

from idxhub_bench.load.contenders import hub
from idxhub_bench.load.contenders.base import Contender, InMemory


class Jax(Contender):
    """What the rows of JAX share."""

    compiles = True

    def arrays(self, batch: Any) -> tuple[NDArray[Any], NDArray[Any]]:
        """JAX returns arrays before they are computed: this waits for them."""
        images, labels = jax.block_until_ready(batch)
        return np.asarray(images), np.asarray(labels)

    def threads(self) -> dict[str, int]:
        return {"devices": jax.device_count()}


class Loader(Jax, hub.Loader):
    """`get_loader(framework="jax")`."""

    framework = "jax"


class Resident(Jax, InMemory, hub.Dataset):
    """`get_dataset(framework="jax")` once; a permutation on the device, each batch gathered from it inside jit."""

    framework = "jax"

    def open(self, dtype: str) -> Any:
        images, labels = self.get(cache_dir=self.place.folder("cache"))  # uint8: a batch is scaled when it is gathered
        return images, labels, [jax.random.key(0)]

    def batches(self, dataset: Any, size: int, dtype: str, workers: int = 0) -> Iterator[Any]:
        images, labels, keys = dataset
        n = len(labels)
        keys[0], key = jax.random.split(keys[0])
        permutation = _permutation(key, n)
        for start in range(0, n, size):
            yield _gather(images, labels, permutation, start, size=min(size, n - start), scale=dtype == "float32")


def _gather_batch(images: Any, labels: Any, permutation: Any, start: Any, *, size: int, scale: bool) -> tuple[Any, Any]:
    where = jax.lax.dynamic_slice(permutation, (start,), (size,))
    batch = images[where]
    return (batch.astype(jnp.float32) / 255 if scale else batch), labels[where]


_permutation = jax.jit(jax.random.permutation, static_argnums=1)
_gather = jax.jit(_gather_batch, static_argnames=("size", "scale"))
