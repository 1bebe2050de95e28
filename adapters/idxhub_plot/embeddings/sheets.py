"""Many small images as PNG sheets, each of which can be decoded alone."""

from __future__ import annotations

import io
from collections.abc import Iterator

import numpy as np
from numpy.typing import NDArray
from PIL import Image

_TALLEST = 14_336  # pixels: below what every browser takes for the side of a canvas
_IMAGES_IN_SHEET = 512  # at most: their pixels are decoded in some hundredths of a second


def sheet_size(height: int) -> int:
    """How many images of this height are in a sheet."""
    return max(1, min(_IMAGES_IN_SHEET, _TALLEST // height))


def sheets(images: NDArray[np.uint8]) -> Iterator[bytes]:
    """PNG files of images (n, H, W), each of them a column, in which a compressor sees similar rows together."""
    size = sheet_size(images.shape[1])
    for start in range(0, len(images), size):
        file = io.BytesIO()
        column = images[start : start + size]
        Image.fromarray(column.reshape(-1, images.shape[2])).save(file, format="PNG", compress_level=6)
        yield file.getvalue()


def along_curve(coordinates: NDArray[np.float32]) -> NDArray[np.int64]:
    """The order of points (n, 2) along a Z-order curve: those that are near one another come near one another.

    Images in this order compress better, and those of a small part of the plane are in few sheets.
    """
    low, high = coordinates.min(axis=0), coordinates.max(axis=0)
    cells = ((coordinates - low) / np.maximum(high - low, np.finfo(np.float32).tiny) * 1023).astype(np.int64)
    interleaved = np.zeros(len(coordinates), np.int64)
    for bit in range(10):
        for axis in range(2):
            interleaved |= (cells[:, axis] >> bit & 1) << (2 * bit + axis)
    return np.argsort(interleaved, kind="stable")
