"""Decompressing .gz and .xz data, up to a size limit."""

from __future__ import annotations

import io
import zlib
from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager
from typing import Protocol

import deflate
import numpy as np

from idxhub.errors import IdxFormatError

GZIP_MAGIC = b"\x1f\x8b"
XZ_MAGIC = b"\xfd7zXZ\x00"
_GZIP_WBITS = 31  # zlib's number for a gzip member with its header and CRC-32
_XZ_MEMORY_LIMIT = 1 << 27  # bytes; decompressing `xz -9` needs 65 MiB, and a hostile header can ask for 4 GiB
_INPUT_BLOCK = 1 << 16  # bytes; small, because each call copies the input that it does not use
_OUTPUT_BLOCK = 1 << 18  # bytes; a block fits into the processor's cache
_LARGEST_RATIO = 1_032  # of content to file: deflate cannot do better (https://zlib.net/zlib_tech.html)
_EXPECTED_RATIO = 4  # of content to file; that of images is smaller, so that one allocation is enough


class Readable(Protocol):
    """An open binary file."""

    def read(self, count: int, /) -> bytes:
        """Read at most `count` bytes. The result is empty at the end of the file."""
        ...


Opener = Callable[[], AbstractContextManager[Readable]]  # opens a file for reading from its beginning


class _Inflater(Protocol):
    @property
    def eof(self) -> bool: ...
    @property
    def unused_data(self) -> bytes: ...
    def decompress(self, data: bytes | memoryview, limit: int) -> bytes: ...
    def needs_input(self) -> bool: ...


def is_compressed(data: bytes) -> bool:
    """Whether `data` starts as a .gz or .xz file does."""
    return data.startswith((GZIP_MAGIC, XZ_MAGIC))


def inflate(data: bytes, limit: int) -> bytes | memoryview:
    """Decompress the bytes of a .gz or .xz file. Other bytes are returned unchanged.

    At most `limit` bytes are allocated for the content. Raises `IdxFormatError` if the content is longer, or if the
    compressed data are cut short, damaged, or followed by other bytes than zeros.
    """
    if not is_compressed(data):
        if len(data) > limit:
            raise IdxFormatError(f"holds {len(data):,} bytes where {limit:,} were expected")
        return data
    # The first size depends on the file, not on the limit, which may come from a hostile header. The memory is NumPy's,
    # because NumPy asks the system for large pages: to fill the small ones of a bytearray takes a fifth of the time.
    content = np.empty(min(limit, _EXPECTED_RATIO * len(data)), np.uint8)
    size = 0
    for block in inflate_blocks(io.BytesIO(data), limit):
        end = size + len(block)
        if end > len(content):
            content.resize(min(limit, 2 * end), refcheck=False)
        content.data[size:end] = block
        size = end
    return content.data[:size]


def inflate_known(data: bytes, size: int) -> memoryview | None:
    """Decompress the first member of a .gz file, whose content has `size` bytes, with libdeflate.

    None if `data` is no such file, or is damaged; `inflate` says what is wrong. It does not notice bytes that follow
    the member, so it is for a file whose digest is compared. It takes half of the time of `inflate`.
    """
    if not data.startswith(GZIP_MAGIC) or size > _LARGEST_RATIO * len(data):
        return None
    try:
        content = deflate.gzip_decompress(data, size)
    except (deflate.DeflateError, MemoryError):
        return None
    return memoryview(content) if len(content) == size else None


def inflate_blocks(
    file: Readable, limit: int, on_member_end: Callable[[int], None] = lambda _: None
) -> Iterator[bytes]:
    """Decompress an open .gz or .xz file in blocks of at most 256 KiB, so that a long file needs little memory.

    At the end of each member, `on_member_end` gets the number of bytes of content so far. Raises `IdxFormatError` as
    `inflate` does, after the blocks before the error.
    """
    produced = consumed = 0  # bytes of content, bytes of the file
    rest = file.read(_INPUT_BLOCK)
    while rest:
        if len(rest) < len(XZ_MAGIC):
            rest += file.read(_OUTPUT_BLOCK)
        if not is_compressed(rest):
            _check_padding(rest, file, consumed)
            return
        inflater = _inflater(rest)
        while not inflater.eof:
            block = b""
            if inflater.needs_input():
                block, rest = rest or file.read(_INPUT_BLOCK), b""
            consumed += len(block)
            try:
                output = inflater.decompress(block, _OUTPUT_BLOCK)
            except zlib.error as error:
                raise IdxFormatError(f"damaged compressed data before byte {consumed:,}: {error}") from error
            produced += len(output)
            if produced > limit:
                raise IdxFormatError(f"inflates to more than the {limit:,} bytes expected")
            if output:
                yield output
            elif not block and not inflater.eof and inflater.needs_input():
                raise IdxFormatError(f"cut short: the compressed data ends at byte {consumed:,}")
        consumed -= len(inflater.unused_data)
        on_member_end(produced)
        rest = inflater.unused_data or file.read(_OUTPUT_BLOCK)


def content_blocks(
    file: Readable, limit: int, *, compressed: bool, on_member_end: Callable[[int], None] = lambda _: None
) -> Iterator[bytes]:
    """The content of an open file in blocks of at most 256 KiB, decompressed if the file is a .gz or an .xz.

    `on_member_end` and the errors are those of `inflate_blocks`. If there is no error, the file was read to its end.
    """
    if compressed:
        yield from inflate_blocks(file, limit, on_member_end)
        return
    size = 0
    while block := file.read(_OUTPUT_BLOCK):
        size += len(block)
        if size <= limit:
            yield block
    if size > limit:
        raise IdxFormatError(f"holds {size:,} bytes where {limit:,} were expected")


def _check_padding(rest: bytes, file: Readable, consumed: int) -> None:
    count, zeros = 0, True
    while rest:
        count += len(rest)
        zeros = zeros and not rest.strip(b"\0")
        rest = file.read(_OUTPUT_BLOCK)
    if not zeros:
        raise IdxFormatError(f"{count:,} other bytes follow the compressed data at byte {consumed:,}")


def peek(data: bytes, count: int) -> bytes:
    """Decompress the first `count` bytes of the content, or all of it if it is shorter."""
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
        self._stream = zlib.decompressobj(_GZIP_WBITS)

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
        import lzma  # noqa: PLC0415 -- few files are .xz

        self._stream = lzma.LZMADecompressor(lzma.FORMAT_XZ, memlimit=_XZ_MEMORY_LIMIT)
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
        except self._damaged as error:  # callers handle the same error for both formats
            raise zlib.error(str(error)) from error
