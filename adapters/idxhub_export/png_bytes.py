"""PNG files of images, many at a time.

Written here because the libraries encode one image a call: Pillow takes more than twice as long. Sources: the PNG
specification (chunks, and filter types), RFC 1950 and RFC 1951 (zlib and deflate, which Python's zlib writes).
"""

from __future__ import annotations

import struct
import zlib
from collections.abc import Iterable, Iterator
from typing import Any, BinaryIO

import numpy as np
from numpy.typing import NDArray

from idxhub import errors

_SIGNATURE = b"\x89PNG\r\n\x1a\n"
_COLOUR_TYPES = {1: 0, 2: 4, 3: 2, 4: 6}  # by the number of channels: grey, grey with alpha, RGB, RGB with alpha
_FILTERED_TOGETHER = 128  # images: their filtered rows fit into the processor's cache
# 16 * log2(1 + |difference|), by the byte that the difference is stored as
_BITS = np.rint(16 * np.log2(1 + np.minimum(np.arange(256), 256 - np.arange(256)))).astype(np.uint8).tobytes()
_WINDOW_BITS = 10  # 1 KiB: a small image has little more, and a larger window takes longer to set up
_LARGE = 1 << 13  # bytes of an image from which on the largest window is used


def channels_of(shape: tuple[int, ...], dtype: str) -> int:
    """The number of channels of images (H, W) or (H, W, C). Raises `ArgumentError` for what PNG cannot hold."""
    channels = 1 if len(shape) == 2 else shape[2] if len(shape) == 3 else 0
    if dtype != "uint8" or channels not in _COLOUR_TYPES or 0 in shape:
        must_be = "uint8 of shape (H, W), or (H, W, C) with 1 to 4 channels, for PNG"
        raise errors.ArgumentError("images", f"{dtype} of shape {shape}", must_be)
    return channels


def encode(images: NDArray[Any], *, small: bool = False) -> list[bytes]:
    """The PNG file of each image; `images` is uint8 (N, H, W) or (N, H, W, C).

    Pixels are compressed without a filter, in the way that is fastest. With `small`, a filter is chosen for each row,
    and the compression looks for more repetitions: 2 % smaller, and half as fast.
    """
    height, width = images.shape[1:3]
    channels = channels_of(images.shape[1:], images.dtype.name)
    header = struct.pack(">IIBBBBB", width, height, 8, _COLOUR_TYPES[channels], 0, 0, 0)
    before, after = _SIGNATURE + _chunk(b"IHDR", header), _chunk(b"IEND", b"")
    rows = images.reshape(len(images), height, width * channels)
    if small:
        contents = [
            content
            for start in range(0, len(rows), _FILTERED_TOGETHER)
            for content in _compress(_filter(rows[start : start + _FILTERED_TOGETHER], channels), 6, zlib.Z_FILTERED)
        ]
    else:
        contents = _compress(_with_types(rows, 0), 6, zlib.Z_RLE)
    return [b"".join((before, _chunk(b"IDAT", content), after)) for content in contents]


def write_rows(file: BinaryIO, width: int, height: int, blocks: Iterable[NDArray[np.uint8]]) -> Iterator[int]:
    """Write one grey image, whose rows come in blocks, uint8 (n, width); after each block, gives its n."""
    header = struct.pack(">IIBBBBB", width, height, 8, _COLOUR_TYPES[1], 0, 0, 0)
    file.write(_SIGNATURE + _chunk(b"IHDR", header))
    compressor = zlib.compressobj(6, zlib.DEFLATED, zlib.MAX_WBITS, zlib.DEF_MEM_LEVEL, zlib.Z_RLE)
    for block in blocks:
        file.write(_chunk(b"IDAT", compressor.compress(_with_types(block[:, None], 0).data)))
        yield len(block)
    file.write(_chunk(b"IDAT", compressor.flush()) + _chunk(b"IEND", b""))


def _chunk(name: bytes, content: bytes) -> bytes:
    checksum = zlib.crc32(content, zlib.crc32(name))
    return b"".join((len(content).to_bytes(4, "big"), name, content, checksum.to_bytes(4, "big")))


def _compress(rows: NDArray[np.uint8], level: int, strategy: int) -> list[bytes]:
    """The compressed rows of each of N images, uint8 (N, H, 1 + bytes of a row)."""
    size = rows.shape[1] * rows.shape[2]
    window = _WINDOW_BITS if size < _LARGE else zlib.MAX_WBITS
    pixels = rows.tobytes()
    compressed = []
    for start in range(0, len(pixels), size):
        compressor = zlib.compressobj(level, zlib.DEFLATED, window, zlib.DEF_MEM_LEVEL, strategy)
        compressed.append(compressor.compress(pixels[start : start + size]) + compressor.flush())
    return compressed


def _with_types(rows: NDArray[np.uint8], types: Any) -> NDArray[np.uint8]:
    """The rows, each after the byte that names its filter."""
    count, height, width = rows.shape
    typed = np.empty((count, height, 1 + width), np.uint8)
    typed[:, :, 0] = types
    typed[:, :, 1:] = rows
    return typed


def _filter(rows: NDArray[np.uint8], channels: int) -> NDArray[np.uint8]:
    """Each row by the filter whose differences have the fewest bits, after the byte that names it."""
    left, above, corner = np.zeros_like(rows), np.zeros_like(rows), np.zeros_like(rows)
    left[:, :, channels:] = rows[:, :, :-channels]
    above[:, 1:] = rows[:, :-1]
    corner[:, 1:, channels:] = rows[:, :-1, :-channels]
    average = (left & above) + ((left ^ above) >> 1)  # rounded down, without a wider type
    # by the number of the filter
    candidates = np.stack([rows, rows - left, rows - above, rows - average, rows - _paeth(left, above, corner)])
    bits = np.frombuffer(candidates.tobytes().translate(_BITS), np.uint8).reshape(candidates.shape)
    # a product is faster than a sum over a short axis, and exact: these are small integers
    costs = bits.astype(np.float32) @ np.ones(rows.shape[2], np.float32)
    types = costs.argmin(axis=0)
    chosen = candidates.reshape(-1, rows.shape[2])[types.ravel() * types.size + np.arange(types.size)]
    return _with_types(chosen.reshape(rows.shape), types)


def _paeth(left: NDArray[np.uint8], above: NDArray[np.uint8], corner: NDArray[np.uint8]) -> NDArray[np.uint8]:
    """The neighbour that is nearest to left + above - corner."""
    a, b, c = (each.astype(np.int16) for each in (left, above, corner))
    to_left, to_above, to_corner = np.abs(b - c), np.abs(a - c), np.abs(a + b - 2 * c)
    by_above = np.where(to_above <= to_corner, above, corner)
    return np.where((to_left <= to_above) & (to_left <= to_corner), left, by_above)
