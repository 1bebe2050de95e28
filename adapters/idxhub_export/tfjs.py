"""The files of TensorFlow.js' MNIST tutorial: a PNG with one image in each row, and labels in one-hot form."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from pathlib import Path

import numpy as np

from idxhub import ExportFormat, ExportSplit, Split, errors, hookimpl
from idxhub_export.arrays import blocks
from idxhub_export.png_bytes import channels_of, write_rows

_HIGHEST = 65_535  # pixels: Firefox draws no taller image


@hookimpl
def idxhub_export_format() -> ExportFormat:
    """A folder with two files for each split."""
    return ExportFormat("a folder with the files of TensorFlow.js' MNIST tutorial", is_folder=True)


@hookimpl
def idxhub_check_export(splits: Mapping[str, ExportSplit]) -> None:
    """Refuse what is no grey image, and more images than a browser can draw."""
    for name, split in splits.items():
        if channels_of(split.shape, split.dtype) != 1:
            raise errors.ArgumentError("images", f"of shape {split.shape}", "grey for tfjs")
        if not 0 < split.num_examples <= _HIGHEST:
            must_be = (
                f"of 1 to {_HIGHEST:,} examples for tfjs: each is a row of an image, and Firefox draws no taller one"
            )
            raise errors.ArgumentError("splits", f"{name}, of {split.num_examples:,} examples", must_be)
        if not split.classes:
            raise errors.ArgumentError("splits", name, "of a dataset with names of classes, for labels in one-hot form")


@hookimpl
def idxhub_export(splits: Mapping[str, Split], path: Path, progress: Callable[[int], None]) -> None:
    """Write the images as one PNG of N rows, and the labels as N rows of a byte for each class."""
    for name, split in splits.items():
        width = split.images[0].size
        with (path / f"{name}_images.png").open("xb") as file:
            rows = (block.reshape(len(block), width) for block in blocks(split))
            for count in write_rows(file, width, len(split), rows):
                progress(count)
        one_hot = np.zeros((len(split), len(split.classes)), np.uint8)
        one_hot[np.arange(len(split)), split.labels] = 1
        (path / f"{name}_labels_uint8").write_bytes(one_hot.tobytes())
