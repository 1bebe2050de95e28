"""A Zarr group with the arrays x_train, y_train, x_test and y_test."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

import zarr

from idxhub import ExportFormat, Split, arguments, errors, hookimpl
from idxhub_export.arrays import block_length, named_arrays, small_labels

_FORMATS = (2, 3)
_CHUNK = 1 << 20  # bytes of pixels


@hookimpl
def idxhub_export_format() -> ExportFormat:
    """A folder."""
    options = {"zarr_format": "the version of the format: 3, or 2 for older readers"}
    return ExportFormat("a Zarr group: x_train, y_train, x_test, y_test", True, ".zarr", options)


@hookimpl
def idxhub_check_export(options: Mapping[str, Any]) -> None:
    """Refuse other versions."""
    if _zarr_format(options) not in _FORMATS:
        raise errors.ArgumentError("zarr_format", options["zarr_format"], "2 or 3")


@hookimpl
def idxhub_export(
    splits: Mapping[str, Split], path: Path, options: Mapping[str, Any], progress: Callable[[int], None]
) -> None:
    """Write the arrays chunk by chunk."""
    group = zarr.open_group(str(path), mode="w", zarr_format=_zarr_format(options))
    for name, split in splits.items():
        images, labels = named_arrays(name)
        count = max(1, min(len(split), block_length(split, _CHUNK)))
        written = group.create_array(
            images, shape=split.images.shape, dtype=split.images.dtype, chunks=(count, *split.images.shape[1:])
        )
        for start in range(0, len(split), count):
            block = split.images[start : start + count]
            written[start : start + count] = block
            progress(len(block))
        group.create_array(labels, data=small_labels(split))


def _zarr_format(options: Mapping[str, Any]) -> int | None:
    """The version as an int, because Zarr writes it into its files as it is; None if it is no integer."""
    return arguments.as_int(options.get("zarr_format", 3))
