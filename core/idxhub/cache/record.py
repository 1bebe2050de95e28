"""The records beside the cache's files: where the bytes came from, and the checksums that prove a file intact.

A record is JSON and contains a checksum of itself. A damaged record counts as absent.
"""

from __future__ import annotations

import io
import json
import mmap
import operator
import os
from collections.abc import Iterable, Iterator, Mapping
from pathlib import Path
from types import NoneType
from typing import Any, NamedTuple

import xxhash

from idxhub._version import __version__
from idxhub.cache.atomic import cache_error, write_atomically
from idxhub.catalog.resource import Archive, Resource
from idxhub.paths import open_regular_file

CHUNK = 1 << 22  # bytes under one checksum: small enough that checking a mapped file keeps few pages resident
FORMAT = 4  # the number of the format of array records
DAMAGED_RECORD_ERRORS = (ValueError, TypeError, KeyError, RecursionError)  # what reading a damaged record may raise
_ORIGIN_FORMAT = 1  # the number of the format of origin files, which stay valid when the format of records changes
_CHECKSUM_FIELD = "record_xxh3"  # the field that holds the XXH3 of a record's other fields
_MAX_RECORD_SIZE = 1 << 24  # bytes; the record of 4 TiB of data is about this large


class Record(NamedTuple):
    """The provenance of a published array: where its bytes came from, and the checksums that prove it intact.

    `md5` and `sha256` are those of the published file; `sha256` is None if it is not known. For a file that was read
    from an archive, `archive` is the archive's file name, MD5 and SHA-256, and `member` is the name of the member.
    `source` is the path or URL that the bytes were read from. `origin` is the URL that they were downloaded from, if
    they were read from a file in the cache; otherwise it is the same as `source`. `form` is "published", "recompressed"
    or "decompressed". `steps` lists how the decoded array was changed. `lowest` and `highest` are the extremes of an
    array of labels. `published` is the time when the array was written, UTC in ISO 8601, and `version` the version of
    idxhub that wrote it. `xxh3` has one checksum for each 4 MiB of the array's bytes: 64-bit XXH3 in hexadecimal.
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
    format: int = FORMAT

    @classmethod
    def read(cls, path: Path) -> Record | None:
        """The record in a file; None if it is absent, damaged, or of another format. Raises `CacheError`."""
        try:
            fields = read_record(path)
            archive = fields["archive"] and tuple(fields["archive"])
            sequences = {"archive": archive, "steps": tuple(fields["steps"]), "xxh3": tuple(fields["xxh3"])}
            record = cls(**{**fields, **sequences})
            _check_types(record)
        except (FileNotFoundError, *DAMAGED_RECORD_ERRORS):  # a record of another version may have other fields
            return None
        except OSError as error:
            raise cache_error(path, error) from error
        return record if record.format == FORMAT else None

    def write(self, path: Path) -> None:
        """Write the record as JSON. Raises `CacheError`."""
        write_record(path, self._asdict())


_text_fields = operator.attrgetter(
    "dataset",
    "release",
    "filename",
    "md5",
    "payload_sha256",
    "source",
    "origin",
    "form",
    "published",
    "version",
)


def _check_types(record: Record) -> None:
    """Raise `TypeError` if a field has another type than `Record` says. A right checksum does not exclude that."""
    archive = record.archive or ()
    texts = *_text_fields(record), *record.steps, *record.xxh3, *archive[:2]
    optional_texts = record.sha256, record.member, *archive[2:]
    if {*map(type, texts)} != {str} or not {*map(type, optional_texts)} <= {str, NoneType}:
        raise TypeError("a text of the record is not a string")
    if record.archive is not None and len(record.archive) != 3:
        raise TypeError("the record's archive is not a name and two digests")
    if not {type(record.lowest), type(record.highest)} <= {int, NoneType}:
        raise TypeError("an extreme of the record's labels is not an integer")


def read_record(path: Path) -> dict[str, Any]:
    """The fields of a record.

    Raises `OSError` if the file cannot be read, and one of `DAMAGED_RECORD_ERRORS` if its content was changed.
    """
    with open_regular_file(path) as file:
        size = os.fstat(file.fileno()).st_size  # read(n) allocates n bytes, however short the file is
        fields = json.loads(file.read(min(size, _MAX_RECORD_SIZE)))
    if not isinstance(fields, dict) or fields.pop(_CHECKSUM_FIELD, None) != _checksum_of_fields(fields):
        raise ValueError(f"{path} is not a record as idxhub writes them")
    return fields


def write_record(path: Path, fields: Mapping[str, Any]) -> None:
    """Write these fields and their checksum as JSON. Raises `CacheError`."""
    write_atomically(path, json.dumps({**fields, _CHECKSUM_FIELD: _checksum_of_fields(fields)}, indent=1).encode())


def _checksum_of_fields(fields: Mapping[str, Any]) -> str:
    return xxhash.xxh3_64_hexdigest(json.dumps(fields, sort_keys=True).encode())


def origin_file(path: Path) -> Path:
    """The origin file of a published file in the cache: it holds the URL that the file was downloaded from.

    Its name differs from that of every array's record, whatever the published file is called.
    """
    return path.with_name(f"{path.name}.origin.json")


def write_origin(path: Path, file: Resource | Archive, url: str) -> None:
    """Write the origin file of a published file in the cache. Raises `CacheError`."""
    fields = {"format": _ORIGIN_FORMAT, "version": __version__, "url": url, "md5": file.md5, "downloaded": utc_now()}
    write_record(origin_file(path), fields)


def read_origin(path: Path, file: Resource | Archive) -> str | None:
    """The URL that a published file in the cache was downloaded from; None if it is not known."""
    try:
        fields = read_record(origin_file(path))
        return str(fields["url"]) if fields["format"] == _ORIGIN_FORMAT and fields["md5"] == file.md5 else None
    except (OSError, *DAMAGED_RECORD_ERRORS):  # without its origin file, the published file is still good
        return None


def utc_now() -> str:
    """The current time: UTC in ISO 8601, to the second."""
    from datetime import UTC, datetime  # noqa: PLC0415 -- needed for writing alone

    return datetime.now(UTC).isoformat(timespec="seconds")


def compute_file_checksums(file: io.BufferedReader, size: int) -> tuple[str, ...]:
    """The checksum of each chunk of the last `size` bytes of an open file, which is not empty.

    The file is mapped for it, and each chunk's pages are released from the process's resident memory. The mapping is
    one of its own because Python's `mmap` releases pages in half the time of a call through ctypes.
    """
    checksums = []
    with mmap.mmap(file.fileno(), 0, access=mmap.ACCESS_READ) as mapped, memoryview(mapped) as view:
        for begin in range(len(view) - size, len(view), CHUNK):
            end = min(begin + CHUNK, len(view))
            with view[begin:end] as chunk:
                checksums.append(xxhash.xxh3_64_hexdigest(chunk))
            if hasattr(mmap, "MADV_DONTNEED"):
                # two chunks may share a page; the second one reads it again from the page cache, which is cheap
                page = begin - begin % mmap.PAGESIZE
                mapped.madvise(mmap.MADV_DONTNEED, page, end - page)
    return tuple(checksums)


class RunningChecksums:
    """The size and the checksums of a file, computed from its parts while they are written."""

    def __init__(self) -> None:
        self.size, self.xxh3 = 0, list[str]()

    def hash_parts(self, parts: Iterable[bytes | memoryview]) -> Iterator[memoryview]:
        """Yield the same parts, after adding each to the size and the checksums."""
        chunk = xxhash.xxh3_64()
        for part in parts:
            view = rest = memoryview(part).cast("B")
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
            yield view
