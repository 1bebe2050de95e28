"""ArrayRecord files in the form of TFDS: an image as a PNG file, and a label; each record can be read alone."""

from __future__ import annotations

import contextlib
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

from array_record.python.array_record_module import ArrayRecordWriter

from idxhub import ExportFormat, ExportSplit, Split, hookimpl
from idxhub_export.examples import SHARD_OPTION, examples, examples_per_shard, shards
from idxhub_export.library_errors import system_errors
from idxhub_export.tfds_files import check_splits, encode_example, file_name, write_metadata

_FORMAT = "array_record"
_SHARD = 200_000  # examples
# one record in a group, so that to read one example a reader need not decompress others; grain asks for it
_WRITER_OPTIONS = "group_size:1"


@hookimpl
def idxhub_export_format() -> ExportFormat:
    """A folder that TFDS opens."""
    options = {"examples_per_shard": SHARD_OPTION}
    return ExportFormat("a folder with ArrayRecord files of PNG images, as TFDS writes it", True, "", options)


@hookimpl
def idxhub_check_export(options: Mapping[str, Any], splits: Mapping[str, ExportSplit]) -> None:
    """Refuse what PNG or TFDS cannot have, and other values of the option."""
    check_splits(splits)
    examples_per_shard(options, _SHARD)


@hookimpl
def idxhub_export(
    splits: Mapping[str, Split], path: Path, options: Mapping[str, Any], progress: Callable[[int], None]
) -> None:
    """Write the shards, then the files that describe them."""
    lengths, sizes = {}, dict.fromkeys(splits, 0)
    for name, split in splits.items():
        ranges = shards(len(split), examples_per_shard(options, _SHARD))
        lengths[name] = [len(indices) for indices in ranges]
        for number, indices in enumerate(ranges):
            target = path / file_name(split, name, _FORMAT, number, len(ranges))
            with system_errors(), contextlib.closing(ArrayRecordWriter(str(target), _WRITER_OPTIONS)) as writer:
                for part in examples(split, indices):
                    for image, label in zip(part.files, part.labels, strict=True):
                        example = encode_example(image, label)
                        writer.write(example)
                        sizes[name] += len(example)
                    progress(len(part.files))
    write_metadata(path, splits, _FORMAT, lengths, sizes)
