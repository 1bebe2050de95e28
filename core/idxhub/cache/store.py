"""The decoded arrays of a dataset: each is published once, as .npy, and then mapped copy-on-write.

Beside each array there is a record (.json) with the array's checksums and the origin of its bytes. An array is used
only if it has the shape and dtype that the spec says, and the checksums that the record says (unless the caller turns
this check off). Otherwise it counts as absent and is built again.
"""

from __future__ import annotations

import contextlib
import io
import itertools
import math
import os
from collections.abc import Callable, Iterable, Iterator
from pathlib import Path
from typing import TYPE_CHECKING, Any, NamedTuple

import numpy as np

from idxhub._version import __version__
from idxhub.cache.atomic import (
    NewFile,
    cache_error,
    locked,
    open_atomically,
    touch,
    write_atomically,
    write_parts_atomically,
)
from idxhub.cache.layout import make_tagged_folder
from idxhub.cache.mapping import map_copy_on_write
from idxhub.cache.record import (
    DAMAGED_RECORD_ERRORS,
    FORMAT,
    Record,
    RunningChecksums,
    compute_file_checksums,
    read_origin,
    read_record,
    utc_now,
    write_origin,
    write_record,
)
from idxhub.catalog.resource import Archive, Resource, is_plain_name
from idxhub.catalog.spec import LABEL_DTYPE, ArraySpec, DatasetSpec
from idxhub.errors import ArgumentError
from idxhub.paths import open_regular_file

if TYPE_CHECKING:  # importing numpy.typing takes 0.7 ms
    from numpy.typing import NDArray


class StoredArray(NamedTuple):
    """An array mapped from the cache, and its record."""

    array: NDArray[Any]
    record: Record


class ArraySummary(RunningChecksums):
    """What the record says of an array's elements: their checksums and, for labels, the extremes."""

    def __init__(self, array_spec: ArraySpec) -> None:
        super().__init__()
        self._are_labels = array_spec.dtype == LABEL_DTYPE
        self.lowest: int | None = None
        self.highest: int | None = None

    def add(self, parts: Iterable[NDArray[Any]]) -> Iterator[memoryview]:
        """Yield the bytes of each part of the array, after adding the part to the summary."""
        return self.hash_parts(map(self._add_extremes, parts))

    def _add_extremes(self, part: NDArray[Any]) -> memoryview:
        if self._are_labels and part.size:
            lowest, highest = int(part.min()), int(part.max())
            self.lowest = lowest if self.lowest is None else min(self.lowest, lowest)
            self.highest = highest if self.highest is None else max(self.highest, highest)
        return np.ascontiguousarray(part).reshape(-1).view(np.uint8).data


class Cache:
    """The folder of one dataset's release inside the cache."""

    def __init__(self, root: Path, spec: DatasetSpec) -> None:
        self.root, self.spec = root, spec
        self.folder = root / f"{spec.name}-{spec.fingerprint}"

    def file(self, file: Resource | Archive) -> Path:
        """The path of a published file, if it was downloaded. All datasets in an archive share the archive's path."""
        if isinstance(file, Archive):
            return self.root / f"archive-{file.md5[:12]}" / file.filename
        return self.folder / file.filename

    def array_file(self, array_spec: ArraySpec | Resource) -> Path:
        """The path of an array. A `Resource` means the array that is decoded from it and not changed further."""
        return self.folder / f"{_array_key(array_spec)}.npy"

    def record_file(self, array_spec: ArraySpec | Resource) -> Path:
        """The path of an array's record."""
        return self.folder / f"{_array_key(array_spec)}.json"

    def lock_file(self, array_spec: ArraySpec | Resource) -> Path:
        """The path of the lock that a process holds while it builds an array."""
        return self.folder / f".{_array_key(array_spec)}.lock"

    def open(self, array_spec: ArraySpec, *, verify: bool = True) -> StoredArray | None:
        """Map a published array copy-on-write; None if it is absent or damaged. Raises `CacheError`.

        The array has the shape and the dtype of `array_spec`. Its data starts on a 64-byte boundary. Writing into the
        array changes neither the file nor any other array. With `verify`, every byte is checked first.
        """
        record = self.record(array_spec)
        if record is None:
            return None
        try:
            with open_regular_file(self.array_file(array_spec)) as file:
                array = _map_array(file, array_spec)
                if array is None or (verify and compute_file_checksums(file, array.nbytes) != record.xxh3):
                    return None
        except FileNotFoundError:
            return None
        except OSError as error:
            raise cache_error(self.array_file(array_spec), error) from error
        return StoredArray(array, record)

    def write_array(self, array_spec: ArraySpec, parts: Iterable[NDArray[Any]]) -> ArraySummary:
        """Write an array, whose elements come in parts, in their order. Raises `CacheError`.

        The parts may come from a file that is not verified yet, if the iteration ends with an error unless the file is
        right: then nothing is published. The array counts as absent until its record is written, too.
        """
        make_tagged_folder(self.folder)
        summary = ArraySummary(array_spec)
        header = memoryview(_npy_header(array_spec))
        write_parts_atomically(self.array_file(array_spec), itertools.chain([header], summary.add(parts)))
        return summary

    def make_record(
        self,
        array_spec: ArraySpec,
        summary: ArraySummary,
        *,
        payload_sha256: str,
        source: str,
        form: str,
        sha256: str | None = None,
        origin: str | None = None,
    ) -> Record:
        """The record of a verified array. The arguments are described at `Record`."""
        resource, archive = array_spec.resource, array_spec.resource.archive
        return Record(
            dataset=self.spec.name,
            release=self.spec.release,
            filename=resource.filename,
            md5=resource.md5,
            sha256=resource.sha256 or sha256,
            payload_sha256=payload_sha256,
            archive=None if archive is None else (archive.filename, archive.md5, archive.sha256),
            member=resource.member,
            source=source,
            origin=origin or source,
            form=form,
            steps=array_spec.steps,
            lowest=summary.lowest,
            highest=summary.highest,
            published=utc_now(),
            version=__version__,
            xxh3=tuple(summary.xxh3),
        )

    def derive(self, filename: str, make: Callable[[], Iterable[bytes | memoryview]], *, verify: bool = True) -> Path:
        """The path of a file that is made from the verified arrays, if it does not exist yet. Raises `CacheError`.

        `make` returns the parts of the file. If it returns an iterator, the next part is made while the one before it
        is written. The file has a record with its checksums; a file that does not agree with its record is made again.
        """
        if not is_plain_name(filename):
            raise ArgumentError("filename", filename, "a plain file name")
        path = self.folder / filename
        if self._is_intact(path, verify=verify):
            return path
        lock = path.with_name(f".{filename}.lock")
        with locked(lock):
            if self._is_intact(path, verify=verify):  # another process may have made it in the meantime
                return path
            parts = make()
            make_tagged_folder(self.folder)
            checksums = RunningChecksums()
            write_parts_atomically(path, checksums.hash_parts(_prefetch_parts(parts, lambda: touch(lock))))
            record = {"format": FORMAT, "version": __version__, "size": checksums.size, "xxh3": checksums.xxh3}
            write_record(path.with_name(f"{filename}.json"), record)
        return path

    def _is_intact(self, path: Path, *, verify: bool) -> bool:
        """Whether a derived file exists and agrees with its record; without `verify`, only its size is compared."""
        try:
            record = read_record(path.with_name(f"{path.name}.json"))
            if record["format"] != FORMAT or os.stat(path).st_size != record["size"]:
                return False
            if not verify or not record["size"]:
                return True
            with open_regular_file(path) as file:
                return compute_file_checksums(file, record["size"]) == tuple(record["xxh3"])
        except (FileNotFoundError, *DAMAGED_RECORD_ERRORS):
            return False
        except OSError as error:
            raise cache_error(path, error) from error

    def keep_file(self, resource: Resource, data: bytes, url: str) -> None:
        """Write a downloaded file into the cache, as published, and its origin. Raises `CacheError`."""
        make_tagged_folder(self.folder)
        write_origin(self.file(resource), resource, url)
        write_atomically(self.file(resource), data)

    @contextlib.contextmanager
    def receive_file(self, file: Resource | Archive, url: str) -> Iterator[NewFile]:
        """A context in which a published file is written into the cache while it is downloaded. Raises `CacheError`.

        If the context ends without an error, and the file is not discarded, it is in the cache, with its origin.
        """
        path = self.file(file)
        make_tagged_folder(path.parent)
        with open_atomically(path) as new:
            yield new
        if not new.is_discarded:
            write_origin(path, file, url)

    def origin(self, path: Path, file: Resource | Archive) -> str | None:
        """The URL that the cache's published file was downloaded from; None for other paths, and if it is not known."""
        return read_origin(path, file) if path == self.file(file) else None

    def record(self, array_spec: ArraySpec) -> Record | None:
        """The record of a published array; None if there is none, or if it does not belong to `array_spec`."""
        record, resource = Record.read(self.record_file(array_spec)), array_spec.resource
        if record is None or record.md5 != resource.md5 or record.steps != array_spec.steps:
            return None
        if resource.payload_sha256 not in (None, record.payload_sha256):
            return None
        # the record may have been written for another spec of the same files, which names the release differently
        return record._replace(release=self.spec.release)


def _array_key(array_spec: ArraySpec | Resource) -> str:
    return array_spec.key if isinstance(array_spec, ArraySpec) else array_spec.stem


def _map_array(file: io.BufferedReader, array_spec: ArraySpec) -> NDArray[Any] | None:
    """Map an array; None if the file's size or header differs in any byte from what `write_array` writes."""
    header, dtype = _npy_header(array_spec), np.dtype(array_spec.dtype)
    count = math.prod(array_spec.shape)
    # the header is compared, not parsed: for a damaged one NumPy's parser raises any of half a dozen exceptions
    if os.fstat(file.fileno()).st_size != len(header) + count * dtype.itemsize or file.read(len(header)) != header:
        return None
    if count == 0:
        return np.empty(array_spec.shape, dtype)
    return np.frombuffer(map_copy_on_write(file), dtype, offset=len(header)).reshape(array_spec.shape)


def _npy_header(array_spec: ArraySpec) -> bytes:
    """The .npy header (version 1.0) of an array, padded so that the data starts on a 64-byte boundary.

    NumPy's own function is not used, because its padding differs between releases. Source: numpy.lib.format.
    """
    fields = {"descr": np.dtype(array_spec.dtype).str, "fortran_order": False, "shape": tuple(array_spec.shape)}
    text = repr(fields).encode("ascii")
    length = -(-(10 + len(text) + 1) // 64) * 64 - 10
    return b"\x93NUMPY\x01\x00" + length.to_bytes(2, "little") + text.ljust(length - 1) + b"\n"


def _prefetch_parts(parts: Iterable[bytes | memoryview], heartbeat: Callable[[], None]) -> Iterator[bytes | memoryview]:
    """Yield the same parts. A thread makes the next part while the caller uses the one before it.

    `heartbeat` is called for each part.
    """
    from idxhub.threads import Threads  # noqa: PLC0415 -- needed for making a file alone

    source = iter(parts)
    with Threads(1) as pool:
        upcoming = pool.submit(next, source, None)
        while (part := upcoming.result()) is not None:
            upcoming = pool.submit(next, source, None)
            heartbeat()
            yield part
