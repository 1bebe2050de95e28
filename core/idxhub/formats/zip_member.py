"""Reading a member of a .zip. Nothing is unpacked to the disk.

The archive may not be verified yet. Therefore the sizes of the member and of the archive's directory are limited,
whatever the archive says.
"""

from __future__ import annotations

import contextlib
import io
import struct
import zipfile
import zlib
from collections.abc import Iterator
from pathlib import Path
from typing import IO, cast

from idxhub.errors import printable
from idxhub.paths import open_regular_file

_BLOCK = 1 << 18  # bytes of a member that are decompressed by one call
_MAX_READ = 1 << 20  # bytes; zipfile reads the directory at once; that of about ten thousand members fits into this
_SUPPORTED = (zipfile.ZIP_STORED, zipfile.ZIP_DEFLATED)  # zipfile decompresses others without a limit
_METHOD_NAMES = {zipfile.ZIP_BZIP2: "bzip2", zipfile.ZIP_LZMA: "LZMA"}
_ENCRYPTED = 1  # the bit in a member's flags

# the errors that zipfile raises for damaged archives: its own, and those of the modules that it uses
ZIP_ERRORS = (
    *(zipfile.BadZipFile, zlib.error, struct.error),
    *(EOFError, ValueError, OverflowError, RuntimeError, IndexError),
)


def read_member(path: Path, member: str, limit: int) -> bytes:
    """Read a member of at most `limit` bytes. Raises an `OSError` with the reason if it cannot be read."""
    content = bytearray()
    with open_member(path, member, limit) as file:
        while block := file.read(_BLOCK):
            content += block
    return bytes(content)


@contextlib.contextmanager
def open_member(path: Path, member: str, limit: int) -> Iterator[Member]:
    """A context with an open member. Reading from it raises `OSError` beyond `limit` bytes.

    Raises `OSError` as `read_member` does.
    """
    with open_zip(path) as archive:
        try:
            info = archive.getinfo(member)
            if why := why_unreadable(info):
                raise OSError(None, f"{member} is {why}")
            file = archive.open(info)
        except KeyError:
            raise OSError(None, f"has no member {member}") from None
        except ZIP_ERRORS as error:
            raise _unsound(error) from error
        with file:
            yield Member(file, member, limit)


class Member:
    """An open member of a .zip, of which no more than `limit` bytes are read."""

    def __init__(self, file: IO[bytes], member: str, limit: int) -> None:
        self._file, self._member, self._limit = file, member, limit
        self._count = 0

    def read(self, count: int, /) -> bytes:
        """Read at most `count` bytes. Raises `OSError` if the member is damaged or too large."""
        try:
            block = self._file.read(count)
        except ZIP_ERRORS as error:
            raise _unsound(error) from error
        self._count += len(block)
        if self._count > self._limit:
            raise OSError(None, f"{self._member} is larger than {self._limit:,} bytes, so it is not this file")
        return block


@contextlib.contextmanager
def open_zip(path: Path) -> Iterator[zipfile.ZipFile]:
    """A context with an open .zip. Raises `OSError`, which has no errno if the archive is damaged."""
    with open_regular_file(path) as file:
        try:
            archive = zipfile.ZipFile(cast("io.BytesIO", _LimitedReads(file)))
        except ZIP_ERRORS as error:
            raise _unsound(error) from error
        with archive:
            yield archive


def why_unreadable(info: zipfile.ZipInfo) -> str:
    """Why a sound member cannot be read, for a message; empty if it can be read."""
    if info.flag_bits & _ENCRYPTED:
        return "encrypted"
    if info.compress_type in _SUPPORTED:
        return ""
    method = _METHOD_NAMES.get(info.compress_type, f"method {info.compress_type}")
    return f"compressed with {method}, which idxhub does not read"


def format_zip_error(error: BaseException) -> str:
    """The message of one of `ZIP_ERRORS`, or its type if it has none; short and printable: it may quote the file."""
    return printable(str(error)) or type(error).__name__


def _unsound(error: BaseException) -> OSError:
    return OSError(None, f"is not a sound .zip: {format_zip_error(error)}")


class _LimitedReads:
    """A file from which at most one MiB can be read at once."""

    def __init__(self, file: io.BufferedReader) -> None:
        self._file = file
        self.seek, self.tell, self.seekable = file.seek, file.tell, file.seekable

    def read(self, size: int = -1) -> bytes:
        data = self._file.read(_MAX_READ + 1 if size < 0 else min(size, _MAX_READ + 1))
        if len(data) > _MAX_READ:
            raise zipfile.BadZipFile(f"its directory is larger than {_MAX_READ:,} bytes")
        return data
