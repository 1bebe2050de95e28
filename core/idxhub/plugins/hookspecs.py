"""What a plugin can do for idxhub. A plugin is a module (or object) with some of these, marked `@hookimpl`.

An adapter (entry-point group `idxhub.adapters`) must have `idxhub_dataset` and `idxhub_batch`, has
`idxhub_resident` if its loader can keep the data on a device, and `idxhub_check` and `idxhub_check_device` to refuse
what it cannot do with before anything is loaded; a plugin of the group `idxhub.datasets` must have
`idxhub_datasets`. An implementation may leave out arguments it does not need.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
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
