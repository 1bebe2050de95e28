"""A member of a .zip as bytes: nothing is unpacked to the disk, and nothing may be larger than expected.

What is read here need not be verified yet, so whatever it claims is bounded: the member, and the directory too.
"""

from __future__ import annotations

import contextlib
import io
import struct
import zipfile
import zlib
from collections.abc import Iterator
from pathlib import Path
from typing import cast

from idxhub.paths import open_regular_file

_BLOCK = 1 << 18  # bytes inflated by one call
_MAX_READ = 1 << 20  # bytes: a directory of some ten thousand members, which zipfile reads in one piece
_SUPPORTED = (zipfile.ZIP_STORED, zipfile.ZIP_DEFLATED)  # the others inflate a block of input to any length
_METHOD_NAMES = {zipfile.ZIP_BZIP2: "bzip2", zipfile.ZIP_LZMA: "LZMA"}
_ENCRYPTED = 1  # the bit of a member's flags

# what zipfile raises, of its own and from underneath, for bytes that make no sense to it
ZIP_ERRORS = (
    *(zipfile.BadZipFile, zlib.error, struct.error),
    *(EOFError, ValueError, OverflowError, RuntimeError, IndexError),
)


def read_member(path: Path, member: str, limit: int) -> bytes:
    """The bytes of a member, at most `limit`. Raises `OSError` that says what is wrong with the archive otherwise."""
    with open_zip(path) as archive:
        try:
            return _read(archive, member, limit)
        except KeyError:
            raise OSError(None, f"has no member {member}") from None
        except ZIP_ERRORS as error:
            raise _unsound(error) from error


@contextlib.contextmanager
def open_zip(path: Path) -> Iterator[zipfile.ZipFile]:
    """An open .zip, its directory read within bounds. Raises `OSError`, without a number where it is the archive's."""
    with open_regular_file(path) as file:
        try:
            archive = zipfile.ZipFile(cast("io.BytesIO", _LimitedReads(file)))
        except ZIP_ERRORS as error:
            raise _unsound(error) from error
        with archive:
            yield archive


def why_unreadable(info: zipfile.ZipInfo) -> str:
    """Why a sound member is not read here; empty if it is."""
    if info.flag_bits & _ENCRYPTED:
        return "encrypted"
    if info.compress_type in _SUPPORTED:
        return ""
    return f"packed by {_METHOD_NAMES.get(info.compress_type, f'method {info.compress_type}')}, which is not read here"


def format_zip_error(error: BaseException) -> str:
    """What one of `ZIP_ERRORS` says; some say nothing."""
    return str(error) or type(error).__name__


def _unsound(error: BaseException) -> OSError:
    return OSError(None, f"is not a sound .zip: {format_zip_error(error)}")


def _read(archive: zipfile.ZipFile, member: str, limit: int) -> bytes:
    info = archive.getinfo(member)
    if why := why_unreadable(info):
        raise OSError(None, f"{member} is {why}")
    content = bytearray()
    with archive.open(info) as file:
        while len(content) <= limit and (block := file.read(_BLOCK)):
            content += block
    if len(content) > limit:
        raise OSError(None, f"{member} holds more than {limit:,} bytes: not this file")
    return bytes(content)


class _LimitedReads:
    """A file of which no more than a MiB is read at once."""

    def __init__(self, file: io.BufferedReader) -> None:
        self._file = file
        self.seek, self.tell, self.seekable = file.seek, file.tell, file.seekable

    def read(self, size: int = -1) -> bytes:
        data = self._file.read(_MAX_READ + 1 if size < 0 else min(size, _MAX_READ + 1))
        if len(data) > _MAX_READ:
            raise zipfile.BadZipFile(f"its directory is larger than {_MAX_READ:,} bytes")
        return data
