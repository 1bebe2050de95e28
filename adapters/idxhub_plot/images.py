"""The images that a picture shows: loaded, checked, grouped by class, and turned into grey values."""

from __future__ import annotations

import os
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
        """The name of the dataset as it is written in text."""
        return self.split.info.spec.title or self.split.info.dataset

    def chosen(self, per_class: int, seed: int) -> list[NDArray[np.int64]]:
        """For each class the indices of at most `per_class` examples, in the order of `idxhub.order`."""
        shuffled = order(len(self), seed=seed, epoch=0)
        return [shuffled[self.of_class[shuffled] == label][:per_class] for label in range(len(self.class_names))]

    def grey(self, where: NDArray[np.int64], *, invert: bool = True) -> NDArray[np.uint8]:
        """The images at the indices `where` as uint8, (n, H, W). `invert` makes 0 white, as ink on paper.

        uint8 pixels are kept. Pixels of another type are scaled, so that the smallest of these images becomes 0 and the
        largest 255.
        """
        images = self.split.images[where]
        if images.dtype != np.uint8:
            images = _scaled(images)
        return 255 - images if invert else images


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
    names, of_class = _classes(loaded)
    if len(names) > MOST_CLASSES:
        kind = f"number of classes of {loaded.info.dataset}"
        raise errors.ArgumentError(kind, len(names), f"{MOST_CLASSES:,} or less")
    return Images(loaded, names, of_class)


def _classes(split: Split) -> tuple[tuple[str, ...], NDArray[Any]]:
    """The names of the classes, and the class of each example. Without names, each label that occurs is a class."""
    if split.classes:
        return split.classes, split.labels
    found, of_class = np.unique(split.labels, return_inverse=True)
    return tuple(map(str, found.tolist())), of_class


def _scaled(images: NDArray[Any]) -> NDArray[np.uint8]:
    values = np.nan_to_num(images.astype(np.float64))
    least, most = float(values.min(initial=np.inf)), float(values.max(initial=-np.inf))
    return ((values - least) * (255 / (most - least or 1))).round().astype(np.uint8)
