"""Building the arrays that are not in the cache: find the file, verify it, decode it, and publish the array."""

from __future__ import annotations

import collections
import errno
import functools
import hashlib
import math
import mmap
import os
import threading
import warnings
from collections.abc import Callable, Iterable, Mapping
from concurrent.futures import FIRST_EXCEPTION, Future, wait
from typing import Any

import numpy as np
from numpy.typing import NDArray

from idxhub.acquire.decode import decode_blocks
from idxhub.acquire.find import find_file
from idxhub.acquire.local import SearchSettings
from idxhub.acquire.verify import VerifiedFile
from idxhub.cache.atomic import CACHE_FOLDER_ADVICE, clean_up_on_sigterm, locked, touch
from idxhub.cache.layout import remove_all_orphans, write_error
from idxhub.cache.store import ArraySummary, Cache, StoredArray
from idxhub.catalog.spec import ArraySpec, DatasetSpec
from idxhub.errors import STOPPED, CacheError, ChecksumError, DownloadError
from idxhub.formats import idx
from idxhub.paths import describe_os_error, format_os_error
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

    If one of them fails, or if Ctrl-C or SIGTERM arrives, the work on all of them ends. If several fail by themselves,
    the error is that of the first one in the order of `arrays`.
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
            _, unfinished = wait(futures.values(), return_when=FIRST_EXCEPTION)
            if unfinished:  # one of the others has failed
                stop.set()
                pool.shutdown(cancel_futures=True)
            failed = _first_failed(futures.values())
            if failed is not None:
                failed.result()  # raises its error
            return {key: future.result() for key, future in futures.items()}
        except BaseException:
            stop.set()
            pool.shutdown(wait=False, cancel_futures=True)
            raise


def _first_failed(futures: Iterable[Future[StoredArray]]) -> Future[StoredArray] | None:
    """The first one that failed by itself, or else the first one that was stopped; None if none has an error."""
    failed = [future for future in futures if not future.cancelled() and future.exception() is not None]
    return next((future for future in failed if not _was_stopped(future.exception())), failed[0] if failed else None)


def _was_stopped(error: BaseException | None) -> bool:
    return isinstance(error, (ChecksumError, DownloadError)) and any(f.why == STOPPED for f in error.failures)


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
        publisher = _Publisher(array_spec, cache)
        if found is None:
            found = search(heartbeat=lambda: touch(lock), receive=publisher.write_array)
        else:
            found.pass_to(publisher.write_array)
        publisher.write_record(found)
        stored = cache.open(array_spec)
    if stored is None:
        # FileNotFoundError makes the load begin again: another process may have removed and replaced the array
        raise CacheError(
            f"{cache.array_file(array_spec)} does not contain what idxhub has just written; "
            "the disk or another program has changed it"
        ) from FileNotFoundError()
    return stored


class _Publisher:
    """Writes an array into the cache while its file is verified, and then the array's record."""

    def __init__(self, array_spec: ArraySpec, cache: Cache) -> None:
        self._array_spec, self._cache = array_spec, cache
        self._summary = ArraySummary(array_spec)

    def write_array(self, blocks: Iterable[bytes | memoryview]) -> None:
        """Decode the content of the file, and publish the array if the content ends without an error."""
        self._summary = self._cache.write_array(self._array_spec, decode_blocks(self._array_spec, blocks))

    def write_record(self, found: VerifiedFile) -> None:
        """Write the record of the array that was published last."""
        record = self._cache.make_record(self._array_spec, self._summary, **_provenance(found))
        record.write(self._cache.record_file(self._array_spec))


def _build_in_memory(
    array_spec: ArraySpec, cache: Cache, search: Callable[..., VerifiedFile], problem: str
) -> StoredArray:
    """Decode an array into private memory, aligned as a mapped one.

    Raises `CacheError` if its file is not found, or if there is not enough memory.
    """
    array: NDArray[Any] = np.empty(0)

    def fill(blocks: Iterable[bytes | memoryview]) -> None:
        nonlocal array
        if not array.size:  # otherwise a file before this one was wrong
            try:
                array = _private_array(array_spec.shape, array_spec.dtype)
            except OSError as error:
                why = f"its data cannot be read into memory: {describe_os_error(error)}"
                raise CacheError(f"{problem}; {why}") from error
        begin, elements = 0, array.reshape(-1)
        for part in decode_blocks(array_spec, blocks):
            elements[begin : begin + len(part)] = part
            begin += len(part)

    try:
        found = search(receive=fill)
    except (ChecksumError, DownloadError) as error:
        advice = "make the cache writable, or name a folder that has the file (data_dir=)"
        raise CacheError(f"{problem}; {advice}. {error}") from error
    warnings.warn(f"{problem}; its data are read from {found.source} into memory", stacklevel=2)
    summary = ArraySummary(array_spec)
    collections.deque(summary.add([array]), maxlen=0)
    return StoredArray(array, cache.make_record(array_spec, summary, **_provenance(found)))


def _private_array(shape: tuple[int, ...], dtype: str) -> NDArray[Any]:
    """A new array that starts on a page of memory, and of which a forked process has a copy of its own."""
    size = math.prod(shape) * np.dtype(dtype).itemsize
    if not size:
        return np.empty(shape, dtype)
    return np.frombuffer(mmap.mmap(-1, size, access=mmap.ACCESS_COPY), dtype).reshape(shape)


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
        return _has_content(array_spec, stored.array, published)
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


def _has_content(array_spec: ArraySpec, array: NDArray[Any], published: VerifiedFile) -> bool:
    elements, begin, equal = array.reshape(-1), 0, True

    def compare(blocks: Iterable[bytes | memoryview]) -> None:
        nonlocal begin, equal
        for part in decode_blocks(array_spec, blocks):
            equal = equal and np.array_equal(part, elements[begin : begin + len(part)])
            begin += len(part)

    published.pass_to(compare)
    return equal and begin == len(elements)
