"""Parquet files in the form of the Hugging Face Hub: a PNG file and a label for each example.

The schema's metadata are those that `datasets` writes. From them it knows that the column holds images, and the names
of the classes. Other readers see a struct with the bytes of the PNG file, and an integer.
"""

from __future__ import annotations

import json
import re
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

import pyarrow as pa
import pyarrow.parquet as pq

from idxhub import ExportFormat, ExportSplit, Split, errors, hookimpl
from idxhub_export.examples import SHARD_OPTIONS, check_shards, examples, shards
from idxhub_export.library_errors import library_path

_SHARD = 1_000_000  # examples: about 500 MB of images of 28x28, as large as the Hub's files


@hookimpl
def idxhub_export_format() -> ExportFormat:
    """A folder with a folder `data`, and in it a file for each split."""
    return ExportFormat(
        "a folder with Parquet files of PNG images, as on the Hugging Face Hub", True, "", SHARD_OPTIONS
    )


@hookimpl
def idxhub_check_export(options: Mapping[str, Any], splits: Mapping[str, ExportSplit]) -> None:
    """Refuse images that no PNG can hold, names that `datasets` refuses, and other values of the option."""
    check_shards(splits, options)
    (split, *_) = splits.values()
    if len({*split.classes}) < len(split.classes):
        raise errors.ArgumentError("classes", split.classes, "names that differ, for datasets")
    for name in splits:
        if re.fullmatch(r"\w+(\.\w+)*", name) is None or name == "all":  # datasets means all splits by "all"
            must_be = "of letters, digits and '_', with '.' between them, and not 'all', for datasets"
            raise errors.ArgumentError("a name in splits", name, must_be)


@hookimpl
def idxhub_export(
    splits: Mapping[str, Split], path: Path, options: Mapping[str, Any], progress: Callable[[int], None]
) -> None:
    """Write the files where `push_to_hub` puts them. Elsewhere `datasets` finds splits of a few names alone."""
    data = path / "data"
    data.mkdir()
    for name, split in splits.items():
        ranges = shards(split, options, _SHARD)
        for number, indices in enumerate(ranges):
            _write(data / f"{name}-{number:05}-of-{len(ranges):05}.parquet", split, indices, progress)


def _write(path: Path, split: Split, indices: range, progress: Callable[[int], None]) -> None:
    schema = _schema(split.classes)
    # zstd, because the PNG files are compressed, but what all of them have in common is not; no dictionary and no
    # minimum and maximum of the PNG files, because each differs from the others
    settings = {"compression": "zstd", "use_dictionary": ["label"], "write_statistics": ["label"]}
    with pq.ParquetWriter(library_path(path), schema, **settings) as writer:
        for part in examples(split, indices):  # about 1,300 of 28x28: a reader fetches one row group at a time
            pictures = pa.StructArray.from_arrays(
                [pa.array(part.files, pa.binary()), pa.nulls(len(part.files), pa.string())], ["bytes", "path"]
            )
            writer.write_batch(pa.record_batch([pictures, pa.array(part.labels, pa.int64())], schema=schema))
            progress(len(part.files))


def _schema(classes: tuple[str, ...]) -> pa.Schema:
    label = {"names": list(classes), "_type": "ClassLabel"} if classes else {"dtype": "int64", "_type": "Value"}
    metadata = {"info": {"features": {"image": {"_type": "Image"}, "label": label}}}
    picture = pa.struct({"bytes": pa.binary(), "path": pa.string()})
    return pa.schema({"image": picture, "label": pa.int64()}, {"huggingface": json.dumps(metadata)})
