"""Decompression of .gz and .xz data, within a limit that is known beforehand."""

from __future__ import annotations

import io
import zlib
from collections.abc import Iterator
from typing import Protocol

import numpy as np

from idxhub.errors import IdxFormatError

GZIP_MAGIC = b"\x1f\x8b"
XZ_MAGIC = b"\xfd7zXZ\x00"
_GZIP_WINDOW = 31  # zlib's number for "a gzip member, with its header and CRC-32"
_XZ_MEMORY = 1 << 27  # bytes; `xz -9` needs 65 MiB to inflate, and a hostile header can ask for 4 GiB
_INPUT_BLOCK = 1 << 16  # bytes; small, because each call copies what it leaves of its input
_OUTPUT_BLOCK = 1 << 18  # bytes; they stay in the processor's cache
_USUAL_RATIO = 4  # content to file; images have less, so that the first allocation is the last


class Readable(Protocol):
    """An open binary file."""

    def read(self, count: int, /) -> bytes:
        """Read at most `count` bytes; no bytes at the end of the file."""
        ...


class _Inflater(Protocol):
    @property
    def eof(self) -> bool: ...
    @property
    def unused_data(self) -> bytes: ...
    def decompress(self, data: bytes | memoryview, limit: int) -> bytes: ...
    def needs_input(self) -> bool: ...


def is_compressed(data: bytes) -> bool:
    """Whether `data` starts like a .gz or .xz file."""
    return data.startswith((GZIP_MAGIC, XZ_MAGIC))


def inflate(data: bytes, limit: int) -> bytes | memoryview:
    """The content of a .gz or .xz file, given as bytes; `data` itself if it is neither.

    No more than `limit` bytes are ever allocated for the content. Raises `IdxFormatError` if there is more, and if the
    compressed data are cut short, damaged, or followed by anything else than zeros.
    """
    if not is_compressed(data):
        if len(data) > limit:
            raise IdxFormatError(f"holds {len(data):,} bytes where {limit:,} were expected")
        return data
    # The first size comes from the file, not from the limit, which may be what a hostile header claims. NumPy asks the
    # system for large pages: filling the many small ones of a bytearray takes a fifth of the whole time.
    content = np.empty(min(limit, _USUAL_RATIO * len(data)), np.uint8)
    size = 0
    for block in inflate_blocks(io.BytesIO(data), limit):
        end = size + len(block)
        if end > len(content):
            content.resize(min(limit, 2 * end), refcheck=False)
        content.data[size:end] = block
        size = end
    return content.data[:size]


def inflate_blocks(file: Readable, limit: int) -> Iterator[bytes]:
    """The content of an open .gz or .xz file, in blocks of at most 256 KiB, however long it is.

    Raises `IdxFormatError` as `inflate` does, once the sound blocks have been given.
    """
    given = taken = 0  # bytes of content, bytes of the file
    rest = file.read(_INPUT_BLOCK)
    while rest:
        if len(rest) < len(XZ_MAGIC):
            rest += file.read(_OUTPUT_BLOCK)
        if not is_compressed(rest):
            _check_padding(rest, file, taken)
            return
        inflater = _inflater(rest)
        while not inflater.eof:
            block = b""
            if inflater.needs_input():
                block, rest = rest or file.read(_INPUT_BLOCK), b""
            taken += len(block)
            try:
                output = inflater.decompress(block, _OUTPUT_BLOCK)
            except zlib.error as error:
                raise IdxFormatError(f"damaged compressed data before byte {taken:,}: {error}") from error
            given += len(output)
            if given > limit:
                raise IdxFormatError(f"inflates to more than the {limit:,} bytes expected")
            if output:
                yield output
            elif not block and not inflater.eof and inflater.needs_input():
                raise IdxFormatError(f"cut short: the compressed data ends at byte {taken:,}")
        taken -= len(inflater.unused_data)
        rest = inflater.unused_data or file.read(_OUTPUT_BLOCK)


def _check_padding(rest: bytes, file: Readable, taken: int) -> None:
    count, zeros = 0, True
    while rest:
        count += len(rest)
        zeros = zeros and not rest.strip(b"\0")
        rest = file.read(_OUTPUT_BLOCK)
    if not zeros:
        raise IdxFormatError(f"{count:,} bytes of something else follow the compressed data at byte {taken:,}")


def peek(data: bytes, count: int) -> bytes:
    """The first `count` bytes of the content, or all of it if it is shorter. The rest is not decompressed."""
    if not is_compressed(data):
        return data[:count]
    try:
        return _inflater(data).decompress(data, count)
    except zlib.error as error:
        raise IdxFormatError(f"damaged compressed data: {error}") from error


def _inflater(start: bytes) -> _Inflater:
    return _Gzip() if start.startswith(GZIP_MAGIC) else _Xz()


class _Gzip:
    def __init__(self) -> None:
        self._stream = zlib.decompressobj(_GZIP_WINDOW)

    @property
    def eof(self) -> bool:
        return self._stream.eof

    @property
    def unused_data(self) -> bytes:
        return self._stream.unused_data

    def needs_input(self) -> bool:
        return not self._stream.unconsumed_tail

    def decompress(self, data: bytes | memoryview, limit: int) -> bytes:
        return self._stream.decompress(self._stream.unconsumed_tail or data, limit)


class _Xz:
    def __init__(self) -> None:
        import lzma  # noqa: PLC0415 -- .xz files are few

        self._stream = lzma.LZMADecompressor(lzma.FORMAT_XZ, memlimit=_XZ_MEMORY)
        self._damaged = lzma.LZMAError

    @property
    def eof(self) -> bool:
        return self._stream.eof

    @property
    def unused_data(self) -> bytes:
        return self._stream.unused_data

    def needs_input(self) -> bool:
        return self._stream.needs_input

    def decompress(self, data: bytes | memoryview, limit: int) -> bytes:
        try:
            return self._stream.decompress(bytes(data), limit)
        except self._damaged as error:  # one kind of damage for both
            raise zlib.error(str(error)) from error
