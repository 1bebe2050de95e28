"""The arrays that are not in the cache: their files are found, verified and decoded, and the arrays published."""

from __future__ import annotations

import errno
import functools
import hashlib
import mmap
import os
import tempfile
import threading
import warnings
from collections.abc import Callable, Mapping
from typing import Any

import numpy as np
from numpy.typing import NDArray

from idxhub.acquire.find import find_file
from idxhub.acquire.local import SearchSettings
from idxhub.acquire.verify import VerifiedFile
from idxhub.cache.atomic import SETTING, ending_in_order, locked, touch
from idxhub.cache.layout import sweep_all
from idxhub.cache.store import Cache, Stored
from idxhub.catalog.spec import ArraySpec, DatasetSpec
from idxhub.errors import CacheError, ChecksumError, DownloadError, IdxFormatError
from idxhub.formats import idx
from idxhub.paths import format_os_error
from idxhub.threads import Threads


def build_arrays(
    arrays: Mapping[str, ArraySpec],
    cache: Cache,
    data_dir: str | os.PathLike[str] | None,
    *,
    download: bool,
    specs: tuple[DatasetSpec, ...] = (),
) -> dict[str, Stored]:
    """Build several arrays, two at a time, and return them by the same keys; see `build_array`.

    Whatever ends the wait for them (an error, Ctrl-C, SIGTERM) ends the work on all of them.
    """
    settings = SearchSettings.from_environment(data_dir, download)
    sweep_all(cache.root)
    stop = threading.Event()
    with ending_in_order(), Threads(2) as pool:
        try:
            futures = {
                key: pool.submit(build_array, kept, cache, settings, specs=specs, stop=stop, allow_memory=True)
                for key, kept in arrays.items()
            }
            return {key: future.result() for key, future in futures.items()}
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
    allow_memory: bool = False,
) -> Stored:
    """One array from the cache. If it is not there, its file is found, verified and decoded, and the array published.

    `stop`, set by another thread, ends a wait for the network or for another process. `found` is the verified file, if
    the caller has it. With `allow_memory` an array that is damaged in a cache that cannot be written is decoded into
    memory, with a warning.

    Raises what `find_file` does, and `CacheError`.
    """
    lock = cache.lock_file(kept)
    search = functools.partial(find_file, cache.spec, kept.resource, cache, settings, specs=specs, stop=stop)
    with locked(lock, stop):
        stored = cache.open(kept)  # another process may have built it while this one waited
        if stored is not None:
            return stored
        read_only = _why_read_only(cache) if os.path.lexists(cache.array_file(kept)) else None
        if read_only is not None:
            problem = f"{cache.array_file(kept)} is damaged, and the cache cannot be written: {read_only}"
            if not allow_memory:
                raise CacheError(f"{problem}; {SETTING}")
            return _build_in_memory(kept, cache, functools.partial(search, keep=False), problem)
        if found is None:
            found = search(heartbeat=lambda: touch(lock))
        cache.publish(kept, _decode(kept, found), **_provenance(found))
        stored = cache.open(kept)
    if stored is None:
        # as if it were not there, so that the load begins again: another process may have removed and replaced it
        raise CacheError(
            f"{cache.array_file(kept)} does not hold what was written into it a moment ago; "
            "the disk or another program has changed it"
        ) from FileNotFoundError()
    return stored


def _build_in_memory(kept: ArraySpec, cache: Cache, search: Callable[[], VerifiedFile], problem: str) -> Stored:
    """An array decoded into private memory, aligned as the cache's are. Raises `CacheError` if no source is at hand."""
    try:
        found = search()
    except (ChecksumError, DownloadError) as error:
        advice = "make the cache writable, or name a folder that has the file (data_dir=)"
        raise CacheError(f"{problem}; {advice}. {error}") from error
    warnings.warn(f"{problem}; its data come from {found.source}, into memory", stacklevel=2)
    decoded = np.ascontiguousarray(_decode(kept, found))
    record = cache.describe(kept, decoded, **_provenance(found))
    if not decoded.nbytes:
        return Stored(decoded, record)
    memory = mmap.mmap(-1, decoded.nbytes, access=mmap.ACCESS_COPY)  # begins on a page, and is not shared by a fork
    array = np.frombuffer(memory, decoded.dtype).reshape(decoded.shape)
    array[...] = decoded
    return Stored(array, record)


def _why_read_only(cache: Cache) -> str | None:
    """Why nobody may write in the cache's folder; None if it can be written, or fails otherwise, as on a full disk."""
    try:
        tempfile.TemporaryFile(prefix=".", suffix=".tmp", dir=cache.folder).close()
    except OSError as error:
        if error.errno in (errno.EROFS, errno.EACCES, errno.EPERM):
            return format_os_error(cache.folder, error)
    return None


def _provenance(found: VerifiedFile) -> dict[str, Any]:
    return {
        "payload_sha256": found.payload_sha256,
        "sha256": found.sha256,
        "source": found.source,
        "origin": found.origin,
        "form": found.form,
    }


def matches_published(kept: ArraySpec, stored: Stored, published: VerifiedFile | None = None) -> bool | None:
    """Whether a cached array is what was published; None if only its own record says so.

    If the caller has the `published` file, the array is decoded again and compared. Otherwise the steps that were
    applied to the array are undone, and the digest of the content is computed. This is impossible for a column, since
    the rest of the file is gone, and for files without a known digest of their content.
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
    """Decode a verified file and apply the array's steps."""
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
