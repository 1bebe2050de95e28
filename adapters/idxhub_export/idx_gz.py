"""IDX files compressed with gzip: the published files, byte for byte, where the splits are those of the dataset."""

from __future__ import annotations

import gzip
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

from idxhub import ExportFormat, Split, arguments, hookimpl
from idxhub_export.idx import NAMES_OPTION, IdxFile, check_names, idx_files

_LEVEL = 6  # gzip's own default
_MAGIC = b"\x1f\x8b"  # with which every .gz file begins: RFC 1952


@hookimpl
def idxhub_export_format() -> ExportFormat:
    """A folder with two files for each split."""
    options = {
        "names": NAMES_OPTION,
        "recompress": "True to compress the arrays instead of taking the published files, which must then not be found",
    }
    return ExportFormat("a folder with two IDX files for each split, compressed", is_folder=True, options=options)


@hookimpl
def idxhub_check_export(options: Mapping[str, Any]) -> None:
    """Refuse other values of the options."""
    check_names(options)
    arguments.boolean("recompress", options.get("recompress", False))


@hookimpl
def idxhub_export(
    splits: Mapping[str, Split], path: Path, options: Mapping[str, Any], progress: Callable[[int], None]
) -> None:
    """Write the files, one after the other."""
    (any_split, *_) = splits.values()
    for file in idx_files(splits, options):
        target = path / f"{file.name}.gz"
        published = None if options.get("recompress", False) else file.published
        content = b""
        if published is not None and published.filename.endswith(".gz"):
            content = any_split.read_published(published)
        if published is not None and content.startswith(_MAGIC):
            target.write_bytes(content)
            progress(published.shape[0] if len(published.shape) > 1 else 0)
        else:  # of a user's own files, some may be called .gz and not be compressed
            _compress(file, target, progress)


def _compress(file: IdxFile, target: Path, progress: Callable[[int], None]) -> None:
    """Compress a file. The same content always gives the same bytes: the header has no name and no time."""
    with target.open("xb") as raw, gzip.GzipFile("", "wb", _LEVEL, raw, mtime=0) as stream:
        for content, count in file.parts():
            stream.write(content)
            progress(count)
