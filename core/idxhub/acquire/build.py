"""Building the arrays that are not in the cache: find the file, verify it, decode it, and publish the array."""

from __future__ import annotations

import errno
import functools
import hashlib
import mmap
import os
import threading
import warnings
from collections.abc import Callable, Mapping
from typing import Any

import numpy as np
from numpy.typing import NDArray

from idxhub.acquire.find import find_file
from idxhub.acquire.local import SearchSettings
from idxhub.acquire.verify import VerifiedFile
from idxhub.cache.atomic import CACHE_FOLDER_ADVICE, clean_up_on_sigterm, locked, touch
from idxhub.cache.layout import remove_all_orphans, write_error
from idxhub.cache.store import Cache, StoredArray
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
) -> dict[str, StoredArray]:
    """Build several arrays, two at a time, and return them by the same keys; see `build_array`.

    If one of them fails, or if Ctrl-C or SIGTERM arrives, the work on all of them ends.
    """
    settings = SearchSettings.from_environment(data_dir, download)
    remove_all_orphans(cache.root)
    stop = threading.Event()
    with clean_up_on_sigterm(), Threads(2) as pool:
        try:
            futures = {
                key: pool.submit(build_array, array_spec, cache, settings, specs=specs, stop=stop, allow_memory=True)
                for key, array_spec in arrays.items()
            }
            return {key: future.result() for key, future in futures.items()}
        except BaseException:
            stop.set()
            pool.shutdown(wait=False, cancel_futures=True)
            raise


def build_array(
    array_spec: ArraySpec,
    cache: Cache,
    settings: SearchSettings,
    *,
    specs: tuple[DatasetSpec, ...] = (),
    stop: threading.Event | None = None,
    found: VerifiedFile | None = None,
    allow_memory: bool = False,
) -> StoredArray:
    """Return an array from the cache. If it is absent, find, verify and decode its file first, and publish the array.

    If another thread sets `stop`, a wait for the network or for another process ends. `found` is the verified file, if
    the caller has it. With `allow_memory`, an array that is damaged in a read-only cache is decoded into memory, with a
    warning.

    Raises what `find_file` does, and `CacheError`.
    """
    lock = cache.lock_file(array_spec)
    search = functools.partial(find_file, cache.spec, array_spec.resource, cache, settings, specs=specs, stop=stop)
    with locked(lock, stop):
        stored = cache.open(array_spec)  # another process may have built it while this one waited
        if stored is not None:
            return stored
        obstacle = _read_only_reason(cache) if os.path.lexists(cache.array_file(array_spec)) else None
        if obstacle is not None:
            problem = f"{cache.array_file(array_spec)} is damaged, and the cache cannot be written: {obstacle}"
            if not allow_memory:
                raise CacheError(f"{problem}; {CACHE_FOLDER_ADVICE}")
            return _build_in_memory(array_spec, cache, functools.partial(search, keep=False), problem)
        if found is None:
            found = search(heartbeat=lambda: touch(lock))
        cache.publish(array_spec, _decode(array_spec, found), **_provenance(found))
        stored = cache.open(array_spec)
    if stored is None:
        # FileNotFoundError makes the load begin again: another process may have removed and replaced the array
        raise CacheError(
            f"{cache.array_file(array_spec)} does not contain what idxhub has just written; "
            "the disk or another program has changed it"
        ) from FileNotFoundError()
    return stored


def _build_in_memory(
    array_spec: ArraySpec, cache: Cache, search: Callable[[], VerifiedFile], problem: str
) -> StoredArray:
    """Decode an array into private memory, aligned as a mapped one. Raises `CacheError` if its file is not found."""
    try:
        found = search()
    except (ChecksumError, DownloadError) as error:
        advice = "make the cache writable, or name a folder that has the file (data_dir=)"
        raise CacheError(f"{problem}; {advice}. {error}") from error
    warnings.warn(f"{problem}; its data are read from {found.source} into memory", stacklevel=2)
    decoded = np.ascontiguousarray(_decode(array_spec, found))
    record = cache.make_record(array_spec, decoded, **_provenance(found))
    if not decoded.nbytes:
        return StoredArray(decoded, record)
    memory = mmap.mmap(-1, decoded.nbytes, access=mmap.ACCESS_COPY)  # starts on a page; a forked process has a copy
    array = np.frombuffer(memory, decoded.dtype).reshape(decoded.shape)
    array[...] = decoded
    return StoredArray(array, record)


def _read_only_reason(cache: Cache) -> str | None:
    """Why the cache's folder is read-only; None if it is not, even if writing fails for another reason."""
    error = write_error(cache.folder)
    if error is None or error.errno not in (errno.EROFS, errno.EACCES, errno.EPERM):
        return None
    return format_os_error(cache.folder, error)


def _provenance(found: VerifiedFile) -> dict[str, Any]:
    return {
        "payload_sha256": found.payload_sha256,
        "sha256": found.sha256,
        "source": found.source,
        "origin": found.origin,
        "form": found.form,
    }


def matches_published(array_spec: ArraySpec, stored: StoredArray, published: VerifiedFile | None = None) -> bool | None:
    """Whether a cached array agrees with the published file; None if only the array's own record says so.

    If the caller has the `published` file, it is decoded and compared with the array. Otherwise the steps that were
    applied to the array are undone, and the digest of the content is computed. The answer is None for a column of a
    table, because the other columns are not in the cache, and for files without a known digest of their content.
    """
    if published is not None:
        return np.array_equal(_decode(array_spec, published), stored.array)
    if array_spec.column is not None:
        return None
    resource = array_spec.resource
    array = stored.array
    if array_spec.offset:
        array = array + array_spec.offset
    if array_spec.transposed:
        array = array.swapaxes(1, 2)
    by_md5 = resource.payload_sha256 is None and resource.payload_md5 is not None
    digest = hashlib.md5(usedforsecurity=False) if by_md5 else hashlib.sha256()
    digest.update(idx.encode_header(resource.shape, resource.dtype))
    digest.update(np.ascontiguousarray(array, np.dtype(resource.dtype).newbyteorder(">")).data)
    known = resource.payload_md5 if by_md5 else resource.payload_sha256
    right = digest.hexdigest() == (known or stored.record.payload_sha256)
    return None if right and known is None else right


def _decode(array_spec: ArraySpec, found: VerifiedFile) -> NDArray[Any]:
    """Decode a verified file, and apply the steps of the array spec."""
    resource = array_spec.resource
    try:
        array = idx.decode(found.payload)
    except IdxFormatError as error:
        raise IdxFormatError(f"{found.source}: the digest is right, but {error}") from error
    if array.shape != resource.shape or array.dtype != np.dtype(resource.dtype):
        raise IdxFormatError(
            f"{found.source}: the digest is right, but it holds {array.dtype.name} of shape {array.shape} where "
            f"the spec says {resource.dtype} of shape {resource.shape}"
        )
    if array_spec.column is not None:
        array = array[:, array_spec.column]
    array = array.astype(array_spec.dtype, copy=False)
    if array_spec.offset:
        array = array - array_spec.offset
    return array.swapaxes(1, 2) if array_spec.transposed else array
