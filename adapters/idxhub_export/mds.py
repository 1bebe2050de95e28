"""MDS, the format of Mosaic's `streaming`: shards with an index, in a folder for each split.

Written without that package. Sources: its documentation of the format ("Dataset Format"), and the files that its
`MDSWriter` writes, with which the tests compare these.
"""

from __future__ import annotations

import json
import struct
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

import numpy as np

from idxhub import ExportFormat, ExportSplit, Split, errors, hookimpl
from idxhub_export.examples import SHARD_OPTIONS, check_shards, examples, shards

_SHARD = 100_000  # examples: about 52 MB of images of 28x28; MDSWriter makes files of 64 MiB
_LARGEST = 2**32 - 1  # bytes of a shard, because its offsets have 32 bits
_VERSION = 2
_COLUMNS = {
    "column_encodings": ["png", "int"],
    "column_names": ["image", "label"],
    "column_sizes": [None, 8],
    "compression": None,
    "format": "mds",
    "hashes": [],
    "size_limit": None,
    "version": _VERSION,
}


@hookimpl
def idxhub_export_format() -> ExportFormat:
    """A folder with a folder for each split."""
    return ExportFormat("a folder with MDS files of PNG images, for Mosaic's streaming", True, "", SHARD_OPTIONS)


@hookimpl
def idxhub_check_export(options: Mapping[str, Any], splits: Mapping[str, ExportSplit]) -> None:
    """Refuse images that no PNG can hold, and other values of the option."""
    check_shards(splits, options)


@hookimpl
def idxhub_export(
    splits: Mapping[str, Split], path: Path, options: Mapping[str, Any], progress: Callable[[int], None]
) -> None:
    """Write the shards and the index of each split."""
    for name, split in splits.items():
        folder = path / name
        folder.mkdir()
        index = []
        for number, indices in enumerate(shards(split, options, _SHARD)):
            file = f"shard.{number:05}.mds"
            size = _write(folder / file, split, indices, progress)
            data = {"basename": file, "bytes": size, "hashes": {}}
            index.append({**_COLUMNS, "raw_data": data, "samples": len(indices), "zip_data": None})
        text = json.dumps({"shards": index, "version": _VERSION}, sort_keys=True)
        (folder / "index.json").write_bytes(text.encode())


def _write(path: Path, split: Split, indices: range, progress: Callable[[int], None]) -> int:
    """Write a shard; its size in bytes. The offsets come before the samples, and are filled in at the end.

    Raises `ArgumentError` if the shard is larger than the format admits.
    """
    config = json.dumps(_COLUMNS, sort_keys=True).encode()
    offsets_size = 4 * (len(indices) + 1)
    sizes = [4 + offsets_size + len(config)]
    with path.open("xb") as file:
        file.write(struct.pack("<I", len(indices)) + bytes(offsets_size) + config)
        for part in examples(split, indices):
            for image, label in zip(part.files, part.labels, strict=True):
                sample = b"".join((struct.pack("<I", len(image)), image, struct.pack("<q", label)))
                sizes.append(len(sample))
                file.write(sample)
            if file.tell() > _LARGEST:
                must_be = "smaller for such images, because a file of MDS has less than 4 GiB"
                raise errors.ArgumentError("examples_per_shard", len(indices), must_be)
            progress(len(part.files))
        file.seek(4)
        file.write(np.cumsum(sizes).astype("<u4").tobytes())
    return sum(sizes)
