"""A split of a dataset as arrays: what adapters are handed, and what `load` returns."""

from __future__ import annotations

import math
import time
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any, Generic, Literal, NamedTuple, TypeVar

import numpy as np
from numpy.typing import NDArray

from idxhub.cache.layout import cache_root
from idxhub.cache.record import Record
from idxhub.cache.store import Cache, StoredArray
from idxhub.catalog import split_string as splits
from idxhub.catalog.spec import ArraySpec, DatasetSpec, Resource
from idxhub.errors import ArgumentError, CacheError, IdxFormatError, UnknownNameError

T = TypeVar("T")
Layout = Literal["HW", "CHW", "HWC"]
Specs = Callable[[], Iterable[DatasetSpec]]  # asked for when a wrong file is to be named, and not before
ALIGNMENT = 64  # bytes
_TRIES = 12  # of a load whose cache is removed meanwhile
_PAUSE = 0.02  # seconds before the second attempt; more before each further one
LAYOUTS: tuple[Layout, ...] = ("HW", "CHW", "HWC")


class _Pair(NamedTuple, Generic[T]):
    images: T
    labels: T


class Source(NamedTuple):
    """How a split was loaded, so that another process can load it again."""

    spec: DatasetSpec
    split: str
    data_dir: str | None
    cache_dir: str | None
    download: bool
    verify: bool


class DatasetInfo(NamedTuple):
    """What a dataset object is: `dataset` and `split` as asked for, the ranges of the spec's splits that it is made of,
    the spec, and a record for each file read.
    """

    dataset: str
    split: str
    num_examples: int
    parts: tuple[splits.Range, ...]
    spec: DatasetSpec
    records: tuple[Record, ...]

    def __repr__(self) -> str:
        return f"DatasetInfo({self.dataset!r}, split={self.split!r}, num_examples={self.num_examples})"


class Arrays(_Pair[T], Generic[T]):
    """Images and labels of the same length, in some framework's array type: a pair, to be taken apart as one.

    `info` is what a dataset is and where its bytes came from; None for arrays that are no dataset, as a batch's.
    """

    info: DatasetInfo | None = None

    def __repr__(self) -> str:
        named = "" if self.info is None else f"{self.info.dataset!r}, split={self.info.split!r}, "
        return f"Arrays({named}images={_summary(self.images)}, labels={_summary(self.labels)})"


@dataclass(frozen=True, eq=False)
class Split:
    """The examples of a split string.

    `images` is (N, H, W) as stored, uint8 in every built-in dataset: mapped copy-on-write from the cache where the
    split is one range, a copy where it joins several. `labels` is (N,): int64 from `load`, the adapter's type of
    labels where a hook is given the split. `dtype` and `layout` are what the caller wants the images to become; `batch`
    makes them so. `source` is how the split was loaded. Pickling sends a reference where nothing was written into the
    arrays, so that worker processes map the same file.
    """

    images: NDArray[Any]
    labels: NDArray[Any]
    info: DatasetInfo
    source: Source
    dtype: str
    layout: Layout | None = None

    @property
    def classes(self) -> tuple[str, ...]:
        """`classes[i]` is the name of label i."""
        return self.info.spec.classes

    @property
    def element_shape(self) -> tuple[int, ...]:
        """The shape of one image in the layout asked for."""
        return as_layout(self.images[:0], self.layout).shape[1:]

    def __len__(self) -> int:
        return len(self.images)

    def __repr__(self) -> str:
        asked = "" if self.dtype == self.images.dtype else f", dtype={self.dtype!r}"
        asked += "" if self.layout is None else f", layout={self.layout!r}"
        arrays = f"images={_summary(self.images)}, labels={_summary(self.labels)}"
        return f"Split({self.info.dataset!r}, split={self.info.split!r}, {arrays}{asked})"

    def batch(self, where: slice = slice(None)) -> NDArray[Any]:
        """The images of a slice, all by default, in the dtype and layout asked for: n arrays of `element_shape`.

        As stored this is a view of the mapped file; for "float32" a new array of pixel/255.
        """
        images = as_layout(self.images[where], self.layout)
        return images if images.dtype == self.dtype else to_float32(images)

    def gather(self, where: NDArray[np.int64]) -> NDArray[Any]:
        """The images at `where`, an array of n int64 indices from 0: n arrays of `element_shape`, in the dtype and
        layout asked for, in new memory that starts on a 64-byte boundary.

        Raises `IndexError` for an index out of range, a negative one too, and `ArgumentError` for what is no array of
        int64 of one dimension.
        """
        if not isinstance(where, np.ndarray) or where.dtype != np.int64 or where.ndim != 1:
            what = f"{where.dtype.str} {where.shape}" if isinstance(where, np.ndarray) else type(where).__name__
            raise ArgumentError("where", what, "an array of int64, (n,)")
        # negative numbers are the largest of all without a sign
        if np.maximum.reduce(where.view(np.uint64), initial=0) >= len(self.images) and len(where):
            raise IndexError(f"an index is out of range for {len(self.images):,} examples, counted from 0")
        # take, which copies whole images, is twice as fast as an index expression
        if self.images.dtype == self.dtype:
            stored = aligned((len(where), *self.images.shape[1:]), self.images.dtype)
            self.images.take(where, axis=0, out=stored, mode="clip")  # with an output it wants a mode
            return as_layout(stored, self.layout)
        images = as_layout(self.images.take(where, axis=0, mode="clip"), self.layout)
        scaled = aligned(images.shape, np.float32)
        # a batch stays in the processor's cache: there two passes are faster than NumPy's one by way of a small buffer
        scaled[...] = images
        return to_float32(scaled, out=scaled)

    def whole(self, name: str) -> Split:
        """One of the spec's splits, whole and as stored. Raises `UnknownNameError`, and what `idxhub.load` does."""
        return load(self.source._replace(split=name))

    def derived(self, filename: str, make: Callable[[], Iterable[bytes | memoryview]]) -> Path:
        """A file in another format, kept beside the arrays in the cache: made once, by `make`, which gives its bytes.

        For adapters whose framework maps a format of its own. Checked against its checksums each time, as arrays are.
        Raises `ArgumentError` for what is no plain file name, and `CacheError`.
        """
        cache = Cache(cache_root(self.source.cache_dir), self.source.spec)
        return cache.derive(filename, make, verify=self.source.verify)

    def __reduce__(self) -> tuple[Any, ...]:
        by_value = Split, (self.images, self.labels, self.info, self.source, self.dtype, self.layout)
        try:
            fresh = load(self.source, verify=False, make=False)
        except CacheError:  # the cache is gone, or made again differently: the arrays travel
            return by_value
        if _same(fresh.images, self.images) and np.array_equal(fresh.labels, self.labels):
            return _reload, (self.source, self.labels.dtype.str, self.dtype, self.layout)
        return by_value


def to_float32(images: NDArray[Any], out: NDArray[np.float32] | None = None) -> NDArray[np.float32]:
    """pixel/255 in float32, each quotient correctly rounded: the same bits everywhere.

    `images` is an array of any shape, of integers or float32; `out`, a float32 array of the same shape, is filled and
    returned.
    """
    scaled: NDArray[np.float32] = np.divide(images, np.float32(255), out=out, dtype=np.float32)
    return scaled


def aligned(shape: tuple[int, ...], dtype: Any) -> NDArray[Any]:
    """An uninitialised array that starts on a 64-byte boundary: XLA and TensorFlow take such memory as it is."""
    memory = np.empty(math.prod(shape) * np.dtype(dtype).itemsize + ALIGNMENT, np.uint8)
    array: NDArray[Any] = np.ndarray(shape, dtype, memory, -memory.ctypes.data % ALIGNMENT)
    return array


def as_layout(images: NDArray[Any], layout: Layout | None) -> NDArray[Any]:
    """(N, H, W) as (N, H, W), (N, 1, H, W) or (N, H, W, 1): a view. None leaves them as stored.

    Raises `UnknownNameError` for another layout.
    """
    if layout in (None, "HW"):
        return images
    if layout == "CHW":
        return images[:, None]
    check_choice("layout", layout, LAYOUTS)
    return images[..., None]


def load(source: Source, *, verify: bool | None = None, make: bool = True) -> Split:
    """The arrays of a split, from the cache or, with `make`, through it. See `idxhub.load` for what is raised."""
    return load_all([source], verify=verify, make=make)[0]


def load_all(
    sources: Sequence[Source], *, verify: bool | None = None, make: bool = True, specs: Specs = tuple
) -> list[Split]:
    """Several splits of one dataset; each has mappings of its own, so that writing into one leaves the others alone.

    If another process removes the cache meanwhile, as `idxhub cache --remove` does, the load begins again.
    """
    cache = Cache(cache_root(sources[0].cache_dir), sources[0].spec)
    for attempt in range(_TRIES - 1):
        try:
            return _load_all(sources, cache, verify=verify, make=make, specs=specs)
        except CacheError as error:
            if not make or not isinstance(error.__cause__, FileNotFoundError):
                raise
            time.sleep(_PAUSE * (1 + attempt))
    return _load_all(sources, cache, verify=verify, make=make, specs=specs)


def _load_all(sources: Sequence[Source], cache: Cache, *, verify: bool | None, make: bool, specs: Specs) -> list[Split]:
    first = sources[0]
    checked = first.verify if verify is None else verify
    plans = [_plan(source) for source in sources]
    found = [{key: cache.open(each, verify=checked) for key, each in kept.items()} for _, kept in plans]
    missing = {
        key: kept[key] for (_, kept), stored in zip(plans, found, strict=True) for key in kept if stored[key] is None
    }
    if missing and not make:
        raise CacheError(f"not in the cache at {cache.folder}: {', '.join(missing)}")
    built: dict[str, StoredArray] = {}
    if missing:
        from idxhub.acquire.build import build_arrays  # noqa: PLC0415 -- a cache miss only: most calls do without all it brings

        built = build_arrays(missing, cache, first.data_dir, download=first.download, specs=tuple(specs()))
    unused = dict(built)
    splits_ = []
    for source, (ranges, kept), stored in zip(sources, plans, found, strict=True):
        whole = {key: stored[key] or unused.pop(key, None) or cache.open(each) for key, each in kept.items()}
        # an array that was built in memory is not in the cache: a second split has a copy of it
        whole |= {key: _copied(built[key]) for key, each in whole.items() if each is None and key in built}
        sound = {key: each for key, each in whole.items() if each is not None}
        if len(sound) < len(kept):
            message = f"{cache.folder} was removed or changed while it was read; try again when nothing else changes it"
            raise CacheError(message) from FileNotFoundError()
        splits_.append(_split(source._replace(cache_dir=str(cache.root)), ranges, sound))
    return splits_


def _copied(stored: StoredArray) -> StoredArray:
    array = aligned(stored.array.shape, stored.array.dtype)
    array[...] = stored.array
    return stored._replace(array=array)


def _plan(source: Source) -> tuple[tuple[splits.Range, ...], dict[str, ArraySpec]]:
    """The ranges that a split string means, and the arrays that they are parts of."""
    spec = source.spec
    ranges = splits.resolve(splits.parse(source.split, spec.splits, spec.everything), spec.sizes)
    return ranges, {kept.key: kept for part in ranges for kept in spec.splits[part.name].arrays}


def _split(source: Source, ranges: tuple[splits.Range, ...], stored: Mapping[str, StoredArray]) -> Split:
    spec = source.spec
    images, labels = [], []
    for name, start, stop in ranges:
        split = spec.splits[name]
        of_images, of_labels = (stored[kept.key] for kept in split.arrays)
        _check_labels(spec, split.labels, of_labels)
        where = slice(split.start + start, split.start + stop)
        images.append(of_images.array[where])
        labels.append(of_labels.array[where])
    joined_images, joined_labels = (each[0] if len(each) == 1 else np.concatenate(each) for each in (images, labels))
    records = tuple(each.record for each in stored.values())
    info = DatasetInfo(spec.name, source.split, len(joined_images), ranges, spec, records)
    return Split(joined_images, joined_labels, info, source, joined_images.dtype.name)


def shaped(split: Split, dtype: str | None, layout: Layout | None, label_dtype: str) -> Split:
    """The split with the dtype, layout and label type that a caller and an adapter agree on."""
    return replace(
        split,
        labels=split.labels.astype(label_dtype, copy=False),
        dtype=dtype or split.dtype,
        layout=layout,
    )


def _check_labels(spec: DatasetSpec, resource: Resource, stored: StoredArray) -> None:
    lowest, highest = stored.record.lowest, stored.record.highest
    if not spec.classes or lowest is None or highest is None or 0 <= lowest <= highest < len(spec.classes):
        return
    # noted when the array was published, so that opening need not read it; the array has the last word
    lowest, highest = int(stored.array.min()), int(stored.array.max())
    if not 0 <= lowest <= highest < len(spec.classes):
        raise IdxFormatError(
            f"{resource.filename} of {spec.name}: labels from {lowest} to {highest}, "
            f"classes from 0 to {len(spec.classes) - 1}"
        )


def _summary(array: object) -> str:
    """An array of any framework in a few words: its dtype and shape, or its type if it has neither."""
    dtype, shape = getattr(array, "dtype", None), getattr(array, "shape", None)
    return type(array).__name__ if dtype is None or shape is None else f"{dtype} {tuple(shape)}"


def _same(one: NDArray[Any], other: NDArray[Any]) -> bool:
    """Whether two arrays hold the same bytes, compared a few MiB at a time."""
    if one.shape != other.shape or one.dtype != other.dtype:
        return False
    step = max(1, (1 << 22) // max(1, one[:1].nbytes))
    return all(one[i : i + step].tobytes() == other[i : i + step].tobytes() for i in range(0, len(one), step))


def _reload(source: Source, label_dtype: str, dtype: str, layout: Layout | None) -> Split:
    return shaped(load(source), dtype, layout, label_dtype)


def check_choice(kind: str, value: object, choices: tuple[str, ...]) -> None:
    """Raise `UnknownNameError` unless `value` is one of `choices`."""
    if value not in choices:
        raise UnknownNameError(kind, value, choices)
