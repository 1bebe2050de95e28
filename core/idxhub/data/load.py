"""Loading the arrays of a split: from the cache or, if they are not there, by building them first."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterable, Mapping, Sequence
from typing import TYPE_CHECKING, Any, NamedTuple

import numpy as np

from idxhub.cache.layout import cache_root
from idxhub.cache.record import Record
from idxhub.cache.store import Cache, StoredArray
from idxhub.catalog import split_string
from idxhub.catalog.spec import ArraySpec, DatasetSpec, SplitSpec
from idxhub.data.arrays import empty_aligned
from idxhub.errors import CacheError, IdxFormatError

if TYPE_CHECKING:  # importing numpy.typing takes 0.7 ms
    from numpy.typing import NDArray

Specs = Callable[
    [], Iterable[DatasetSpec]
]  # a function, so that the catalog is read only if a wrong file must be named
_ATTEMPTS = 12  # to load from a cache that another process removes at the same time
_PAUSE = 0.02  # seconds before the second attempt; more before each further one


class Source(NamedTuple):
    """How a split was loaded, so that another process can load it again."""

    spec: DatasetSpec
    split: str
    data_dir: str | None
    cache_dir: str | None
    download: bool
    verify: bool


class DatasetInfo(NamedTuple):
    """What a dataset object contains.

    `dataset` and `split` are the names that it was asked for with. `num_examples` is its length. `parts` are the ranges
    of the spec's splits that it consists of, `spec` is the description of the dataset, and `records` has one record for
    each file that was read.
    """

    dataset: str
    split: str
    num_examples: int
    parts: tuple[split_string.Range, ...]
    spec: DatasetSpec
    records: tuple[Record, ...]

    def __repr__(self) -> str:
        return f"DatasetInfo({self.dataset!r}, split={self.split!r}, num_examples={self.num_examples})"


class LoadedArrays(NamedTuple):
    """The arrays of a split as stored, what they contain, and how they were loaded."""

    images: NDArray[Any]
    labels: NDArray[Any]
    info: DatasetInfo
    source: Source


def load_arrays(
    sources: Sequence[Source], *, verify: bool | None = None, build: bool = True, specs: Specs = tuple
) -> list[LoadedArrays]:
    """Load the arrays of several splits of one dataset.

    Each split has mappings of its own, so that writing into one leaves the others unchanged. `verify`, if it is given,
    replaces that of the sources. Without `build`, an array that is not in the cache is a `CacheError`. If another
    process removes the cache at the same time, as `idxhub cache --remove` does, the load begins again. The errors are
    those of `idxhub.load`.
    """
    cache = Cache(cache_root(sources[0].cache_dir), sources[0].spec)
    for attempt in range(_ATTEMPTS - 1):
        try:
            return _load_once(sources, cache, verify=verify, build=build, specs=specs)
        except CacheError as error:
            if not build or not isinstance(error.__cause__, FileNotFoundError):
                raise
            time.sleep(_PAUSE * (1 + attempt))
    return _load_once(sources, cache, verify=verify, build=build, specs=specs)


def _load_once(
    sources: Sequence[Source], cache: Cache, *, verify: bool | None, build: bool, specs: Specs
) -> list[LoadedArrays]:
    first = sources[0]
    checked = first.verify if verify is None else verify
    plans = [_plan(source) for source in sources]
    opened = [{key: cache.open(each, verify=checked) for key, each in needed.items()} for _, needed in plans]
    missing = {
        key: needed[key]
        for (_, needed), stored in zip(plans, opened, strict=True)
        for key in needed
        if stored[key] is None
    }
    if missing and not build:
        raise CacheError(f"not in the cache at {cache.folder}: {', '.join(missing)}")
    built: dict[str, StoredArray] = {}
    if missing:
        from idxhub.acquire.build import build_arrays  # noqa: PLC0415 -- for a cache miss alone: it imports a lot

        built = build_arrays(missing, cache, first.data_dir, download=first.download, specs=tuple(specs()))
    unused = dict(built)
    loaded = []
    for source, (ranges, needed), stored in zip(sources, plans, opened, strict=True):
        arrays = {key: stored[key] or unused.pop(key, None) or cache.open(each) for key, each in needed.items()}
        # an array that was built in memory is not in the cache: every split but the first gets a copy of it
        arrays |= {key: _copy(built[key]) for key, each in arrays.items() if each is None and key in built}
        present = {key: each for key, each in arrays.items() if each is not None}
        if len(present) < len(needed):
            message = f"{cache.folder} was removed or changed while it was read; try again when nothing else changes it"
            raise CacheError(message) from FileNotFoundError()
        loaded.append(_join_ranges(source._replace(cache_dir=str(cache.root)), ranges, present))
    return loaded


def _plan(source: Source) -> tuple[tuple[split_string.Range, ...], dict[str, ArraySpec]]:
    """The ranges that a split string means, and the arrays that contain them."""
    spec = source.spec
    ranges = split_string.ranges(spec, source.split)
    return ranges, {array_spec.key: array_spec for part in ranges for array_spec in spec.splits[part.name].arrays}


def _copy(stored: StoredArray) -> StoredArray:
    array = empty_aligned(stored.array.shape, stored.array.dtype)
    array[...] = stored.array
    return stored._replace(array=array)


def _join_ranges(
    source: Source, ranges: tuple[split_string.Range, ...], stored: Mapping[str, StoredArray]
) -> LoadedArrays:
    spec = source.spec
    images, labels = [], []
    for name, start, stop in ranges:
        split = spec.splits[name]
        stored_images, stored_labels = (stored[array_spec.key] for array_spec in split.arrays)
        _check_labels(spec, split, stored_labels)
        rows = slice(split.start + start, split.start + stop)
        images.append(stored_images.array[rows])
        labels.append(stored_labels.array[rows])
    joined_images, joined_labels = (each[0] if len(each) == 1 else np.concatenate(each) for each in (images, labels))
    records = tuple(each.record for each in stored.values())
    info = DatasetInfo(spec.name, source.split, len(joined_images), ranges, spec, records)
    return LoadedArrays(joined_images, joined_labels, info, source)


def _check_labels(spec: DatasetSpec, split: SplitSpec, stored: StoredArray) -> None:
    lowest, highest = stored.record.lowest, stored.record.highest
    if not spec.classes or lowest is None or highest is None or 0 <= lowest <= highest < len(spec.classes):
        return
    # The record has the extremes so that opening need not read the labels. If it says that they are wrong, the array
    # itself decides.
    lowest, highest = int(stored.array.min()), int(stored.array.max())
    if not 0 <= lowest <= highest < len(spec.classes):
        # perhaps the first class has another number than 0
        offset = split.label_offset + lowest
        advice = f"label_offset={offset} fits" if highest - lowest < len(spec.classes) else "name all classes"
        raise IdxFormatError(
            f"{split.labels.filename} of {spec.name}: labels from {lowest} to {highest}, "
            f"classes from 0 to {len(spec.classes) - 1}; {advice}"
        )
