"""MLX: images and labels as two `mlx.core.array`, which are made when they are first used."""

from __future__ import annotations

from collections.abc import Iterator
from functools import cached_property
from typing import Any

import mlx.core as mx
from numpy.typing import NDArray

from idxhub import Arrays, Conventions, DatasetInfo, Split, hookimpl


@hookimpl
def idxhub_conventions() -> Conventions:
    """The conventions: layout HW, and int32 labels, because that is the type of MLX's integers."""
    return Conventions(layout="HW", label_dtype="int32")


@hookimpl
def idxhub_dataset(split: Split) -> LazyArrays:
    """A pair of arrays: images, uint8 (N, 28, 28), and labels, int32 (N,)."""
    return LazyArrays(split)


@hookimpl
def idxhub_batch(images: NDArray[Any], labels: NDArray[Any]) -> Arrays[mx.array]:
    """The two arrays, (B, ...) and (B,)."""
    return Arrays(_to_mlx(images), _to_mlx(labels))


class LazyArrays:
    """`images`, (N, 28, 28), and `labels`, (N,), each an `mlx.core.array`. It unpacks as a pair.

    MLX cannot use the mapped file as it is: each array is a copy, which is made when it is first asked for.
    """

    def __init__(self, split: Split) -> None:
        self._split = split

    @cached_property
    def images(self) -> mx.array:
        """The images in the dtype and layout asked for."""
        return _to_mlx(self._split.batch())

    @cached_property
    def labels(self) -> mx.array:
        """The labels."""
        return _to_mlx(self._split.labels)

    @property
    def info(self) -> DatasetInfo:
        """The dataset, split and description, and where each file came from."""
        return self._split.info

    def __iter__(self) -> Iterator[mx.array]:
        yield self.images
        yield self.labels

    def __reduce__(self) -> tuple[Any, ...]:
        return (LazyArrays, (self._split,))

    def __repr__(self) -> str:
        info, split = self.info, self._split
        shape = (len(split), *split.element_shape)
        return f"LazyArrays({info.dataset!r}, split={info.split!r}, images={split.dtype} {shape})"

    def _repr_html_(self) -> str:
        return self._split.to_html("LazyArrays")


def _to_mlx(array: NDArray[Any]) -> mx.array:
    # with its dtype: without, MLX makes float32 of float64
    return mx.array(array, getattr(mx, array.dtype.name))
