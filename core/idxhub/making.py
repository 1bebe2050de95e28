"""What is not in the cache: found, verified, decoded and published there."""

from __future__ import annotations

import os
import threading
from collections.abc import Mapping
from concurrent.futures import ThreadPoolExecutor
from typing import Any

import numpy as np
from numpy.typing import NDArray

from idxhub import idx
from idxhub.cache import Cache, Stored
from idxhub.catalog import DatasetSpec, Resource
from idxhub.errors import CacheError, IdxFormatError
from idxhub.fetch import Places, Verified, find
from idxhub.storage import locked, touch


def make_all(
    resources: Mapping[str, Resource],
    cache: Cache,
    data_dir: str | os.PathLike[str] | None,
    *,
    download: bool,
    specs: tuple[DatasetSpec, ...] = (),
) -> dict[str, Stored]:
    """The arrays of several files, two at a time. Whatever ends the wait for them, Ctrl-C too, ends the work."""
    places = Places.from_environment(data_dir, download)
    stop = threading.Event()
    with ThreadPoolExecutor(2) as pool:
        try:
            made = {
                name: pool.submit(make, resource, cache, places, specs=specs, stop=stop)
                for name, resource in resources.items()
            }
            return {name: each.result() for name, each in made.items()}
        except BaseException:
            stop.set()
            pool.shutdown(wait=False, cancel_futures=True)
            raise


def make(
    resource: Resource,
    cache: Cache,
    places: Places,
    *,
    specs: tuple[DatasetSpec, ...] = (),
    stop: threading.Event | None = None,
) -> Stored:
    """The array of one file: from the cache, or found, verified, decoded and published there first.

    `stop`, set by another thread, ends a wait for the network or for another process.
    """
    lock = cache.lock_file(resource)
    with locked(lock, stop):
        stored = cache.open(resource)  # another process may have made it while this one waited
        if stored is not None:
            return stored
        found = find(cache.spec, resource, cache, places, specs=specs, alive=lambda: touch(lock), stop=stop)
        cache.publish(
            resource,
            _decoded(resource, found),
            payload_sha256=found.payload_sha256,
            source=found.source,
            form=found.form,
        )
        stored = cache.open(resource)
    if stored is None:
        raise CacheError(
            f"{cache.array_file(resource)} does not hold what was written into it a moment ago; "
            "the disk or another program has changed it"
        )
    return stored


def _decoded(resource: Resource, found: Verified) -> NDArray[Any]:
    array = idx.decode(found.payload)
    if array.shape != resource.shape or array.dtype != np.dtype(resource.dtype):
        raise IdxFormatError(
            f"{found.source}: the digest is right, but it holds {array.dtype.name} of shape {array.shape} where "
            f"the spec says {resource.dtype} of shape {resource.shape}"
        )
    return array
