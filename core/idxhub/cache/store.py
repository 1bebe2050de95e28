"""Decoded arrays: published once as .npy, mapped copy-on-write many times.

Beside each array lies a record (.json) with its checksum and where its bytes came from. An array is handed out
only if its shape and dtype are the spec's and, unless the caller says otherwise, its checksum the record's;
anything else counts as absent and is made again.
"""

from __future__ import annotations

import contextlib
import io
import math
import mmap
import os
from collections.abc import Callable, Iterable, Iterator
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np
from numpy.typing import NDArray

from idxhub._version import __version__
from idxhub.cache.atomic import (
    NewFile,
    appearing,
    locked,
    touch,
    unusable,
    write_atomically,
    write_stream,
)
from idxhub.cache.layout import mark
from idxhub.cache.mapping import map_copy_on_write
from idxhub.cache.record import (
    DAMAGED,
    FORMAT,
    Record,
    RunningSums,
    checksums_of,
    checksums_of_mapped,
    note_origin,
    noted_origin,
    now,
    read_record,
    write_record,
)
from idxhub.catalog.spec import LABEL_DTYPE, Archive, ArraySpec, DatasetSpec, Resource, is_plain_name
from idxhub.errors import ArgumentError
from idxhub.paths import open_regular_file


class Stored(NamedTuple):
    """An array mapped from the cache, and its record."""

    array: NDArray[Any]
    record: Record


class Cache:
    """The folder of one dataset's release inside the cache."""

    def __init__(self, root: Path, spec: DatasetSpec) -> None:
        self.root, self.spec = root, spec
        self.folder = root / f"{spec.name}-{spec.fingerprint}"

    def file(self, file: Resource | Archive) -> Path:
        """Where a downloaded file is kept as published; archives are kept for all the datasets that are in them."""
        if isinstance(file, Archive):
            return self.root / f"archive-{file.md5[:12]}" / file.filename
        return self.folder / file.filename

    def array_file(self, kept: ArraySpec | Resource) -> Path:
        """Where an array is kept; a file stands for the array that is made of it without further steps."""
        return self.folder / f"{_key(kept)}.npy"

    def record_file(self, kept: ArraySpec | Resource) -> Path:
        """Where the array's record is kept."""
        return self.folder / f"{_key(kept)}.json"

    def lock_file(self, kept: ArraySpec | Resource) -> Path:
        """The lock that processes take turns on while the array is made."""
        return self.folder / f".{_key(kept)}.lock"

    def open(self, kept: ArraySpec, *, verify: bool = True) -> Stored | None:
        """Map the published array copy-on-write; None if it is absent or not what it must be.

        The array is of `kept.shape` and `kept.dtype`, its data starts on a 64-byte boundary, and writing into it
        changes neither the file nor any other array. With `verify` every byte is checked first.
        """
        record = self.record(kept)
        if record is None:
            return None
        try:
            with open_regular_file(self.array_file(kept)) as file:
                opened = _map(file, kept)
        except FileNotFoundError:
            return None
        except OSError as error:
            raise unusable(self.array_file(kept), error) from error
        if opened is None:
            return None
        array, mapped = opened
        if verify and checksums_of_mapped(mapped, array.nbytes) != record.xxh3:
            return None
        return Stored(array, record)

    def publish(self, kept: ArraySpec, array: NDArray[Any], **provenance: Any) -> None:
        """Write a verified array and its record; `provenance` is as for `describe`. Raises `CacheError`."""
        mark(self.folder)
        write_atomically(self.array_file(kept), _npy_header(kept), _bytes_of(array))
        self.describe(kept, array, **provenance).write(self.record_file(kept))

    def describe(
        self,
        kept: ArraySpec,
        array: NDArray[Any],
        *,
        payload_sha256: str,
        source: str,
        form: str,
        sha256: str | None = None,
        origin: str | None = None,
    ) -> Record:
        """The record of a verified array; the arguments are as in `Record`."""
        resource, archive = kept.resource, kept.resource.archive
        labels = kept.dtype == LABEL_DTYPE and array.size > 0
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
            steps=kept.steps,
            lowest=int(array.min()) if labels else None,
            highest=int(array.max()) if labels else None,
            published=now(),
            version=__version__,
            xxh3=checksums_of(_bytes_of(array)),
        )

    def derive(self, filename: str, make: Callable[[], Iterable[bytes | memoryview]], *, verify: bool = True) -> Path:
        """A file made from the verified arrays, once: its path. `make` gives its parts. Raises `CacheError`.

        An iterator's next part is made while the one before it is written. Beside the file lies a record of its
        checksums; a file that does not agree with it is made again.
        """
        if not is_plain_name(filename):
            raise ArgumentError("filename", filename, "a plain file name")
        path = self.folder / filename
        if self._is_whole(path, verify=verify):
            return path
        lock = path.with_name(f".{filename}.lock")
        with locked(lock):
            if self._is_whole(path, verify=verify):  # another process may have made it meanwhile
                return path
            parts = make()
            mark(self.folder)
            sums = RunningSums()
            write_stream(path, sums.over(_ahead(parts, lambda: touch(lock))))
            record = {"format": FORMAT, "version": __version__, "size": sums.size, "xxh3": sums.xxh3}
            write_record(path.with_name(f"{filename}.json"), record)
        return path

    def _is_whole(self, path: Path, *, verify: bool) -> bool:
        try:
            record = read_record(path.with_name(f"{path.name}.json"))
            if record["format"] != FORMAT or os.stat(path).st_size != record["size"]:
                return False
            if not verify or not record["size"]:
                return True
            with open_regular_file(path) as file, mmap.mmap(file.fileno(), 0, access=mmap.ACCESS_READ) as mapped:
                return checksums_of_mapped(mapped, len(mapped)) == tuple(record["xxh3"])
        except (FileNotFoundError, *DAMAGED):
            return False
        except OSError as error:
            raise unusable(path, error) from error

    def keep(self, resource: Resource, data: bytes, url: str) -> None:
        """Keep a downloaded file as published, and note where it came from. Raises `CacheError`."""
        mark(self.folder)
        note_origin(self.file(resource), resource, url)
        write_atomically(self.file(resource), data)

    @contextlib.contextmanager
    def receiving(self, archive: Archive, url: str) -> Iterator[NewFile]:
        """A context in which an archive is written as it arrives. It is kept if nothing is raised there, and where it
        came from is noted beside it, for datasets that are read out of it later.
        """
        path = self.file(archive)
        mark(path.parent)
        with appearing(path) as new:
            yield new
        note_origin(path, archive, url)

    def origin(self, path: Path, file: Resource | Archive) -> str | None:
        """Where a kept file was downloaded from; None if `path` is not one, or nothing is known."""
        return noted_origin(path, file) if path == self.file(file) else None

    def record(self, kept: ArraySpec) -> Record | None:
        """The record of a published array; None if there is none, or one that does not belong to `kept`."""
        record, resource = Record.read(self.record_file(kept)), kept.resource
        if record is None or record.md5 != resource.md5 or record.steps != kept.steps:
            return None
        if resource.payload_sha256 not in (None, record.payload_sha256):
            return None
        return record._replace(release=self.spec.release)  # another description of the same files may call it otherwise


def _bytes_of(array: NDArray[Any]) -> memoryview:
    return np.ascontiguousarray(array).reshape(-1).view(np.uint8).data


def _key(kept: ArraySpec | Resource) -> str:
    return kept.key if isinstance(kept, ArraySpec) else kept.stem


def _map(file: io.BufferedReader, kept: ArraySpec) -> tuple[NDArray[Any], Any] | None:
    """Map an array; None if the file is not, to the byte, as long and headed as `publish` writes it."""
    header, dtype = _npy_header(kept), np.dtype(kept.dtype)
    count = math.prod(kept.shape)
    # compared, not parsed: NumPy's parser answers a damaged header with any of half a dozen exceptions
    if os.fstat(file.fileno()).st_size != len(header) + count * dtype.itemsize or file.read(len(header)) != header:
        return None
    mapped = map_copy_on_write(file)
    if count == 0:
        return np.empty(kept.shape, dtype), mapped
    return np.frombuffer(mapped, dtype, offset=len(header)).reshape(kept.shape), mapped


def _npy_header(kept: ArraySpec) -> bytes:
    """The .npy header, version 1.0, of an array, padded so that the data starts on a 64-byte boundary.

    Written here because NumPy's own pads differently from release to release. Source: numpy.lib.format.
    """
    fields = {"descr": np.dtype(kept.dtype).str, "fortran_order": False, "shape": tuple(kept.shape)}
    text = repr(fields).encode("ascii")
    length = -(-(10 + len(text) + 1) // 64) * 64 - 10
    return b"\x93NUMPY\x01\x00" + length.to_bytes(2, "little") + text.ljust(length - 1) + b"\n"


def _ahead(parts: Iterable[bytes | memoryview], alive: Callable[[], None]) -> Iterator[bytes | memoryview]:
    """The same parts, each asked for by another thread while the one before it is used; `alive` is called for each."""
    from idxhub.threads import Threads  # noqa: PLC0415 -- making only

    source = iter(parts)
    with Threads(1) as other:
        coming = other.submit(next, source, None)
        while (part := coming.result()) is not None:
            coming = other.submit(next, source, None)
            alive()
            yield part
