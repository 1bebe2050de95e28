"""The arrays of a split as the formats take them: images in blocks, labels in the type that Keras' datasets have."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any

import numpy as np
from numpy.typing import NDArray

from idxhub import Split, arguments

COMPRESS_OPTIONS = {
    "compress": "True to compress the arrays; the file is then smaller, and takes longer to write and read"
}
_BLOCK = 1 << 19  # bytes: about 670 images of 28x28, which fit into the processor's cache


def blocks(split: Split, size: int = _BLOCK) -> Iterator[NDArray[Any]]:
    """The images of a split as stored, about `size` bytes at a time: views of the mapped file."""
    count = block_length(split, size)
    for start in range(0, len(split), count):
        yield split.images[start : start + count]


def block_length(split: Split, size: int = _BLOCK) -> int:
    """The number of images in a block."""
    return max(1, size // max(1, split.images[:1].nbytes))


def small_labels(split: Split) -> NDArray[Any]:
    """The labels in the first of uint8, int16, int32 and int64 that can hold them."""
    labels = split.labels
    lowest, highest = (int(labels.min()), int(labels.max())) if len(labels) else (0, 0)
    for dtype in (np.uint8, np.int16, np.int32):
        if np.iinfo(dtype).min <= lowest and highest <= np.iinfo(dtype).max:
            return labels.astype(dtype)
    return labels.astype(np.int64)


def named_arrays(name: str) -> tuple[str, str]:
    """The names of a split's images and labels, as in Keras' datasets: `x_train` and `y_train`."""
    return f"x_{name}", f"y_{name}"


def is_compressed(options: Mapping[str, Any]) -> bool:
    """The option `compress`. Raises `ArgumentError` if it is no boolean."""
    return arguments.boolean("compress", options.get("compress", False))
