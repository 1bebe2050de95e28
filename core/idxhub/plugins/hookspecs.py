"""The hooks. A plugin is a module or an object that implements some of these functions, marked with `@hookimpl`.

An adapter (entry-point group `idxhub.adapters`) must implement `idxhub_dataset` and `idxhub_batch`. It implements
`idxhub_resident` if its loader can keep the data on a device, and `idxhub_check` and `idxhub_check_device` to refuse
wrong values before anything is loaded. A plugin in the group `idxhub.datasets` must implement `idxhub_datasets`. An
exporter (group `idxhub.exporters`) must implement `idxhub_export_format` and `idxhub_export`. It implements
`idxhub_check_export` to refuse options and splits that it cannot write. An implementation may leave out parameters that
it does not need.
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
    """The layout of an image and the dtype of labels that users of a framework expect, and the adapter's options.

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
    """Return the framework's conventions. Without this hook, they are those of NumPy, and there are no options."""


@hookspec(firstresult=True)
def idxhub_dataset(split: Split, options: Mapping[str, Any]) -> Any:
    """Return the native dataset of a split. `options` contains the options that the caller gave."""


@hookspec
def idxhub_check(options: Mapping[str, Any], shape: tuple[int, ...], dtype: str, layout: Layout | None) -> None:
    """Raise an error of `idxhub.errors` if a value of an option is wrong.

    `shape` is the shape of one image as stored; `dtype` and `layout` are those in which the images will be delivered.
    """


@hookspec(firstresult=True)
def idxhub_batch(images: NDArray[Any], labels: NDArray[Any]) -> Any:
    """Return the native batch of two arrays: images (B, ...) in the dtype and layout asked for, and labels (B,)."""


@hookspec(firstresult=True)
def idxhub_resident(split: Split, device: Any) -> Batches[Any] | None:
    """Copy the split to `device`, and return a function that makes batches there.

    The function takes the indices of a pass, int64 (n,), and the batch size, and returns an iterator of native batches.

    It may have an attribute `send`, a function that copies the indices of several passes to the device at once. `send`
    takes a list of arrays, int32 or int64 (n,), and returns one object for each of them. The function then takes such
    an object instead of the array, or a slice of it. Then threads draw the orders of the next epochs ahead, from the
    second epoch on; `send` itself is called by the thread that asks for batches.
    """


@hookspec
def idxhub_check_device(device: Any) -> None:
    """Raise an error of `idxhub.errors` for a device to which `idxhub_resident` cannot copy a split."""


@hookspec
def idxhub_datasets() -> Iterable[DatasetSpec]:
    """Return the datasets that the plugin adds to the catalog."""
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
