"""What is not in the cache: found, verified, decoded and published there."""

from __future__ import annotations

import hashlib
import os
import threading
from collections.abc import Mapping
from typing import Any

import numpy as np
from numpy.typing import NDArray

from idxhub.acquire.find import VerifiedFile, find_file
from idxhub.acquire.local import SearchSettings
from idxhub.cache.atomic import ending_in_order, locked, touch
from idxhub.cache.layout import sweep_all
from idxhub.cache.store import Cache, Stored
from idxhub.catalog.spec import ArraySpec, DatasetSpec
from idxhub.errors import CacheError, IdxFormatError
from idxhub.formats import idx
from idxhub.threads import Threads


def build_arrays(
    arrays: Mapping[str, ArraySpec],
    cache: Cache,
    data_dir: str | os.PathLike[str] | None,
    *,
    download: bool,
    specs: tuple[DatasetSpec, ...] = (),
) -> dict[str, Stored]:
    """Several arrays, two at a time. What ends the wait for them ends the work: Ctrl-C, SIGTERM too."""
    settings = SearchSettings.from_environment(data_dir, download)
    sweep_all(cache.root)
    stop = threading.Event()
    with ending_in_order(), Threads(2) as pool:
        try:
            made = {
                name: pool.submit(build_array, kept, cache, settings, specs=specs, stop=stop)
                for name, kept in arrays.items()
            }
            return {name: each.result() for name, each in made.items()}
        except BaseException:
            stop.set()
            pool.shutdown(wait=False, cancel_futures=True)
            raise


def build_array(
    kept: ArraySpec,
    cache: Cache,
    settings: SearchSettings,
    *,
    specs: tuple[DatasetSpec, ...] = (),
    stop: threading.Event | None = None,
    found: VerifiedFile | None = None,
) -> Stored:
    """One array: from the cache, or its file found, verified, decoded, and the array published there first.

    `stop`, set by another thread, ends a wait for the network or for another process. `found` are the file's verified
    bytes, where the caller has them.
    """
    lock = cache.lock_file(kept)
    with locked(lock, stop):
        stored = cache.open(kept)  # another process may have made it while this one waited
        if stored is not None:
            return stored
        if found is None:
            found = find_file(
                cache.spec, kept.resource, cache, settings, specs=specs, heartbeat=lambda: touch(lock), stop=stop
            )
        cache.publish(
            kept,
            _decode(kept, found),
            payload_sha256=found.payload_sha256,
            sha256=found.sha256,
            source=found.source,
            origin=found.origin,
            form=found.form,
        )
        stored = cache.open(kept)
    if stored is None:
        raise CacheError(
            f"{cache.array_file(kept)} does not hold what was written into it a moment ago; "
            "the disk or another program has changed it"
        )
    return stored


def matches_published(kept: ArraySpec, stored: Stored, published: VerifiedFile | None = None) -> bool | None:
    """Whether a cached array is what was published; None where only its own record says so.

    It is made again of the `published` file, where the caller has that; or what was done to it is undone, and the
    digest of the content reckoned. Of a column the rest of the file is gone, and of some files that is not known.
    """
    if published is not None:
        return np.array_equal(_decode(kept, published), stored.array)
    if kept.column is not None:
        return None
    resource = kept.resource
    array = stored.array
    if kept.offset:
        array = array + kept.offset
    if kept.transposed:
        array = array.swapaxes(1, 2)
    by_md5 = resource.payload_sha256 is None and resource.payload_md5 is not None
    digest = hashlib.md5(usedforsecurity=False) if by_md5 else hashlib.sha256()
    digest.update(idx.encode_header(resource.shape, resource.dtype))
    digest.update(np.ascontiguousarray(array, np.dtype(resource.dtype).newbyteorder(">")).data)
    known = resource.payload_md5 if by_md5 else resource.payload_sha256
    right = digest.hexdigest() == (known or stored.record.payload_sha256)
    return None if right and known is None else right


def _decode(kept: ArraySpec, found: VerifiedFile) -> NDArray[Any]:
    resource = kept.resource
    try:
        array = idx.decode(found.payload)
    except IdxFormatError as error:
        raise IdxFormatError(f"{found.source}: the digest is right, but {error}") from error
    if array.shape != resource.shape or array.dtype != np.dtype(resource.dtype):
        raise IdxFormatError(
            f"{found.source}: the digest is right, but it holds {array.dtype.name} of shape {array.shape} where "
            f"the spec says {resource.dtype} of shape {resource.shape}"
        )
    if kept.column is not None:
        array = array[:, kept.column]
    array = array.astype(kept.dtype, copy=False)
    if kept.offset:
        array = array - kept.offset
    return array.swapaxes(1, 2) if kept.transposed else array
