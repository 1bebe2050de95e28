"""One HDF5 file with x_train, y_train, x_test and y_test."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

import h5py
import numpy as np

from idxhub import ExportFormat, ExportSplit, Split, errors, hookimpl
from idxhub_export.arrays import COMPRESS_OPTIONS, block_length, is_compressed, named_arrays, small_labels

_DIMENSIONS = 32  # the limit of HDF5
_CHUNK = 1 << 18  # bytes, of a compressed array: the default cache of a reader holds several


@hookimpl
def idxhub_export_format() -> ExportFormat:
    """One file."""
    return ExportFormat("one HDF5 file: x_train, y_train, x_test, y_test", False, ".h5", COMPRESS_OPTIONS)


@hookimpl
def idxhub_check_export(options: Mapping[str, Any], splits: Mapping[str, ExportSplit]) -> None:
    """Refuse other values of the option, and arrays of more dimensions than HDF5 has."""
    is_compressed(options)
    for split in splits.values():
        if 1 + len(split.shape) > _DIMENSIONS:
            raise errors.ArgumentError("images", f"of {len(split.shape)} dimensions", "of 31 at most for HDF5")


@hookimpl
def idxhub_export(
    splits: Mapping[str, Split], path: Path, options: Mapping[str, Any], progress: Callable[[int], None]
) -> None:
    """Write the arrays in blocks."""
    with h5py.File(path, "x") as file:
        for name, split in splits.items():
            images, labels = named_arrays(name)
            layout: dict[str, Any] = {}
            count = block_length(split)
            if is_compressed(options) and split.images.size:
                count = min(len(split), block_length(split, _CHUNK))
                chunk = (count, *split.images.shape[1:])
                layout = {"chunks": chunk, "compression": "gzip", "compression_opts": 4}
            # without times, which HDF5 would note: the same arrays give the same bytes
            written = file.create_dataset(images, split.images.shape, split.images.dtype, track_times=False, **layout)
            selected = written.id.get_space()
            for start in range(0, len(split), count):
                block = np.ascontiguousarray(split.images[start : start + count])
                selected.select_hyperslab((start,) + (0,) * (block.ndim - 1), block.shape)
                # the low-level function, because `write_direct` takes a fifth longer for blocks of this size
                written.id.write(h5py.h5s.create_simple(block.shape), selected, block)
                progress(len(block))
            file.create_dataset(labels, data=small_labels(split), track_times=False)
