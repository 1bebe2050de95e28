"""JAX: idxhub's loader, and its arrays on the device with the gather inside jit."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np
from numpy.typing import NDArray

from idxhub_bench.load.contenders import hub
from idxhub_bench.load.contenders.base import Contender, added_up


class Jax(Contender):
    """What the rows of JAX share."""

    compiles = True

    def arrays(self, batch: Any) -> tuple[NDArray[Any], NDArray[Any]]:
        """Finished: JAX answers before it has computed."""
        images, labels = jax.block_until_ready(batch)
        return np.asarray(images), np.asarray(labels)

    def threads(self) -> dict[str, int]:
        return {"devices": jax.device_count()}


class Loader(Jax, hub.Loader):
    """`get_loader(framework="jax")`."""

    framework = "jax"


class Resident(Jax, hub.Dataset):
    """`get_dataset(framework="jax")` once; a permutation on the device, each batch gathered from it inside jit."""

    framework = "jax"

    def open(self, dtype: str) -> Any:
        del dtype  # as stored: a batch is made floating point where it is gathered
        images, labels = self.get(cache_dir=self.place.folder("cache"))
        return images, labels, [jax.random.key(0)]

    def batches(self, dataset: Any, size: int, dtype: str, workers: int = 0) -> Iterator[Any]:
        del workers
        images, labels, keys = dataset
        n = len(labels)
        keys[0], key = jax.random.split(keys[0])
        permutation = _permutation(key, n)
        for start in range(0, n, size):
            yield _gather(images, labels, permutation, start, size=min(size, n - start), scaled=dtype == "float32")

    def sums(self, dataset: Any) -> dict[str, int]:
        several = dataset if isinstance(dataset[0], tuple) else (dataset,)
        return added_up(*((images, labels) for images, labels, *_ in several))


_permutation = jax.jit(jax.random.permutation, static_argnums=1)


def _gathered(images: Any, labels: Any, permutation: Any, start: Any, *, size: int, scaled: bool) -> tuple[Any, Any]:
    where = jax.lax.dynamic_slice(permutation, (start,), (size,))
    batch = images[where]
    return (batch.astype(jnp.float32) / 255 if scaled else batch), labels[where]


_gather = jax.jit(_gathered, static_argnames=("size", "scaled"))
