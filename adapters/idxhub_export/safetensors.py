"""One .safetensors file with x_train, y_train, x_test and y_test.

Written here, after the format's description, because the library's functions want all arrays in memory at once: eight
bytes with the length of the header, the header in JSON, and the arrays one after the other, little-endian.
"""

from __future__ import annotations

import json
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

import numpy as np

from idxhub import ExportFormat, Split, hookimpl
from idxhub_export.arrays import blocks, named_arrays, small_labels

_DTYPES = {
    "uint8": "U8",
    "int8": "I8",
    "int16": "I16",
    "int32": "I32",
    "int64": "I64",
    "float32": "F32",
    "float64": "F64",
}
_ALIGNMENT = 8  # bytes: the arrays begin at a multiple of it


@hookimpl
def idxhub_export_format() -> ExportFormat:
    """One file."""
    return ExportFormat("one .safetensors file: x_train, y_train, x_test, y_test", False, ".safetensors")


@hookimpl
def idxhub_export(splits: Mapping[str, Split], path: Path, progress: Callable[[int], None]) -> None:
    """Write the arrays, those with the larger elements first, as the library does: then each is aligned."""
    arrays: dict[str, tuple[Any, Split | None]] = {}
    for name, split in splits.items():
        images, labels = named_arrays(name)
        arrays |= {images: (split.images, split), labels: (small_labels(split), None)}
    ordered = sorted(arrays.items(), key=lambda item: (-item[1][0].itemsize, item[0]))
    header, end = {}, 0
    for name, (array, _) in ordered:
        start, end = end, end + array.nbytes
        header[name] = {"dtype": _DTYPES[array.dtype.name], "shape": list(array.shape), "data_offsets": [start, end]}
    text = json.dumps(header, separators=(",", ":")).encode()
    text += b" " * (-len(text) % _ALIGNMENT)
    with path.open("xb") as file:
        file.write(len(text).to_bytes(8, "little") + text)
        for _, (array, of_split) in ordered:
            for block in [array] if of_split is None else blocks(of_split):
                file.write(np.ascontiguousarray(block, block.dtype.newbyteorder("<")).data)
                progress(0 if of_split is None else len(block))
