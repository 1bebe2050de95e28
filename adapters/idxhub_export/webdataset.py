"""WebDataset: .tar files ("shards") with 000000.png and 000000.cls for each example."""

from __future__ import annotations

import tarfile
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

from idxhub import ExportFormat, ExportSplit, Split, hookimpl
from idxhub_export.examples import SHARD_OPTIONS, check_shards, examples, shards

_SHARD = 10_000  # examples


@hookimpl
def idxhub_export_format() -> ExportFormat:
    """A folder with some shards for each split."""
    return ExportFormat("a folder with .tar files of WebDataset, with PNG images", True, "", SHARD_OPTIONS)


@hookimpl
def idxhub_check_export(options: Mapping[str, Any], splits: Mapping[str, ExportSplit]) -> None:
    """Refuse images that no PNG can hold, and other values of the option."""
    check_shards(splits, options)


@hookimpl
def idxhub_export(
    splits: Mapping[str, Split], path: Path, options: Mapping[str, Any], progress: Callable[[int], None]
) -> None:
    """Write the shards. The names of the examples are their indices in the split, with six digits or more."""
    for name, split in splits.items():
        digits = max(6, len(str(len(split) - 1)))
        for number, indices in enumerate(shards(split, options, _SHARD)):
            with (path / f"{name}-{number:06}.tar").open("xb") as file:
                for part in examples(split, indices):
                    for index, (image, label) in enumerate(zip(part.files, part.labels, strict=True), part.start):
                        file.write(_member(f"{index:0{digits}}.png", image))
                        file.write(_member(f"{index:0{digits}}.cls", str(label).encode()))
                    progress(len(part.files))
                file.write(bytes(-(file.tell() + 2 * tarfile.BLOCKSIZE) % tarfile.RECORDSIZE + 2 * tarfile.BLOCKSIZE))


def _member(name: str, content: bytes) -> bytes:
    """A file of a tar archive. Its header has no time and no owner, so that the same examples give the same bytes."""
    header = tarfile.TarInfo(name)
    header.size = len(content)
    return b"".join((header.tobuf(tarfile.USTAR_FORMAT), content, bytes(-len(content) % tarfile.BLOCKSIZE)))
