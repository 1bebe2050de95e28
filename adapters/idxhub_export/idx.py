"""IDX files under the names of the published ones, uncompressed."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from pathlib import Path
from typing import Any, NamedTuple

from idxhub import ExportFormat, Resource, Split, errors, hookimpl, idx
from idxhub_export.arrays import blocks, small_labels

NAMES_OPTION = 'how the files are called: "published" as the dataset\'s authors call them, "mnist" as those of MNIST'
_NAMES = ("published", "mnist")
_TYPES = {"uint8": "ubyte", "int8": "byte", "int16": "short", "int32": "int", "float32": "float", "float64": "double"}
_MNIST_PREFIXES = {"test": "t10k"}


@hookimpl
def idxhub_export_format() -> ExportFormat:
    """A folder with two files for each split."""
    return ExportFormat("a folder with two IDX files for each split", is_folder=True, options={"names": NAMES_OPTION})


@hookimpl
def idxhub_check_export(options: Mapping[str, Any]) -> None:
    """Refuse another value of `names`."""
    check_names(options)


@hookimpl
def idxhub_export(
    splits: Mapping[str, Split], path: Path, options: Mapping[str, Any], progress: Callable[[int], None]
) -> None:
    """Write the files, one after the other."""
    for file in idx_files(splits, options):
        with (path / file.name).open("xb") as stream:
            for content, count in file.parts():
                stream.write(content)
                progress(count)


def check_names(options: Mapping[str, Any]) -> None:
    """Raise `UnknownNameError` if the option `names` has another value than those that exist."""
    if options.get("names", "published") not in _NAMES:
        raise errors.UnknownNameError("names", options["names"], _NAMES)


class IdxFile(NamedTuple):
    """One file: its name without .gz, its parts with the number of examples that each completes, and the published file
    whose content it has, if there is one.
    """

    name: str
    parts: Callable[[], Iterator[tuple[Any, int]]]
    published: Resource | None


def idx_files(splits: Mapping[str, Split], options: Mapping[str, Any]) -> list[IdxFile]:
    """The files of all splits. Raises `ArgumentError` if two would have the same name."""
    files = [file for name, split in splits.items() for file in _files(name, split, options.get("names", "published"))]
    names = [file.name for file in files]
    twice = sorted({name for name in names if names.count(name) > 1})
    if twice:
        by_split = options.get("names", "published") == "mnist"
        advice = "give the splits other names" if by_split else "names='mnist' calls each file after its split"
        raise errors.ArgumentError("splits", list(splits), f"such that no two files are called {twice[0]}; {advice}")
    return files


def _files(name: str, split: Split, names: str) -> tuple[IdxFile, IdxFile]:
    images_file, labels_file = split.published("images"), split.published("labels")
    labels_array = small_labels(split) if labels_file is None else split.labels.astype(labels_file.dtype)

    def images() -> Iterator[tuple[Any, int]]:
        yield idx.encode_header(split.images.shape, split.images.dtype.name), 0
        for block in blocks(split):
            yield block.astype(block.dtype.newbyteorder(">"), order="C", copy=False).data, len(block)

    def labels() -> Iterator[tuple[Any, int]]:
        yield idx.encode(labels_array), 0

    def file_name(what: str, array: Any, published: Resource | None) -> str:
        if names == "published" and published is not None and name == split.info.parts[0].name:
            return published.stem
        prefix = _MNIST_PREFIXES.get(name, name) if names == "mnist" else name
        return f"{prefix}-{what}-idx{array.ndim}-{_TYPES[array.dtype.name]}"

    return (
        IdxFile(file_name("images", split.images, images_file), images, images_file),
        IdxFile(file_name("labels", labels_array, labels_file), labels, labels_file),
    )
