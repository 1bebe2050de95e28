"""Decoded arrays: published once as .npy, mapped copy-on-write many times.

Beside each array lies a record (.json) with its checksum and where its bytes came from. An array is handed out
only if its shape and dtype are the spec's and, unless the caller says otherwise, its checksum the record's;
anything else counts as absent and is made again.
"""

from __future__ import annotations

import contextlib
import io
import json
import math
import mmap
import os
from collections.abc import Callable, Iterable, Iterator, Mapping
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np
import xxhash
from numpy.typing import NDArray

from idxhub._version import __version__
from idxhub.catalog import LABEL_DTYPE, Archive, ArraySpec, DatasetSpec, Resource, is_plain_name
from idxhub.errors import CacheError
from idxhub.storage import (
    NewFile,
    appearing,
    locked,
    open_regular,
    sweep,
    touch,
    unusable,
    write_atomically,
    write_stream,
)

CHUNK = 1 << 22  # bytes under one checksum: small enough that checking a mapped file keeps few pages resident
_RECORD_FORMAT = 4
_NOTE_FORMAT = 1  # of what is noted of a kept file: it outlives the records
_SEAL = "record_xxh3"  # a record's field for the XXH3 of its other fields
_LARGEST_RECORD = 1 << 24  # bytes; 4 TiB of data have one of about this size
# bford.info/cachedir: backup programs leave a folder with this file out, and `remove` knows it by it
_TAG = "CACHEDIR.TAG"
_OWN = (".lock", ".tmp", ".json", ".npy", ".arrow")
_DAMAGED = (ValueError, TypeError, KeyError, RecursionError)  # what comes of reading a record that is
_TAG_CONTENT = b"Signature: 8a477f597d28d172789f06886806bc55\n# Made by idxhub; can be removed.\n"


class Record(NamedTuple):
    """Where a published array came from, and what proves that it is whole: its provenance.

    `md5` and `sha256` are of the published file, the latter None if it is not known; `archive`, its file name, MD5 and
    SHA-256, and `member` are given for a file that was read out of an archive. `source` is the path or URL that the
    bytes were read from, `origin` the URL that the cache first had them from, if they came from a file that it keeps;
    otherwise both are the same. `form` is "published", "recompressed" or "decompressed". `steps` are what was done to
    the decoded array, `lowest` and `highest` its extremes if it holds labels. `published` is when the array was
    written, UTC in ISO 8601, `version` that of idxhub. `xxh3` holds one checksum for each 4 MiB of the array's bytes,
    XXH3 of 64 bits in hex.
    """

    dataset: str
    release: str
    filename: str
    md5: str
    sha256: str | None
    payload_sha256: str
    archive: tuple[str, str, str | None] | None
    member: str | None
    source: str
    origin: str
    form: str
    steps: tuple[str, ...]
    lowest: int | None
    highest: int | None
    published: str
    version: str
    xxh3: tuple[str, ...]
    format: int = _RECORD_FORMAT


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
            with open_regular(self.array_file(kept)) as file:
                opened = _map(file, kept)
        except FileNotFoundError:
            return None
        except OSError as error:
            raise unusable(self.array_file(kept), error) from error
        if opened is None:
            return None
        array, mapped = opened
        if verify and _checksums(mapped, array.nbytes) != record.xxh3:
            return None
        return Stored(array, record)

    def publish(
        self,
        kept: ArraySpec,
        array: NDArray[Any],
        *,
        payload_sha256: str,
        source: str,
        form: str,
        sha256: str | None = None,
        origin: str | None = None,
    ) -> None:
        """Write a verified array and its record; what is said of its bytes is as in `Record`. Raises `CacheError`."""
        data = np.ascontiguousarray(array).reshape(-1).view(np.uint8).data
        self._mark(self.folder)
        write_atomically(self.array_file(kept), _npy_header(kept), data)
        resource, archive = kept.resource, kept.resource.archive
        labels = kept.dtype == LABEL_DTYPE and array.size > 0
        record = Record(
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
            published=_now(),
            version=__version__,
            xxh3=_checksums_of(data),
        )
        _write_record(self.record_file(kept), record._asdict())

    def derive(self, filename: str, make: Callable[[], Iterable[bytes | memoryview]], *, verify: bool = True) -> Path:
        """A file made from the verified arrays, once: its path. `make` gives its parts. Raises `CacheError`.

        An iterator's next part is made while the one before it is written. Beside the file lies a record of its
        checksums; a file that does not agree with it is made again.
        """
        if not is_plain_name(filename):
            raise ValueError(f"{filename!r} is not a plain file name")
        path = self.folder / filename
        if self._is_whole(path, verify=verify):
            return path
        lock = path.with_name(f".{filename}.lock")
        with locked(lock):
            if self._is_whole(path, verify=verify):  # another process may have made it meanwhile
                return path
            parts = make()
            self._mark(self.folder)
            sums = _RunningSums()
            write_stream(path, sums.over(_ahead(parts, lambda: touch(lock))))
            record = {"format": _RECORD_FORMAT, "version": __version__, "size": sums.size, "xxh3": sums.xxh3}
            _write_record(path.with_name(f"{filename}.json"), record)
        return path

    def _is_whole(self, path: Path, *, verify: bool) -> bool:
        try:
            record = _read_record(path.with_name(f"{path.name}.json"))
            if record["format"] != _RECORD_FORMAT or os.stat(path).st_size != record["size"]:
                return False
            if not verify or not record["size"]:
                return True
            with open_regular(path) as file, mmap.mmap(file.fileno(), 0, access=mmap.ACCESS_READ) as mapped:
                return _checksums(mapped, len(mapped)) == tuple(record["xxh3"])
        except FileNotFoundError:
            return False
        except _DAMAGED:
            return False
        except OSError as error:
            raise unusable(path, error) from error

    def keep(self, resource: Resource, data: bytes, url: str) -> None:
        """Keep a downloaded file as published, and note where it came from. Raises `CacheError`."""
        self._mark(self.folder)
        _note(self.file(resource), resource, url)
        write_atomically(self.file(resource), data)

    @contextlib.contextmanager
    def receiving(self, archive: Archive, url: str) -> Iterator[NewFile]:
        """A context in which an archive is written as it arrives. It is kept if nothing is raised there, and where it
        came from is noted beside it, for datasets that are read out of it later.
        """
        path = self.file(archive)
        self._mark(path.parent)
        with appearing(path) as new:
            yield new
        _note(path, archive, url)

    def origin(self, path: Path, file: Resource | Archive) -> str | None:
        """Where a kept file was downloaded from; None if `path` is not one, or nothing is known."""
        if path != self.file(file):
            return None
        try:
            note = _read_record(_note_file(path))
            return str(note["url"]) if note["format"] == _NOTE_FORMAT and note["md5"] == file.md5 else None
        except (OSError, *_DAMAGED):  # lost or damaged: the file is not
            return None

    @staticmethod
    def _mark(folder: Path) -> None:
        if not _is_ours(folder / _TAG):
            write_atomically(folder / _TAG, _TAG_CONTENT)

    def record(self, kept: ArraySpec) -> Record | None:
        """The record of a published array; None if there is none, or one that does not belong to `kept`."""
        path, resource = self.record_file(kept), kept.resource
        try:
            fields = _read_record(path)
            archive = fields["archive"] and tuple(fields["archive"])
            sequences = {"archive": archive, "steps": tuple(fields["steps"]), "xxh3": tuple(fields["xxh3"])}
            record = Record(**{**fields, **sequences})
        except FileNotFoundError:
            return None
        except _DAMAGED:  # or of another version
            return None
        except OSError as error:
            raise unusable(path, error) from error
        if record.format != _RECORD_FORMAT or record.md5 != resource.md5 or record.steps != kept.steps:
            return None
        if resource.payload_sha256 not in (None, record.payload_sha256):
            return None
        return record


def _key(kept: ArraySpec | Resource) -> str:
    return kept.key if isinstance(kept, ArraySpec) else kept.stem


def _note(path: Path, file: Resource | Archive, url: str) -> None:
    """Note beside a kept file where it was downloaded from."""
    note = {"format": _NOTE_FORMAT, "version": __version__, "url": url, "md5": file.md5, "downloaded": _now()}
    _write_record(_note_file(path), note)


def _note_file(path: Path) -> Path:
    return path.with_name(f"{path.name}.origin.json")  # that of a file without ending would be its array's record


def _now() -> str:
    from datetime import UTC, datetime  # noqa: PLC0415 -- as above

    return datetime.now(UTC).isoformat(timespec="seconds")


def _write_record(path: Path, fields: Mapping[str, Any]) -> None:
    """Write a record as JSON, with a checksum of itself."""
    write_atomically(path, json.dumps({**fields, _SEAL: _seal(fields)}, indent=1).encode())


def _read_record(path: Path) -> dict[str, Any]:
    """A record's fields; `ValueError`, or one of its like, if it is not as it was written."""
    with open_regular(path) as file:
        size = os.fstat(file.fileno()).st_size  # reading allocates what it is asked for, not what is there
        fields = json.loads(file.read(min(size, _LARGEST_RECORD)))
    if not isinstance(fields, dict) or fields.pop(_SEAL, None) != _seal(fields):
        raise ValueError(f"{path} is not a record as idxhub writes them")
    return fields


def _seal(fields: Mapping[str, Any]) -> str:
    return xxhash.xxh3_64_hexdigest(json.dumps(fields, sort_keys=True).encode())


def sweep_all(root: Path) -> None:
    """Remove the temp files that killed processes left long ago, in all that idxhub made in a cache."""
    with contextlib.suppress(CacheError):  # what cannot be read is for others to say
        for folder in datasets_in(root):
            sweep(folder)


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
    """The folders in a cache that idxhub made; none where it is not made yet.

    Raises `CacheError` if it, or one of them, cannot be read: what is not known is not said to be empty.
    """
    try:
        with os.scandir(root) as entries:
            found = [entry.name for entry in entries if _is_named(entry.name) and not entry.is_symlink()]
    except OSError as error:
        if isinstance(error, FileNotFoundError) and not os.path.islink(root):
            return []
        raise unusable(root, error) from error
    return sorted(root / name for name in found if _is_tagged(root / name))


def _is_named(folder: str) -> bool:
    name, _, fingerprint = folder.rpartition("-")
    return bool(name) and len(fingerprint) == 12 and set(fingerprint) <= set("0123456789abcdef")


def _is_tagged(folder: Path) -> bool:
    try:
        os.stat(folder / _TAG)
    except PermissionError as error:  # perhaps
        raise unusable(folder, error) from error
    except OSError:
        return False
    return _is_ours(folder / _TAG)


def is_own(path: Path) -> bool:
    """Whether a file is one that idxhub writes for itself, in a folder that it made: not one kept as published."""
    return path.suffix in _OWN and _is_ours(path.parent / _TAG)


def recorded(path: Path) -> dict[str, str]:
    """What the records beside a file that idxhub keeps say of it: MD5s, as published, and whose each is: a dataset's
    name, or the file's own if it is an archive.
    """
    found = {}
    for each in sorted(path.parent.glob("*.json")) if _is_ours(path.parent / _TAG) else []:
        with contextlib.suppress(OSError, *_DAMAGED):  # or of another kind
            fields = _read_record(each)
            if each == _note_file(path) and path.parent.name.startswith("archive-"):
                found[str(fields["md5"])] = path.name
            elif fields["filename"] == path.name:
                found[str(fields["md5"])] = str(fields["dataset"])
    return found


def _is_ours(tag: Path) -> bool:
    try:
        with open_regular(tag) as file:
            return file.read(len(_TAG_CONTENT) + 1) == _TAG_CONTENT
    except OSError:  # not to be read, so not to be removed
        return False


def size_of(folder: Path) -> int:
    """Bytes of the files in a folder. Raises `CacheError`."""
    try:
        return sum(file.stat().st_size for file in folder.iterdir() if file.is_file())
    except OSError as error:
        raise unusable(folder, error) from error


def _map(file: io.BufferedReader, kept: ArraySpec) -> tuple[NDArray[Any], mmap.mmap] | None:
    """Map an array; None if the file is not, to the byte, as long and headed as `publish` writes it."""
    header, dtype = _npy_header(kept), np.dtype(kept.dtype)
    count = math.prod(kept.shape)
    # compared, not parsed: NumPy's parser answers a damaged header with any of half a dozen exceptions
    if os.fstat(file.fileno()).st_size != len(header) + count * dtype.itemsize or file.read(len(header)) != header:
        return None
    mapped = mmap.mmap(file.fileno(), 0, access=mmap.ACCESS_COPY)
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


class _RunningSums:
    """The checksums of a file, reckoned while its parts pass by."""

    def __init__(self) -> None:
        self.size, self.xxh3 = 0, list[str]()

    def over(self, parts: Iterable[bytes | memoryview]) -> Iterator[memoryview]:
        """The same parts."""
        chunk = xxhash.xxh3_64()
        for part in parts:
            whole = rest = memoryview(part).cast("B")
            while rest:
                begun = self.size % CHUNK
                piece, rest = rest[: CHUNK - begun], rest[CHUNK - begun :]
                if begun:
                    self.xxh3.pop()
                else:
                    chunk.reset()
                chunk.update(piece)
                self.xxh3.append(chunk.hexdigest())
                self.size += len(piece)
            yield whole


def _checksums(mapped: mmap.mmap, size: int) -> tuple[str, ...]:
    """The checksum of each chunk of the last `size` bytes, leaving their pages out of the process's resident memory."""
    sums = []
    with memoryview(mapped) as whole:
        for begin in range(len(whole) - size, len(whole), CHUNK):
            with whole[begin : begin + CHUNK] as chunk:
                sums.append(xxhash.xxh3_64_hexdigest(chunk))
            _release(mapped, begin, min(begin + CHUNK, len(whole)))
    return tuple(sums)


def _checksums_of(data: memoryview) -> tuple[str, ...]:
    return tuple(xxhash.xxh3_64_hexdigest(data[begin : begin + CHUNK]) for begin in range(0, len(data), CHUNK))


def _release(mapped: mmap.mmap, begin: int, end: int) -> None:
    # the page that two chunks share is read again from the page cache: cheap, and never wrong,
    # since nothing has been written into the mapping yet
    if hasattr(mmap, "MADV_DONTNEED"):
        begin -= begin % mmap.PAGESIZE
        mapped.madvise(mmap.MADV_DONTNEED, begin, end - begin)
