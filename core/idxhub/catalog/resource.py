"""A published file: its name, its digests, and the array in it, or the .zip that it is a member of."""

from __future__ import annotations

import math
import os
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from idxhub.catalog.field_rules import (
    NATURAL,
    STRING,
    FieldRule,
    check_fields,
    is_plain_integer,
    optional,
    plain_integers,
)
from idxhub.errors import IdxFormatError, SpecError
from idxhub.formats import idx

_CACHE_SUFFIXES = (".npy", ".json", ".lock", ".tmp", ".tag")  # of the files that the cache writes beside a resource
_REFUSED = '/\\:*?"<>|'  # characters that an operating system refuses in the name of a file


def is_plain_name(name: str) -> bool:
    """Whether a file may have this name: no path, nothing hidden, no character that an operating system refuses."""
    return not (name[:1] in ("", ".") or set(name) & set(_REFUSED) or any(ord(c) < 32 for c in name))


def _is_filename(value: object) -> bool:
    return isinstance(value, str) and is_plain_name(value) and not value.lower().endswith(_CACHE_SUFFIXES)


def _hex_digits(count: int) -> FieldRule:
    digits = frozenset("0123456789abcdef")
    return FieldRule(
        f"{count} lower-case hex digits",
        lambda value: isinstance(value, str) and len(value) == count and digits.issuperset(value),
    )


_FILENAME = FieldRule(
    f"a plain file name without any of {_REFUSED} that begins with no dot "
    f"and ends in none of {', '.join(_CACHE_SUFFIXES)}",
    _is_filename,
)
_SIZE = FieldRule("a number of bytes", NATURAL.is_valid, NATURAL.convert)
_MD5, _SHA256 = _hex_digits(32), _hex_digits(64)
_SHAPE = FieldRule(
    "a tuple of integers",
    lambda shape: isinstance(shape, tuple) and all(map(is_plain_integer, shape)),
    plain_integers,
)

_ARCHIVE_FIELDS = {"filename": _FILENAME, "md5": _MD5, "size": _SIZE, "sha256": optional(_SHA256)}
_RESOURCE_FIELDS = {
    "filename": _FILENAME,
    "md5": _MD5,
    "shape": _SHAPE,
    "dtype": FieldRule("the name of a type", STRING.is_valid),  # None would be float64 to NumPy
    "size": optional(_SIZE),
    "sha256": optional(_SHA256),
    "payload_sha256": optional(_SHA256),
    "payload_md5": optional(_MD5),
    "archive": optional(FieldRule("an Archive", lambda value: isinstance(value, Archive))),
    "member": optional(FieldRule("the name of a member", lambda value: isinstance(value, str) and value != "")),
}


@dataclass(frozen=True, slots=True)
class Archive:
    """A published .zip that contains resources. It is downloaded once for all of them, and read without unpacking.

    `size` is in bytes; more than that is never taken from a mirror.
    """

    filename: str
    md5: str
    size: int
    sha256: str | None = None

    def __post_init__(self) -> None:
        check_fields(self, self.filename, _ARCHIVE_FIELDS)

    @classmethod
    def from_file(cls, path: str | os.PathLike[str]) -> Archive:
        """Describe your own .zip by reading it once, a block at a time. Raises `OSError`."""
        import hashlib  # noqa: PLC0415 -- see `DatasetSpec.fingerprint`

        path = Path(os.path.expanduser(path))
        md5, sha256 = hashlib.md5(usedforsecurity=False), hashlib.sha256()
        size = 0
        with path.open("rb") as file:
            while block := file.read(1 << 20):
                md5.update(block)
                sha256.update(block)
                size += len(block)
        return cls(path.name, md5.hexdigest(), size, sha256.hexdigest())


@dataclass(frozen=True, slots=True)
class Resource:
    """One published file: an IDX array, plain or compressed as .gz or .xz.

    `md5` and `sha256` are digests of the file as published, `payload_sha256` and `payload_md5` of its decompressed
    content; `size` is the published file's, in bytes. `shape` and `dtype` are those of the array in the file. With a
    digest of the payload a recompressed or decompressed copy is accepted too. A file that is published inside an
    `archive` is the member called `member`; a copy of the file outside of the archive is accepted as well.
    """

    filename: str
    md5: str
    shape: tuple[int, ...]
    dtype: str = "uint8"
    size: int | None = None
    sha256: str | None = None
    payload_sha256: str | None = None
    payload_md5: str | None = None
    archive: Archive | None = None
    member: str | None = None

    def __post_init__(self) -> None:
        check_fields(self, self.filename, _RESOURCE_FIELDS)
        try:
            idx.encode_header(self.shape, self.dtype)  # refuses a shape or a type that IDX does not have
        except (IdxFormatError, TypeError) as error:
            raise SpecError(f"{self.filename}: {error}") from error
        # "u1" and ">f8" are other names of uint8 and float64; the class is frozen
        object.__setattr__(self, "dtype", np.dtype(self.dtype).newbyteorder("=").name)
        if (self.archive is None) != (self.member is None):
            raise SpecError(f"{self.filename}: archive and member must be given together")

    @property
    def payload_size(self) -> int:
        """Bytes of the decompressed file, header included."""
        return 4 + 4 * len(self.shape) + math.prod(self.shape) * np.dtype(self.dtype).itemsize

    @property
    def stem(self) -> str:
        """The file name without .gz or .xz."""
        return self.filename.removesuffix(".gz").removesuffix(".xz")

    @property
    def published(self) -> Resource | Archive:
        """The file that is downloaded, which is this one or the archive that contains it."""
        return self if self.archive is None else self.archive

    @classmethod
    def from_file(cls, path: str | os.PathLike[str]) -> Resource:
        """Describe your own IDX file, plain, .gz or .xz, by reading it once.

        Raises `OSError` if the file cannot be read and `IdxFormatError` if it is not a valid IDX file.
        """
        import hashlib  # noqa: PLC0415 -- see `DatasetSpec.fingerprint`

        from idxhub.formats.compression import inflate, peek  # noqa: PLC0415 -- most specs are written without a file

        path = Path(os.path.expanduser(path))
        data = path.read_bytes()
        try:
            header = idx.read_header(peek(data, idx.MAX_HEADER_SIZE))
            payload = inflate(data, header.payload_size)
            idx.decode(payload)
        except IdxFormatError as error:
            raise IdxFormatError(f"{path}: {error}") from error
        return cls(
            filename=path.name,
            md5=hashlib.md5(data, usedforsecurity=False).hexdigest(),
            shape=header.shape,
            dtype=header.dtype.newbyteorder("=").name,
            size=len(data),
            sha256=hashlib.sha256(data).hexdigest(),
            payload_sha256=hashlib.sha256(payload).hexdigest(),
        )


def size_limit(file: Resource | Archive) -> int:
    """The largest size in bytes that the published file can have."""
    if file.size is not None:
        return file.size
    payload = file.payload_size
    # deflate stores what it cannot shrink, with 5 bytes for each 16 KiB or less; see RFC 1951
    return payload + payload // 1000 + 1024
