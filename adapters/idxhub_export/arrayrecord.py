"""ArrayRecord files in the form of TFDS: an image as a PNG file, and a label; each record can be read alone."""

from __future__ import annotations

import contextlib
from collections.abc import Callable, Iterator, Mapping
from pathlib import Path
from typing import Any

from array_record.python.array_record_module import ArrayRecordWriter

from idxhub import ExportFormat, ExportSplit, Split, hookimpl
from idxhub_export import tfds_files
from idxhub_export.library_errors import library_path, system_errors

# one record in a group, so that to read one example a reader need not decompress others; grain asks for it
_WRITER_OPTIONS = "group_size:1"


@hookimpl
def idxhub_export_format() -> ExportFormat:
    """A folder that TFDS opens."""
    return tfds_files.describe_format("ArrayRecord files")


@hookimpl
def idxhub_check_export(options: Mapping[str, Any], splits: Mapping[str, ExportSplit]) -> None:
    """Refuse what PNG or TFDS cannot have, and other values of the option."""
    tfds_files.check(splits, options)


@hookimpl
def idxhub_export(
    splits: Mapping[str, Split], path: Path, options: Mapping[str, Any], progress: Callable[[int], None]
) -> None:
    """Write the shards, then the files that describe them."""
    tfds_files.write_dataset(path, splits, options, progress, file_format="array_record", open_shard=_open_shard)


@contextlib.contextmanager
def _open_shard(path: Path) -> Iterator[Callable[[bytes], object]]:
    with system_errors(), contextlib.closing(ArrayRecordWriter(library_path(path), _WRITER_OPTIONS)) as writer:
        yield writer.write
