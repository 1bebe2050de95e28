"""What is noted beside the cache's files: where their bytes came from, and checksums that prove them whole.

A record is JSON with a checksum of itself, so that a damaged one counts as none.
"""

from __future__ import annotations

import json
import os
from collections.abc import Iterable, Iterator, Mapping
from pathlib import Path
from typing import Any, NamedTuple

import xxhash

from idxhub._version import __version__
from idxhub.cache.atomic import unusable, write_atomically
from idxhub.cache.mapping import release_pages
from idxhub.catalog.spec import Archive, Resource
from idxhub.paths import open_regular_file

CHUNK = 1 << 22  # bytes under one checksum: small enough that checking a mapped file keeps few pages resident
FORMAT = 4  # of records
DAMAGED = (ValueError, TypeError, KeyError, RecursionError)  # what comes of reading a record that is
_NOTE_FORMAT = 1  # of what is noted of a kept file: it outlives the records
_SEAL = "record_xxh3"  # a record's field for the XXH3 of its other fields
_LARGEST = 1 << 24  # bytes; 4 TiB of data have a record of about this size


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
    format: int = FORMAT

    @classmethod
    def read(cls, path: Path) -> Record | None:
        """The record in a file; None if there is none that is whole and of this format. Raises `CacheError`."""
        try:
            fields = read_record(path)
            archive = fields["archive"] and tuple(fields["archive"])
            sequences = {"archive": archive, "steps": tuple(fields["steps"]), "xxh3": tuple(fields["xxh3"])}
            record = cls(**{**fields, **sequences})
            _check_types(record)
        except (FileNotFoundError, *DAMAGED):  # or of another version
            return None
        except OSError as error:
            raise unusable(path, error) from error
        return record if record.format == FORMAT else None

    def write(self, path: Path) -> None:
        """Write it as JSON. Raises `CacheError`."""
        write_record(path, self._asdict())


_TEXTS = ("dataset", "release", "filename", "md5", "payload_sha256", "source", "origin", "form", "published", "version")


def _check_types(record: Record) -> None:
    """Raise `TypeError` if a field has another type than `Record` says: its checksum may be right all the same."""
    optional_texts = (record.sha256, record.member, *(record.archive or ())[2:])
    texts = (*(getattr(record, name) for name in _TEXTS), *record.steps, *record.xxh3, *(record.archive or ())[:2])
    if not all(isinstance(each, str) for each in texts) or not all(
        isinstance(each, str | None) for each in optional_texts
    ):
        raise TypeError("a text of the record is not a string")
    if record.archive is not None and len(record.archive) != 3:
        raise TypeError("the record's archive is not a name and two digests")
    if not all(each is None or type(each) is int for each in (record.lowest, record.highest)):
        raise TypeError("an extreme of the record's labels is not an integer")


def read_record(path: Path) -> dict[str, Any]:
    """A record's fields. Raises `OSError` if it cannot be read, and one of `DAMAGED` if it is not as it was written."""
    with open_regular_file(path) as file:
        size = os.fstat(file.fileno()).st_size  # reading allocates what it is asked for, not what is there
        fields = json.loads(file.read(min(size, _LARGEST)))
    if not isinstance(fields, dict) or fields.pop(_SEAL, None) != _seal(fields):
        raise ValueError(f"{path} is not a record as idxhub writes them")
    return fields


def write_record(path: Path, fields: Mapping[str, Any]) -> None:
    """Write a record as JSON, with a checksum of itself. Raises `CacheError`."""
    write_atomically(path, json.dumps({**fields, _SEAL: _seal(fields)}, indent=1).encode())


def _seal(fields: Mapping[str, Any]) -> str:
    return xxhash.xxh3_64_hexdigest(json.dumps(fields, sort_keys=True).encode())


def note_file(path: Path) -> Path:
    """Where it is noted what a kept file's URL was; the name of its array's record is another, whatever its ending."""
    return path.with_name(f"{path.name}.origin.json")


def note_origin(path: Path, file: Resource | Archive, url: str) -> None:
    """Note beside a kept file where it was downloaded from. Raises `CacheError`."""
    note = {"format": _NOTE_FORMAT, "version": __version__, "url": url, "md5": file.md5, "downloaded": now()}
    write_record(note_file(path), note)


def noted_origin(path: Path, file: Resource | Archive) -> str | None:
    """The URL noted beside a kept file; None if nothing is known."""
    try:
        note = read_record(note_file(path))
        return str(note["url"]) if note["format"] == _NOTE_FORMAT and note["md5"] == file.md5 else None
    except (OSError, *DAMAGED):  # the note is lost or damaged: the file is not
        return None


def now() -> str:
    """UTC in ISO 8601, to the second."""
    from datetime import UTC, datetime  # noqa: PLC0415 -- writing only

    return datetime.now(UTC).isoformat(timespec="seconds")


def checksums_of(data: memoryview) -> tuple[str, ...]:
    """The checksum of each chunk of some bytes."""
    return tuple(xxhash.xxh3_64_hexdigest(data[begin : begin + CHUNK]) for begin in range(0, len(data), CHUNK))


def checksums_of_mapped(mapped: Any, size: int) -> tuple[str, ...]:
    """The checksum of each chunk of the last `size` bytes of a mapping into which nothing has been written yet.

    Their pages are left out of the process's resident memory.
    """
    sums = []
    with memoryview(mapped) as whole:
        for begin in range(len(whole) - size, len(whole), CHUNK):
            with whole[begin : begin + CHUNK] as chunk:
                sums.append(xxhash.xxh3_64_hexdigest(chunk))
            # the page that two chunks share is read again from the page cache, which is cheap
            release_pages(mapped, begin, min(begin + CHUNK, len(whole)))
    return tuple(sums)


class RunningSums:
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
