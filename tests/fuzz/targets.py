"""What is fuzzed: any bytes are answered rightly, or refused with the error that belongs to them."""

from __future__ import annotations

import gzip
import zlib
from collections.abc import Callable

import numpy as np

from idxhub import idx
from idxhub.catalog import split_string as splits
from idxhub.errors import IdxFormatError, UnknownNameError
from idxhub.formats.compression import XZ_MAGIC, inflate, inflate_known, is_compressed

LIMIT = 1 << 16  # bytes that a file may inflate to
SIZES = {"train": 60_000, "test": 10_000, "few": 3, "none": 0}
_HEADER = b"\x1f\x8b\x08\0\0\0\0\0\0\x03"


def decode(data: bytes) -> None:
    """The first byte says what the rest is: a file, the content of a .gz in members, or a deflate stream."""
    kind, rest = data[:1], data[1:]
    if kind == b"m":
        _members(rest)
    elif kind == b"d":
        _file(_deflated(rest))
    else:
        _file(data)


def split(data: bytes) -> None:
    """A split string names ranges that exist, or is refused."""
    text = data.decode("utf-8", "surrogateescape")
    try:
        pieces = splits.parse(text, SIZES)
        ranges = splits.resolve(pieces, SIZES)
    except UnknownNameError:
        return
    assert len(pieces) == len(ranges) >= 1
    for piece, (name, start, stop) in zip(pieces, ranges, strict=True):
        assert 0 <= start <= stop <= SIZES[name]
        (again,) = splits.parse(piece.text, SIZES)  # what it says it was, it was
        assert again == piece
        bounds = piece.start, piece.stop
        if not any(bound is not None and bound.percent for bound in bounds):
            # in examples, a split is sliced as Python slices
            same = range(SIZES[name])[slice(*(bound and bound.value for bound in bounds))]
            assert (start, stop) == (same.start, same.stop)


TARGETS: dict[str, Callable[[bytes], None]] = {"decode": decode, "splits": split}


def _file(data: bytes) -> None:
    try:
        content = bytes(inflate(data, LIMIT))
    except IdxFormatError:
        return
    assert len(content) <= LIMIT
    if not is_compressed(data):
        assert content == data
    elif XZ_MAGIC not in data:
        assert content == gzip.decompress(data)  # by another reader
        assert inflate_known(data, len(content)) in (None, content)
    _idx(content)


def _idx(content: bytes) -> None:
    try:
        array = idx.decode(content)
    except IdxFormatError:
        return
    assert array.dtype.isnative
    assert isinstance(array, np.ndarray)
    assert idx.encode(array) == content


def _members(data: bytes) -> None:
    """A .gz of several members, their number and levels from the first byte, gives what went in."""
    layout, content = data[:1] or b"\0", data[1:]
    count, level = 1 + layout[0] % 4, layout[0] // 4 % 10
    step = len(content) // count + 1
    parts = [content[start : start + step] for start in range(0, count * step, step)]
    packed = b"".join(gzip.compress(part, level, mtime=0) for part in parts) + bytes(layout[0] // 40)
    assert bytes(inflate(packed, LIMIT)) == content
    _idx(content)


def _deflated(stream: bytes) -> bytes:
    """The stream as a .gz, with the checksum and length that its content has: none else would be looked into."""
    inflater = zlib.decompressobj(-15)
    try:
        content = inflater.decompress(stream, LIMIT)
    except zlib.error:
        content = b""
    used = stream[: len(stream) - len(inflater.unused_data)]
    trailer = zlib.crc32(content).to_bytes(4, "little") + len(content).to_bytes(4, "little")
    return _HEADER + used + trailer + inflater.unused_data
