"""A split of a dataset as arrays: what adapters receive, and what `load` returns."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import TYPE_CHECKING, Any, Generic, Literal, NamedTuple, TypeVar

import numpy as np

from idxhub.cache.layout import cache_root
from idxhub.cache.store import Cache
from idxhub.catalog.resource import Resource
from idxhub.data.arrays import Layout, as_layout, empty_aligned, have_same_bytes, summarize, to_float32
from idxhub.data.load import DatasetInfo, LoadedArrays, Source, Specs, load_arrays
from idxhub.errors import ArgumentError, CacheError

if TYPE_CHECKING:  # importing numpy.typing takes 0.7 ms
    from numpy.typing import NDArray

T = TypeVar("T")


class _Pair(NamedTuple, Generic[T]):
    images: T
    labels: T


class Arrays(_Pair[T], Generic[T]):
    """Images and labels of the same length, in the array type of some framework. It unpacks as a pair.

    `info` says what the dataset is and where its bytes came from. It is None for the arrays of a batch.
    """

    info: DatasetInfo | None = None

    def __repr__(self) -> str:
        named = "" if self.info is None else f"{self.info.dataset!r}, split={self.info.split!r}, "
        return f"Arrays({named}images={summarize(self.images)}, labels={summarize(self.labels)})"

    def _repr_html_(self) -> str:
        return _to_html("Arrays", self.images, self.labels, self.info)


@dataclass(frozen=True, eq=False, repr=False)
class Split:
    """The examples that a split string selects.

    `images` is (N, H, W) as stored, which is uint8 in every built-in dataset. If the split is one range, the images are
    mapped copy-on-write from the cache; if it joins several ranges, they are a copy. `labels` is (N,): int64 from
    `load`, and the adapter's type of labels in a split that a hook receives. `dtype` and `layout` say what the caller
    wants the images to become; `batch` and `gather` convert them. `source` says how the split was loaded. A split is
    pickled as a reference, unless something was written into its arrays: so worker processes map the same file.
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
        arrays = f"images={summarize(self.images)}, labels={summarize(self.labels)}"
        return f"Split({self.info.dataset!r}, split={self.info.split!r}, {arrays}{asked})"

    def _repr_html_(self) -> str:
        return self.to_html()

    def to_html(self, title: str = "Split", facts: Iterable[tuple[str, str]] = ()) -> str:
        """What a notebook shows for the split: HTML of at most 30 kB, with all text escaped.

        It names the dataset, dtype and layout, licence and files, and shows the number of examples and a few images of
        each class. For the `_repr_html_` of an object that an adapter makes of a split: `title` is the name of its
        type, and `facts` are more names and texts to show.
        """
        given = self.dtype, (len(self), *self.element_shape)
        return _to_html(title, self.images, self.labels, self.info, given=given, facts=facts)

    def batch(self, where: slice = slice(None)) -> NDArray[Any]:
        """The images of a slice (by default all), in the dtype and layout asked for: n arrays of `element_shape`.

        If the dtype is that of the stored images, the result is a view of the mapped file; for "float32" it is a new
        array of pixel/255.
        """
        images = as_layout(self.images[where], self.layout)
        return images if images.dtype == self.dtype else to_float32(images)

    def gather(self, where: NDArray[np.int64], out: NDArray[Any] | None = None) -> NDArray[Any]:
        """The images at the indices `where`, in the dtype and layout asked for: n arrays of `element_shape`.

        `where` is a one-dimensional int64 array of n indices, counted from 0. `out` is a C-contiguous array of the
        result's shape and dtype; if it is given, it is filled and returned. Otherwise the result is a new array that
        starts on a 64-byte boundary.

        Raises `IndexError` if an index is out of range or negative, and `ArgumentError` if `where` is not a
        one-dimensional int64 array, or if `out` is not such an array.
        """
        if not isinstance(where, np.ndarray) or where.dtype != np.int64 or where.ndim != 1:
            raise ArgumentError("the argument `where` of gather", _describe(where), "a one-dimensional array of int64")
        # as unsigned integers, negative indices are larger than all others
        if np.maximum.reduce(where.view(np.uint64), initial=0) >= len(self.images) and len(where):
            raise IndexError(f"an index is out of range for {len(self.images):,} examples, counted from 0")
        shape = (len(where), *self.images.shape[1:])
        if out is None:
            stored = empty_aligned(shape, self.dtype)
        else:
            _check_memory(out, (len(where), *self.element_shape), self.dtype)
            stored = out.reshape(shape)  # a layout only adds an axis of length 1
        # take copies whole images, and is twice as fast as an index expression
        if self.images.dtype == self.dtype:
            self.images.take(where, axis=0, out=stored, mode="clip")  # with another mode, take buffers its output
        else:
            # a batch is in the processor's cache, where two passes are faster than NumPy's one, with its small buffer
            stored[...] = self.images.take(where, axis=0, mode="clip")
            to_float32(stored, out=stored)
        return as_layout(stored, self.layout) if out is None else out

    def whole(self, name: str) -> Split:
        """All examples of one of the spec's splits, as stored. Raises `UnknownNameError` and what `load` raises."""
        return load_split(self.source._replace(split=name))

    def derived(self, filename: str, make: Callable[[], Iterable[bytes | memoryview]]) -> Path:
        """The path of a file in another format, beside the arrays in the cache.

        This is for adapters whose framework maps a format of its own. If the file does not exist, it is made from the
        bytes that `make` returns. Its checksums are compared each time, as those of the arrays are. Raises
        `ArgumentError` if `filename` is not a plain file name, and `CacheError`.
        """
        cache = Cache(cache_root(self.source.cache_dir), self.source.spec)
        return cache.derive(filename, make, verify=self.source.verify)

    def published(self, array: Literal["images", "labels"]) -> Resource | None:
        """The published file that contains exactly these images or labels.

        None if the split is not all of what the file contains, or if idxhub changes the array in the file: see
        `SplitSpec`.
        """
        if len(self.info.parts) != 1:
            return None
        (part,) = self.info.parts
        split = self.info.spec.splits[part.name]
        stored = split.arrays[0 if array == "images" else 1]
        is_whole = split.start + part.start == 0 and split.start + part.stop == stored.shape[0]
        return stored.resource if is_whole and not stored.steps else None

    def read_published(self, resource: Resource) -> bytes:
        """The bytes of a published file of this dataset, verified by its digests.

        The file is searched for where `load` searches. Copies that somebody recompressed or decompressed are not used.
        Raises `DownloadError` or `ChecksumError` if the published file is not found.
        """
        from idxhub.acquire.find import find_published_file  # noqa: PLC0415 -- who loads arrays from the cache does without it
        from idxhub.acquire.local import SearchSettings  # noqa: PLC0415 -- as above

        spec = self.source.spec
        settings = SearchSettings.from_environment(self.source.data_dir, self.source.download)
        return find_published_file(spec, resource, Cache(cache_root(self.source.cache_dir), spec), settings)

    def __reduce__(self) -> tuple[Any, ...]:
        by_value = Split, (self.images, self.labels, self.info, self.source, self.dtype, self.layout)
        try:
            (fresh,) = load_arrays([self.source], verify=False, build=False)
        except CacheError:  # the arrays are not in the cache any more, or were built differently
            return by_value
        if have_same_bytes(fresh.images, self.images) and np.array_equal(fresh.labels, self.labels):
            return _reload, (self.source, self.labels.dtype.str, self.dtype, self.layout)
        return by_value


def load_split(source: Source) -> Split:
    """Load one split. See `idxhub.load` for the errors."""
    return load_splits([source])[0]


def load_splits(sources: Sequence[Source], *, specs: Specs = tuple) -> list[Split]:
    """Load several splits of one dataset; see `load_arrays`."""
    return [_as_split(loaded) for loaded in load_arrays(sources, specs=specs)]


def _as_split(loaded: LoadedArrays) -> Split:
    return Split(*loaded, dtype=loaded.images.dtype.name)


def with_format(split: Split, dtype: str | None, layout: Layout | None, label_dtype: str) -> Split:
    """The split with another dtype and layout of its images, and another dtype of its labels."""
    return replace(
        split,
        labels=split.labels.astype(label_dtype, copy=False),
        dtype=dtype or split.dtype,
        layout=layout,
    )


def _check_memory(out: object, shape: tuple[int, ...], dtype: str) -> None:
    if not isinstance(out, np.ndarray) or (out.shape, out.dtype) != (shape, dtype) or not out.flags.carray:
        must_be = f"an array {np.dtype(dtype).str} {shape}, C-contiguous and writable"
        raise ArgumentError("the argument `out` of gather", _describe(out), must_be)


def _describe(value: object) -> str:
    return f"{value.dtype.str} {value.shape}" if isinstance(value, np.ndarray) else type(value).__name__


def _to_html(title: str, images: Any, labels: Any, info: DatasetInfo | None, **more: Any) -> str:
    from idxhub.data.notebook import to_html  # noqa: PLC0415 -- only a notebook needs it

    return to_html(title, images, labels, info, **more)


def _reload(source: Source, label_dtype: str, dtype: str, layout: Layout | None) -> Split:
    """What the pickle of a split calls. Older pickles call it too, so it keeps its name and arguments."""
    return with_format(load_split(source), dtype, layout, label_dtype)
