"""The images that a picture shows: loaded, checked, grouped by class, and turned into grey values."""

from __future__ import annotations

import os
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from idxhub import DatasetSpec, Split, errors, load, order

MOST_CLASSES = 1000  # a picture of more cannot be looked at


@dataclass(frozen=True, eq=False)
class Images:
    """The examples of a split whose images have two axes.

    `of_class` is (N,): for each example, the position of its class in `class_names`.
    """

    split: Split
    class_names: tuple[str, ...]
    of_class: NDArray[np.int64]

    def __len__(self) -> int:
        return len(self.of_class)

    @property
    def title(self) -> str:
        """The name of the dataset as it is written in text, and the split."""
        return f"{dataset_title(self.split)}, {self.split.info.split}"

    def chosen(self, per_class: int, seed: int) -> list[NDArray[np.int64]]:
        """For each class the indices of at most `per_class` examples, in the order of `idxhub.order`."""
        shuffled = order(len(self), seed=seed, epoch=0)
        return [shuffled[self.of_class[shuffled] == label][:per_class] for label in range(len(self.class_names))]

    def grey(self, where: NDArray[np.int64], *, invert: bool = True) -> NDArray[np.uint8]:
        """The images at the indices `where` as uint8, (n, H, W). `invert` makes 0 white, as ink on paper.

        uint8 pixels are kept. Pixels of another type are scaled, so that the smallest of these images becomes 0 and the
        largest 255.
        """
        images = as_uint8(self.split.images[where])
        return 255 - images if invert else images


def dataset_title(split: Split) -> str:
    """The name of the dataset as it is written in text."""
    return split.info.spec.title or split.info.dataset


def load_images(
    name: str | DatasetSpec,
    split: str,
    data_dir: str | os.PathLike[str] | None,
    cache_dir: str | os.PathLike[str] | None,
    download: bool,
) -> Images:
    """The images of a split. Raises the errors of `idxhub.load`, and `ArgumentError` for arrays that are no images."""
    loaded = load(name, split, data_dir=data_dir, cache_dir=cache_dir, download=download)
    if loaded.images.ndim != 3:
        kind = f"shape of an example of {loaded.info.dataset}"
        raise errors.ArgumentError(kind, loaded.images.shape[1:], "(height, width), as that of an image")
    if not loaded.images.size:
        raise errors.ArgumentError("split", split, f"a part of {loaded.info.dataset} that has examples")
    names, (of_class,) = classes_of([loaded])
    return Images(loaded, names, of_class)


def classes_of(splits: Sequence[Split]) -> tuple[tuple[str, ...], list[NDArray[Any]]]:
    """The names of a dataset's classes, and for each split the class of each example, as its position in these names.

    If the dataset does not name its classes, each label that occurs is a class. Raises `ArgumentError` for too many.
    """
    names, labels = splits[0].classes, [split.labels for split in splits]
    if not names:
        found = np.unique(np.concatenate(labels))
        names, labels = tuple(map(str, found.tolist())), [np.searchsorted(found, each) for each in labels]
    if len(names) > MOST_CLASSES:
        kind = f"number of classes of {splits[0].info.dataset}"
        raise errors.ArgumentError(kind, len(names), f"{MOST_CLASSES:,} or less")
    return names, labels


def as_uint8(images: NDArray[Any]) -> NDArray[np.uint8]:
    """The images themselves if they are uint8; otherwise scaled: the smallest value becomes 0, the largest 255."""
    if images.dtype == np.uint8:
        return images
    values = as_finite(images)
    least, most = float(values.min(initial=np.inf)), float(values.max(initial=-np.inf))
    return ((values - least) * (255 / (most - least or 1))).round().astype(np.uint8)


def as_finite(images: NDArray[Any]) -> NDArray[np.float64]:
    """The pixels as float64: NaN becomes 0, and infinity the largest or smallest of the finite ones."""
    values = images.astype(np.float64)
    if np.isfinite(values).all():
        return values
    finite = values[np.isfinite(values)]
    least, most = (float(finite.min()), float(finite.max())) if finite.size else (0.0, 0.0)
    return np.nan_to_num(values, copy=False, nan=0.0, posinf=most, neginf=least)
