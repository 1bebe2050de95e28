"""PNG files of grey images, many at a time.

The data are stored, not compressed: what a small picture saves by deflate is less than the time is worth. Sources: the
PNG specification (chunks, filter bytes), RFC 1950 (zlib's header and Adler-32), RFC 1951 (stored blocks).
"""

from __future__ import annotations

import struct
import zlib
from typing import Any

import numpy as np
from numpy.typing import NDArray

_SIGNATURE = b"\x89PNG\r\n\x1a\n"
_ZLIB_HEADER = b"\x78\x01"
_LARGEST_BLOCK = 65_535  # bytes in one stored block
_GREY = 0  # colour type


def encode(images: NDArray[Any]) -> NDArray[np.uint8]:
    """uint8 (N, H, W) to uint8 (N, L): row i is the PNG file of image i. All have the same length, L bytes."""
    count, height, width = images.shape
    if images.dtype != np.uint8:
        raise TypeError(f"PNG takes uint8 images here, not {images.dtype}")
    # each row of pixels is led by its filter type, 0 for none
    rows = np.zeros((count, height, width + 1), np.uint8)
    rows[:, :, 1:] = images
    rows = rows.reshape(count, height * (width + 1))
    blocks, places = _blocks(rows.shape[1])
    body = _ZLIB_HEADER + blocks + bytes(4)
    before = _SIGNATURE + _chunk(b"IHDR", struct.pack(">IIBBBBB", width, height, 8, _GREY, 0, 0, 0))
    before += struct.pack(">I", len(body))
    template = before + b"IDAT" + body + bytes(4) + _chunk(b"IEND", b"")
    files = np.tile(np.frombuffer(template, np.uint8), (count, 1))
    kind = len(before)  # where the bytes that the chunk's CRC covers begin
    data = kind + 4 + len(_ZLIB_HEADER)
    for source, target, size in places:
        files[:, data + target : data + target + size] = rows[:, source : source + size]
    end = kind + 4 + len(body)
    files[:, end - 4 : end] = _sums(zlib.adler32, rows)
    files[:, end : end + 4] = _sums(zlib.crc32, files, kind, end)
    return files


def _blocks(size: int) -> tuple[bytes, list[tuple[int, int, int]]]:
    """Stored blocks for `size` bytes, empty; and from where in the data to where in them how many bytes go."""
    blocks, places = b"", []
    for start in range(0, max(size, 1), _LARGEST_BLOCK):
        length = min(_LARGEST_BLOCK, size - start)
        last = start + length >= size
        blocks += struct.pack("<BHH", last, length, length ^ 0xFFFF)
        places.append((start, len(blocks), length))
        blocks += bytes(length)
    return blocks, places


def _chunk(kind: bytes, data: bytes) -> bytes:
    return struct.pack(">I", len(data)) + kind + data + struct.pack(">I", zlib.crc32(kind + data))


def _sums(function: Any, files: NDArray[np.uint8], begin: int = 0, end: int | None = None) -> NDArray[np.uint8]:
    """A checksum of bytes `begin` to `end` of each row, big-endian."""
    width = files.shape[1]
    stop = width if end is None else end
    content = files.reshape(-1).data
    sums = [function(content[at + begin : at + stop]) for at in range(0, len(content), width)]
    return np.array(sums, ">u4").view(np.uint8).reshape(len(files), 4)
