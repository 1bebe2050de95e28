"""What a plugin can do for idxhub. A plugin is a module (or object) with some of these, marked `@hookimpl`.

An adapter (entry-point group `idxhub.adapters`) must have `idxhub_dataset` and `idxhub_batch`, has
`idxhub_resident` if its loader can keep the data on a device, and `idxhub_check` and `idxhub_check_device` to refuse
what it cannot do with before anything is loaded; a plugin of the group `idxhub.datasets` must have
`idxhub_datasets`. An exporter (group `idxhub.exporters`) must have `idxhub_export_format` and `idxhub_export`, and has
`idxhub_check_export` to refuse what it cannot write. An implementation may leave out arguments it does not need.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
from pathlib import Path
from types import MappingProxyType
from typing import TYPE_CHECKING, Any, NamedTuple

import pluggy

from idxhub.catalog.spec import DatasetSpec
from idxhub.data.arrays import Layout
from idxhub.data.loader import Batches
from idxhub.data.split import Split

if TYPE_CHECKING:  # importing numpy.typing takes 0.7 ms
    from numpy.typing import NDArray

hookspec = pluggy.HookspecMarker("idxhub")
hookimpl = pluggy.HookimplMarker("idxhub")


class Conventions(NamedTuple):
    """What users of a framework expect: the layout of an image, the dtype of labels; and the adapter's options.

    `options` maps each keyword that `get_dataset` passes on to a line that says what it does.
    """

    layout: Layout = "HW"
    label_dtype: str = "int64"
    options: Mapping[str, str] = MappingProxyType({})


class ExportFormat(NamedTuple):
    """What an exporter writes.

    `description` is one line. `is_folder` says whether the result is a folder or one file, and `suffix` how the name of
    such a file usually ends. `options` maps each keyword that `export` passes on to a line that says what it does.
    """

    description: str
    is_folder: bool
    suffix: str = ""
    options: Mapping[str, str] = MappingProxyType({})


class ExportSplit(NamedTuple):
    """What is known of a split before it is loaded.

    `num_examples` is its length, `shape` and `dtype` are those of one image as stored, and `classes` are the names of
    the labels; they are empty if the dataset has no names.
    """

    num_examples: int
    shape: tuple[int, ...]
    dtype: str
    classes: tuple[str, ...]


@hookspec(firstresult=True)
def idxhub_conventions() -> Conventions | None:
    """The framework's conventions; without it, those of NumPy and no options."""


@hookspec(firstresult=True)
def idxhub_dataset(split: Split, options: Mapping[str, Any]) -> Any:
    """The native dataset of a split; `options` holds those the caller gave."""


@hookspec
def idxhub_check(options: Mapping[str, Any], shape: tuple[int, ...], dtype: str, layout: Layout | None) -> None:
    """Raise an error of `idxhub.errors` for options that images cannot be had with: `shape` is that of one as stored,
    `dtype` and `layout` are those in which they will be given.
    """


@hookspec(firstresult=True)
def idxhub_batch(images: NDArray[Any], labels: NDArray[Any]) -> Any:
    """The native batch of two arrays: images, (B, ...), already in the dtype and layout asked for, and labels, (B,)."""


@hookspec(firstresult=True)
def idxhub_resident(split: Split, device: Any) -> Batches[Any] | None:
    """Put the split on `device`; a function that gathers there, by a pass's indices, int64 (n,), and a batch size, its
    batches.
    """


@hookspec
def idxhub_check_device(device: Any) -> None:
    """Raise an error of `idxhub.errors` for a device that `idxhub_resident` cannot put a split on."""


@hookspec
def idxhub_datasets() -> Iterable[DatasetSpec]:
    """The datasets that the plugin adds to the catalog."""
    raise NotImplementedError  # a specification: pluggy never calls it


@hookspec(firstresult=True)
def idxhub_export_format() -> ExportFormat:
    """What the exporter writes, and its options."""
    raise NotImplementedError  # as above


@hookspec
def idxhub_check_export(options: Mapping[str, Any], splits: Mapping[str, ExportSplit]) -> None:
    """Raise an error of `idxhub.errors` for options or splits that cannot be exported, before anything is loaded."""


@hookspec
def idxhub_export(
    splits: Mapping[str, Split], path: Path, options: Mapping[str, Any], progress: Callable[[int], None]
) -> None:
    """Write the splits, which are given by their names, to `path`, and call `progress(n)` after each n examples.

    `path` has the name that the user chose, in a temporary folder. For a format that is one file, nothing exists there;
    for one that is a folder, it is an empty folder. idxhub flushes what was written and puts it in its place. Read a
    few thousand images at a time, so that a dataset may be larger than the memory. The same splits and options give the
    same bytes, if the format allows it.
    """
