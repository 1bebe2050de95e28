"""Reading a batch: every byte of it, by the same NumPy code for every row, so that it costs all of them the same.

What is read is kept, and `judge` compares it with the files after the clock has stopped.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Any

import numpy as np
from numpy.typing import NDArray

# which 64-bit words of an image of 28x28 tell it from all others: 17 of 98, in all columns, since 6 does not divide 3.5
_KEY = slice(1, None, 6)


@dataclass
class Seen:
    """What came of a pass: for each batch its dtypes, and what was read of it."""

    sizes: list[int] = field(default_factory=list)
    dtypes: set[str] = field(default_factory=set)
    labels: list[NDArray[Any]] = field(default_factory=list)
    keys: list[NDArray[Any]] = field(default_factory=list)
    sums: list[Any] = field(default_factory=list)

    def read(self, images: NDArray[Any], labels: NDArray[Any]) -> None:
        """Read one batch whole."""
        self.sizes.append(len(images))
        self.dtypes.add(images.dtype.name)
        self.labels.append(np.array(labels))
        key, total = fingerprint(images)
        self.keys.append(key)
        self.sums.append(total)

    @property
    def images(self) -> int:
        """How many there were."""
        return sum(self.sizes)


def fingerprint(images: NDArray[Any]) -> tuple[NDArray[Any], Any]:
    """What tells each image from others, and a sum over all bytes of all of them.

    For uint8 these are 64-bit words of each image, and the sum of all its words modulo 2**64: both exact. For
    floating point it is each image's product with fixed weights, which has every pixel in it, and no further sum.
    """
    flat = images.reshape(len(images), -1)
    if flat.dtype == np.uint8 and flat.shape[1] % 8 == 0:
        words = np.ascontiguousarray(flat).view(np.uint64)
        return words[:, _KEY].copy(), words.sum()
    if flat.dtype.kind == "f":
        return flat @ weights(flat.shape[1]).astype(flat.dtype, copy=False), 0
    return flat.sum(axis=1), 0  # a dtype that no row asks for: the judge refuses it


def weights(pixels: int) -> NDArray[np.float32]:
    """One weight for each pixel, from 1 to 2, no two alike."""
    if pixels not in _WEIGHTS:
        _WEIGHTS[pixels] = (1 + np.arange(pixels) * 7919 % pixels / pixels).astype(np.float32)
    return _WEIGHTS[pixels]


_WEIGHTS: dict[int, NDArray[np.float32]] = {}
