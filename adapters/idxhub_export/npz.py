"""One .npz file of NumPy with x_train, y_train, x_test and y_test, as Keras' datasets have them."""

from __future__ import annotations

import zipfile
from collections.abc import Callable, Iterator, Mapping
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from idxhub import ExportFormat, Split, hookimpl
from idxhub_export.arrays import COMPRESS_OPTIONS, blocks, is_compressed, named_arrays, small_labels

_DATE = (1980, 1, 1, 0, 0, 0)  # the first that a .zip can have: the same arrays give the same bytes
_UNIX = 3  # the system that a .zip says it was made on; otherwise it would depend on the real one


@hookimpl
def idxhub_export_format() -> ExportFormat:
    """One file."""
    return ExportFormat("one .npz file: x_train, y_train, x_test, y_test", False, ".npz", COMPRESS_OPTIONS)


@hookimpl
def idxhub_check_export(options: Mapping[str, Any]) -> None:
    """Refuse other values of the option."""
    is_compressed(options)


@hookimpl
def idxhub_export(
    splits: Mapping[str, Split], path: Path, options: Mapping[str, Any], progress: Callable[[int], None]
) -> None:
    """Write the members one after the other, in blocks."""
    method = zipfile.ZIP_DEFLATED if is_compressed(options) else zipfile.ZIP_STORED
    with zipfile.ZipFile(path, "x", method) as file:
        for name, split in splits.items():
            images, labels = named_arrays(name)
            _write(file, images, split.images, blocks(split), progress)
            small = small_labels(split)
            _write(file, labels, small, iter([small]), lambda _: None)


def _write(
    file: zipfile.ZipFile,
    name: str,
    array: NDArray[Any],
    parts: Iterator[NDArray[Any]],
    progress: Callable[[int], None],
) -> None:
    """Write a member in NumPy's own format; `parts` are those of the array, along its first axis."""
    member = zipfile.ZipInfo(f"{name}.npy", _DATE)
    member.create_system = _UNIX
    member.compress_type = file.compression
    header = {"descr": np.lib.format.dtype_to_descr(array.dtype), "fortran_order": False, "shape": array.shape}
    with file.open(member, "w", force_zip64=True) as stream:  # as NumPy does: the size may be above 4 GiB
        np.lib.format.write_array_header_1_0(stream, header)
        for part in parts:
            stream.write(np.ascontiguousarray(part).data)
            progress(len(part))
