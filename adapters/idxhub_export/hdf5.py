"""One HDF5 file with x_train, y_train, x_test and y_test."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

import h5py
import numpy as np

from idxhub import ExportFormat, Split, arguments, hookimpl
from idxhub_export.arrays import block_length, blocks, named_arrays, small_labels

_CHUNK = 1 << 18  # bytes, of a compressed array: the default cache of a reader holds several
_BLOCK = 1 << 19  # bytes: they fit into the processor's cache


@hookimpl
def idxhub_export_format() -> ExportFormat:
    """One file."""
    options = {"compress": "True to compress the arrays; the file is then smaller, and takes longer to write and read"}
    return ExportFormat("one HDF5 file: x_train, y_train, x_test, y_test", False, ".h5", options)


@hookimpl
def idxhub_check_export(options: Mapping[str, Any]) -> None:
    """Refuse other values of the option."""
    arguments.boolean("compress", options.get("compress", False))


@hookimpl
def idxhub_export(
    splits: Mapping[str, Split], path: Path, options: Mapping[str, Any], progress: Callable[[int], None]
) -> None:
    """Write the arrays in blocks."""
    compress = options.get("compress", False)
    with h5py.File(path, "x") as file:
        for name, split in splits.items():
            images, labels = named_arrays(name)
            layout: dict[str, Any] = {}
            if compress and split.images.size:
                chunk = (min(len(split), block_length(split, _CHUNK)), *split.images.shape[1:])
                layout = {"chunks": chunk, "compression": "gzip", "compression_opts": 4}
            # without times, which HDF5 would note: the same arrays give the same bytes
            written = file.create_dataset(images, split.images.shape, split.images.dtype, track_times=False, **layout)
            start = 0
            for block in blocks(split, _BLOCK):
                written.write_direct(np.ascontiguousarray(block), dest_sel=np.s_[start : start + len(block)])
                start += len(block)
                progress(len(block))
            file.create_dataset(labels, data=small_labels(split), track_times=False)
