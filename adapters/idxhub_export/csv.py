"""A CSV file for each split, as Kaggle has Fashion-MNIST: label,pixel1,...,pixel784."""

from __future__ import annotations

import math
from collections.abc import Callable, Iterator, Mapping
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from idxhub import ExportFormat, Split, hookimpl
from idxhub_export.arrays import blocks

_BLOCK = 1 << 18  # bytes of pixels: their text fits into the processor's cache
# the text of each byte after its comma, in four bytes of which the last ones may be NUL
_BYTES = np.array([f",{value}" for value in range(256)], "S4").view(np.uint32)


@hookimpl
def idxhub_export_format() -> ExportFormat:
    """A folder with one file for each split."""
    return ExportFormat("a folder with NAME_SPLIT.csv for each split: label, pixel1, pixel2, ...", is_folder=True)


@hookimpl
def idxhub_export(splits: Mapping[str, Split], path: Path, progress: Callable[[int], None]) -> None:
    """Write the files, one after the other."""
    for name, split in splits.items():
        with (path / f"{split.info.dataset}_{name}.csv").open("xb") as file:
            file.write(_header(split))
            for rows, count in _rows(split):
                file.write(rows)
                progress(count)


def _header(split: Split) -> bytes:
    pixels = math.prod(split.images.shape[1:])
    return ",".join(["label", *(f"pixel{number}" for number in range(1, pixels + 1))]).encode() + b"\n"


def _rows(split: Split) -> Iterator[tuple[bytes, int]]:
    """The lines, many at a time, and how many they are.

    Each field is put into a number of bytes that is always the same, and then all NUL bytes are removed.
    """
    start = 0
    for block in blocks(split, _BLOCK):
        count = len(block)
        labels = split.labels[start : start + count].astype("S20")  # as many digits as an int64 can have
        pixels = _texts(block.reshape(count, -1))
        line_ends = np.full((count, 1), ord("\n"), np.uint8)
        fields = np.concatenate([labels.view(np.uint8).reshape(count, -1), pixels, line_ends], axis=1)
        yield fields.tobytes().translate(None, b"\0"), count
        start += count


def _texts(pixels: NDArray[Any]) -> NDArray[np.uint8]:
    """The pixels of N images in decimal, each after a comma: uint8 (N, bytes)."""
    if pixels.dtype == np.uint8:
        known: NDArray[np.uint8] = _BYTES[pixels].view(np.uint8)
        return known
    # the shortest text that is read as the same number
    texts = pixels.astype("S32")[..., None].view(np.uint8)
    commas = np.full((*texts.shape[:2], 1), ord(","), np.uint8)
    return np.concatenate([commas, texts], axis=2).reshape(len(pixels), -1)
