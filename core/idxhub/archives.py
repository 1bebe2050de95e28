"""A member of a .zip as bytes: nothing is unpacked to the disk, and nothing may be larger than expected.

What is read here need not be verified yet, so whatever it claims is bounded: the member, and the directory too.
"""

from __future__ import annotations

import io
import struct
import zipfile
import zlib
from pathlib import Path
from typing import cast

from idxhub.storage import open_regular

_STEP = 1 << 18  # bytes inflated by one call
_MOST_AT_ONCE = 1 << 20  # bytes: a directory of some ten thousand members, which zipfile reads in one piece
# the others inflate a block of input to any length
_METHODS = {zipfile.ZIP_STORED: "stored", zipfile.ZIP_DEFLATED: "deflated"}


def read_member(path: Path, member: str, most: int) -> bytes:
    """The bytes of a member, at most `most`. Raises `OSError` that says what is wrong with the archive otherwise."""
    with open_regular(path) as file:
        try:
            with zipfile.ZipFile(cast("io.BytesIO", _Bounded(file))) as archive:
                return _read(archive, member, most)
        except KeyError:
            raise OSError(None, f"has no member {member}") from None
        except _DAMAGE as error:
            raise OSError(None, f"is not a sound .zip: {error or type(error).__name__}") from error


# what zipfile raises, of its own and from underneath, for bytes that make no sense to it
_DAMAGE = (
    *(zipfile.BadZipFile, zlib.error, struct.error),
    *(EOFError, ValueError, OverflowError, RuntimeError, IndexError),
)


def _read(archive: zipfile.ZipFile, member: str, most: int) -> bytes:
    info = archive.getinfo(member)
    if info.compress_type not in _METHODS:
        raise zipfile.BadZipFile(f"{member} is neither stored nor deflated")
    content = bytearray()
    with archive.open(info) as file:
        while len(content) <= most and (block := file.read(_STEP)):
            content += block
    if len(content) > most:
        raise OSError(None, f"{member} holds more than {most:,} bytes: not this file")
    return bytes(content)


class _Bounded:
    """A file of which no more than a MiB is read at once."""

    def __init__(self, file: io.BufferedReader) -> None:
        self._file = file
        self.seek, self.tell, self.seekable = file.seek, file.tell, file.seekable

    def read(self, size: int = -1) -> bytes:
        data = self._file.read(_MOST_AT_ONCE + 1 if size < 0 else min(size, _MOST_AT_ONCE + 1))
        if len(data) > _MOST_AT_ONCE:
            raise zipfile.BadZipFile(f"its directory is larger than {_MOST_AT_ONCE:,} bytes")
        return data
