"""The arguments that `get_dataset`, `get_loader`, `load` and `export` share: checked, and in one form.

Nothing here searches for a file or reads one, except `load_each`.
"""

from __future__ import annotations

import os
import sys
from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

import numpy as np

from idxhub.arguments import boolean
from idxhub.catalog import split_string
from idxhub.catalog.spec import ArraySpec, DatasetSpec
from idxhub.data.arrays import LAYOUTS, Layout, check_choice
from idxhub.data.load import Source
from idxhub.data.split import Split, load_splits, with_format
from idxhub.errors import ArgumentError, IdxHubError, UnknownNameError, describe_value
from idxhub.paths import absolute_path
from idxhub.plugins.adapter import Adapter
from idxhub.plugins.manager import Plugins, installed

if TYPE_CHECKING:  # importing numpy.typing takes 0.7 ms
    from numpy.typing import DTypeLike


def plugins_or_installed(plugins: Plugins | None) -> Plugins:
    """The plugins to use. Raises `IdxHubError` while Python is shutting down, when nothing can be imported any more."""
    if sys.is_finalizing():
        raise IdxHubError("Python is shutting down; load the data before that, in a function of atexit at the latest")
    if plugins is None:
        return installed()
    if not isinstance(plugins, Plugins):
        raise ArgumentError("plugins", plugins, "an idxhub.Plugins, or None")
    return plugins


def list_split_strings(split: str | Sequence[str]) -> tuple[str, ...]:
    """The split strings of the argument `split`, which is one or a sequence of them."""
    if isinstance(split, str):
        return (split,)
    if isinstance(split, (bytes, bytearray)) or not isinstance(split, Sequence):
        raise ArgumentError("split", split, "a string or a sequence of strings")
    return tuple(split)


def name_dtype(dtype: DTypeLike | None) -> str | None:
    """The name of a dtype, given as a name, an abbreviation, or a dtype object of NumPy or of a framework.

    What NumPy does not know is returned unchanged: the caller refuses it.
    """
    if dtype is None:
        return None
    named: Any = dtype
    if type(dtype).__name__.lower() == "dtype" and not isinstance(dtype, np.dtype):
        named = getattr(dtype, "as_numpy_dtype", str(dtype).rpartition(".")[2])
    try:
        return str(np.dtype(named).name)
    except (TypeError, ValueError, SyntaxError):  # the last for some strings
        return dtype if isinstance(dtype, str) else describe_value(dtype)


def check_split_and_form(spec: DatasetSpec, split: str, dtype: str | None, layout: str | None) -> set[ArraySpec]:
    """The arrays of images that a split is made of.

    Raises `UnknownNameError` for a split that does not exist, and for a dtype or layout that its images cannot have.
    """
    ranges = split_string.ranges(spec, split)
    for part in ranges:
        images = spec.splits[part.name].images
        stored = images.dtype
        choices = ("uint8", "float32") if stored == "uint8" else (stored,)
        if dtype is not None:
            check_choice(f"{spec.name} dtype", dtype, choices)
        if layout is not None:
            check_choice("layout", layout, LAYOUTS)
            if len(images.shape) != 3:
                raise UnknownNameError(
                    "layout", layout, ["None"], why=f"{spec.name} has arrays of shape {images.shape}"
                )
    return {spec.splits[part.name].arrays[0] for part in ranges}


def delivered_form(
    stored: ArraySpec, dtype: str | None, layout: Layout | None, adapter: Adapter
) -> tuple[tuple[int, ...], str, Layout | None]:
    """What `with_conventions` will deliver: the shape of one image as stored, the dtype and the layout."""
    shape = stored.shape[1:]
    return shape, dtype or stored.dtype, adapter.conventions.layout if layout is None and len(shape) == 2 else layout


def with_conventions(split: Split, dtype: str | None, layout: Layout | None, adapter: Adapter) -> Split:
    """The split in the form that was asked for; what was not asked for is as the adapter's framework has it."""
    if layout is None and split.images.ndim == 3:
        layout = adapter.conventions.layout
    return with_format(split, dtype, layout, adapter.conventions.label_dtype)


def make_source(
    spec: DatasetSpec,
    data_dir: str | os.PathLike[str] | None,
    cache_dir: str | os.PathLike[str] | None,
    download: bool,
    verify: bool,
) -> Source:
    """What to load from, without a split yet. The folders are absolute. Raises `ArgumentError`."""
    download, verify = boolean("download", download), boolean("verify", verify)
    folder = check_path("data_dir", data_dir)
    if folder is not None and not os.path.isdir(folder):
        from idxhub.acquire.local import SearchSettings  # noqa: PLC0415 -- it raises the error; a warm call does not need it

        SearchSettings.from_environment(data_dir)
    return Source(spec, "", folder, check_path("cache_dir", cache_dir), download, verify)


def check_path(argument: str, path: str | os.PathLike[str] | None) -> str | None:
    """The path made absolute, so that it means the same in another process, in another folder."""
    if path is None:
        return None
    text = os.fspath(path) if isinstance(path, (str, os.PathLike)) else None
    if not isinstance(text, str) or "\0" in text or not text:
        raise ArgumentError(argument, path, "a path (str or os.PathLike) that is not empty and has no null character")
    try:
        os.fsencode(text)
    except UnicodeEncodeError:
        raise ArgumentError(argument, path, "a path that this system can encode") from None
    absolute = absolute_path(text)
    if not os.path.isabs(absolute):
        raise ArgumentError(argument, text, "an absolute path, because the working directory no longer exists")
    return absolute


def load_each(source: Source, split_strings: Sequence[str], plugins: Plugins) -> list[Split]:
    """The splits of one dataset, which differ from `source` only in the split string."""
    if not split_strings:
        return []
    return load_splits([source._replace(split=split) for split in split_strings], specs=plugins.specs)
