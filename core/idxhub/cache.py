"""Decoded arrays: published once as .npy, mapped copy-on-write many times.

Beside each array lies a record (.json) with its checksum and where its bytes came from. An array is handed out
only if its shape and dtype are the spec's and, unless the caller says otherwise, its checksum the record's;
anything else counts as absent and is made again.
"""

from __future__ import annotations

import io
import json
import math
import mmap
import os
import threading
import zlib
from collections.abc import Callable, Iterable
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from idxhub._version import __version__
from idxhub.catalog import DatasetSpec, Resource, is_plain_name
from idxhub.storage import locked, open_regular, unusable, write_atomically

CHUNK = 1 << 22  # bytes under one CRC-32: small enough that checking a mapped file keeps few pages resident
_RECORD_FORMAT = 1
_LARGEST_RECORD = 1 << 24  # bytes; 4 TiB of data have one of about this size
# bford.info/cachedir: backup programs leave a folder with this file out, and `remove` knows it by it
_TAG = "CACHEDIR.TAG"
_TAG_CONTENT = b"Signature: 8a477f597d28d172789f06886806bc55\n# Made by idxhub; can be removed.\n"


@dataclass(frozen=True)
class Record:
    """Where a published array came from, and what proves that it is whole.

    `source` is the path or URL that the bytes were read from; `form` is "published", "recompressed" or
    "decompressed"; `crc32` holds one checksum for each 4 MiB of the array's bytes.
    """

    dataset: str
    release: str
    filename: str
    md5: str
    sha256: str | None
    payload_sha256: str
    source: str
    form: str
    published: str
    version: str
    crc32: tuple[int, ...]
    format: int = _RECORD_FORMAT


@dataclass(frozen=True)
class Stored:
    """An array mapped from the cache, and its record."""

    array: NDArray[Any]
    record: Record


class Cache:
    """The folder of one dataset's release inside the cache."""

    def __init__(self, root: Path, spec: DatasetSpec) -> None:
        self.root, self.spec = root, spec
        self.folder = root / f"{spec.name}-{spec.fingerprint}"

    def file(self, resource: Resource) -> Path:
        """Where a downloaded file is kept as published."""
        return self.folder / resource.filename

    def array_file(self, resource: Resource) -> Path:
        """Where its decoded array is kept."""
        return self.folder / f"{resource.stem}.npy"

    def record_file(self, resource: Resource) -> Path:
        """Where the array's record is kept."""
        return self.folder / f"{resource.stem}.json"

    def lock_file(self, resource: Resource) -> Path:
        """The lock that processes take turns on while the array is made."""
        return self.folder / f".{resource.stem}.lock"

    def open(self, resource: Resource, *, verify: bool = True) -> Stored | None:
        """Map the published array copy-on-write; None if it is absent or not what it must be.

        The array is of `resource.shape` and `resource.dtype`, its data starts on a 64-byte boundary, and writing
        into it changes neither the file nor any other array. With `verify` every byte is checked first.
        """
        record = self.record(resource)
        if record is None:
            return None
        try:
            with open_regular(self.array_file(resource)) as file:
                opened = _map(file, resource)
        except FileNotFoundError:
            return None
        except OSError as error:
            raise unusable(self.array_file(resource), error) from error
        if opened is None:
            return None
        array, mapped = opened
        if verify and _checksums(mapped, array.nbytes) != record.crc32:
            return None
        return Stored(array, record)

    def publish(self, resource: Resource, array: NDArray[Any], *, payload_sha256: str, source: str, form: str) -> None:
        """Write a verified array and its record. Raises `CacheError`."""
        data = np.ascontiguousarray(array).reshape(-1).view(np.uint8).data
        self._mark()
        # mapping, which is what most calls do, needs neither of these
        from concurrent.futures import ThreadPoolExecutor  # noqa: PLC0415
        from datetime import UTC, datetime  # noqa: PLC0415

        with ThreadPoolExecutor(1) as other:  # both let go of the GIL
            crc32 = other.submit(_checksums_of, data)
            write_atomically(self.array_file(resource), _npy_header(resource), data)
        record = Record(
            dataset=self.spec.name,
            release=self.spec.release,
            filename=resource.filename,
            md5=resource.md5,
            sha256=resource.sha256,
            payload_sha256=payload_sha256,
            source=source,
            form=form,
            published=datetime.now(UTC).isoformat(timespec="seconds"),
            version=__version__,
            crc32=crc32.result(),
        )
        write_atomically(self.record_file(resource), json.dumps(asdict(record), indent=1).encode())

    def derive(self, filename: str, make: Callable[[], Iterable[bytes | memoryview]], *, verify: bool = True) -> Path:
        """A file made from the verified arrays, once: its path. `make` gives its parts. Raises `CacheError`.

        Beside it lies a record of its checksums; a file that does not agree with it is made again.
        """
        if not is_plain_name(filename):
            raise ValueError(f"{filename!r} is not a plain file name")
        path = self.folder / filename
        if self._is_whole(path, verify=verify):
            return path
        with locked(path.with_name(f".{filename}.lock")):
            if self._is_whole(path, verify=verify):  # another process may have made it meanwhile
                return path
            parts = [memoryview(part).cast("B") for part in make()]
            whole = parts[0] if len(parts) == 1 else memoryview(b"".join(parts))
            self._mark()
            write_atomically(path, whole)
            sums = {"size": len(whole), "crc32": _checksums_of(whole)}
            record = {"format": _RECORD_FORMAT, "version": __version__, **sums}
            write_atomically(path.with_name(f"{filename}.json"), json.dumps(record).encode())
        return path

    def _is_whole(self, path: Path, *, verify: bool) -> bool:
        try:
            record = _read_record(path.with_name(f"{path.name}.json"))
            if record["format"] != _RECORD_FORMAT or os.stat(path).st_size != record["size"]:
                return False
            if not verify or not record["size"]:
                return True
            with open_regular(path) as file, mmap.mmap(file.fileno(), 0, access=mmap.ACCESS_READ) as mapped:
                return _checksums(mapped, len(mapped)) == tuple(record["crc32"])
        except FileNotFoundError:
            return False
        except (ValueError, TypeError, KeyError, RecursionError):  # damaged
            return False
        except OSError as error:
            raise unusable(path, error) from error

    def keep(self, resource: Resource, data: bytes) -> None:
        """Keep a downloaded file as published. Raises `CacheError`."""
        self._mark()
        write_atomically(self.file(resource), data)

    def _mark(self) -> None:
        if not os.path.exists(self.folder / _TAG):
            write_atomically(self.folder / _TAG, _TAG_CONTENT)

    def record(self, resource: Resource) -> Record | None:
        """The record of a published array; None if there is none, or one that does not belong to `resource`."""
        path = self.record_file(resource)
        try:
            fields = _read_record(path)
            record = Record(**{**fields, "crc32": tuple(fields["crc32"])})
        except FileNotFoundError:
            return None
        except (ValueError, TypeError, KeyError, RecursionError):  # damaged, or of another version
            return None
        except OSError as error:
            raise unusable(path, error) from error
        if record.format != _RECORD_FORMAT or record.md5 != resource.md5:
            return None
        if resource.payload_sha256 not in (None, record.payload_sha256):
            return None
        return record


def _read_record(path: Path) -> Any:
    with open_regular(path) as file:
        return json.loads(file.read(_LARGEST_RECORD))


def remove(root: Path) -> int:
    """Remove the datasets in a cache; returns the bytes freed. Only folders that idxhub made are touched."""
    freed = 0
    for folder in datasets_in(root):
        freed += size_of(folder)
        try:
            import shutil  # noqa: PLC0415 -- removing only

            shutil.rmtree(folder)
        except OSError as error:
            raise unusable(folder, error) from error
    return freed


def datasets_in(root: Path) -> list[Path]:
    """The folders in a cache that idxhub made."""
    if not os.path.isdir(root):
        return []
    tags = root.glob(f"*-{'[0-9a-f]' * 12}/{_TAG}")
    return sorted(tag.parent for tag in tags if not tag.parent.is_symlink() and _is_ours(tag))


def _is_ours(tag: Path) -> bool:
    try:
        with open_regular(tag) as file:
            return file.read(len(_TAG_CONTENT) + 1) == _TAG_CONTENT
    except OSError:  # not to be read, so not to be removed
        return False


def size_of(folder: Path) -> int:
    """Bytes of the files in a folder."""
    return sum(file.stat().st_size for file in folder.iterdir() if file.is_file())


def _map(file: io.BufferedReader, resource: Resource) -> tuple[NDArray[Any], mmap.mmap] | None:
    """Map the resource's array; None if the file is not, to the byte, as long and headed as `publish` writes it."""
    header, dtype = _npy_header(resource), np.dtype(resource.dtype)
    count = math.prod(resource.shape)
    # compared, not parsed: NumPy's parser answers a damaged header with any of half a dozen exceptions
    if os.fstat(file.fileno()).st_size != len(header) + count * dtype.itemsize or file.read(len(header)) != header:
        return None
    mapped = mmap.mmap(file.fileno(), 0, access=mmap.ACCESS_COPY)
    if count == 0:
        return np.empty(resource.shape, dtype), mapped
    return np.frombuffer(mapped, dtype, offset=len(header)).reshape(resource.shape), mapped


def _npy_header(resource: Resource) -> bytes:
    """The .npy header, version 1.0, of the resource's array, padded so that the data starts on a 64-byte boundary.

    Written here because NumPy's own pads differently from release to release. Source: numpy.lib.format.
    """
    fields = {"descr": np.dtype(resource.dtype).str, "fortran_order": False, "shape": tuple(resource.shape)}
    text = repr(fields).encode("ascii")
    length = -(-(10 + len(text) + 1) // 64) * 64 - 10
    return b"\x93NUMPY\x01\x00" + length.to_bytes(2, "little") + text.ljust(length - 1) + b"\n"


def _checksums(mapped: mmap.mmap, size: int) -> tuple[int, ...]:
    """CRC-32 of each chunk of the last `size` bytes, leaving their pages out of the process's resident memory."""
    if size == 0:
        return ()
    with memoryview(mapped) as whole:
        start = len(whole) - size
        with whole[start:] as data:
            sums = _checksums_of(data, lambda begin, end: _release(mapped, start + begin, start + end))
    return sums


def _checksums_of(data: memoryview, done: Any = None) -> tuple[int, ...]:
    def one(begin: int) -> int:
        end = min(begin + CHUNK, len(data))
        with data[begin:end] as chunk:
            value = zlib.crc32(chunk)
        if done is not None:
            done(begin, end)
        return value

    starts = range(0, len(data), CHUNK)
    sums: list[int | None] = [None] * len(starts)

    def work(turn: int, turns: int) -> None:
        for k in range(turn, len(starts), turns):
            sums[k] = one(starts[k])

    # zlib lets go of the GIL; plain threads, since the usual pool takes longer to import than this to run
    turns = max(1, min(len(starts), os.cpu_count() or 1, 8))
    helpers = [threading.Thread(target=work, args=(turn, turns)) for turn in range(1, turns)]
    for helper in helpers:
        helper.start()
    work(0, turns)
    for helper in helpers:
        helper.join()
    whole = tuple(value for value in sums if value is not None)
    if len(whole) < len(sums):
        raise OSError(None, "a part of the array could not be read")
    return whole


def _release(mapped: mmap.mmap, begin: int, end: int) -> None:
    # the page that two chunks share is read again from the page cache: cheap, and never wrong,
    # since nothing has been written into the mapping yet
    if hasattr(mmap, "MADV_DONTNEED"):
        begin -= begin % mmap.PAGESIZE
        mapped.madvise(mmap.MADV_DONTNEED, begin, end - begin)
