"""The coordinates of a dataset's examples in the plane, computed once and kept in the cache."""

from __future__ import annotations

import hashlib
import io
import json
import os
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Any, TypedDict

import numpy as np
from numpy.typing import NDArray
from tqdm import tqdm

from idxhub import DatasetSpec, arguments, errors, order
from idxhub_plot.embeddings.methods import Method, find_method
from idxhub_plot.images import Images, as_finite, load_images

_FORMAT = 1  # of the cached file, and of what is computed from the same parameters


@dataclass(frozen=True, eq=False)
class Embedding:
    """Examples of a dataset as points in the plane.

    `coordinates` is float32, (n, 2). `indices` is int64, (n,): the position of each example in the split, ascending.
    `labels` is int64, (n,): the class of each example, a position in `class_names`. `method` is the name of the method,
    `parameters` are its parameters with the seed, and `versions` the versions of the packages that decide the result.
    """

    coordinates: NDArray[np.float32]
    indices: NDArray[np.int64]
    images: Images
    method: str
    parameters: Mapping[str, int | float]
    versions: Mapping[str, str]

    def __len__(self) -> int:
        return len(self.coordinates)

    def __repr__(self) -> str:
        info = self.images.split.info
        return f"Embedding({info.dataset!r}, split={info.split!r}, method={self.method!r}, {len(self):,} examples)"

    @property
    def class_names(self) -> tuple[str, ...]:
        """The name of each class."""
        return self.images.class_names

    @property
    def labels(self) -> NDArray[np.int64]:
        """The class of each example."""
        return self.images.of_class[self.indices]

    @property
    def bounds(self) -> NDArray[np.float32]:
        """The smallest x and y and the largest x and y of the part of the plane to show, (2, 2).

        All points are in it, except those that are so far away that the others would be small. These are farther from
        the other 99.9 % than half of the extent of the others.
        """
        low, high = np.percentile(self.coordinates, [0.1, 99.9], axis=0)
        least, most = self.coordinates.min(axis=0), self.coordinates.max(axis=0)
        extent = high - low
        lower = np.where(least < low - extent / 2, low - extent / 50, least)
        upper = np.where(most > high + extent / 2, high + extent / 50, most)
        return np.stack([lower, upper]).astype(np.float32)

    @property
    def title(self) -> str:
        """The name of the method as it is written in text."""
        return find_method(self.method).title

    @property
    def description(self) -> str:
        """The method, its package, the number of examples and the main parameters, in a line."""
        package = next(iter(self.versions))
        method = find_method(self.method)
        by = "" if self.method == "pca" else f" by {package} {self.versions[package]}"
        some = f" of {len(self.images):,}" if len(self) < len(self.images) else ""
        first = next(iter(method.parameters), "seed")
        said = [
            f", {key.replace('_', ' ')} {value:g}"
            for key, value in self.parameters.items()
            if key in (first, "seed") or value != method.parameters.get(key)
        ]
        low, high = self.bounds
        outside = int(((self.coordinates < low) | (self.coordinates > high)).any(axis=1).sum())
        left_out = f"; {outside:,} far away" if outside else ""
        return f"{method.title}{by}, {len(self):,}{some} images{''.join(said)}{left_out}"


class EmbeddingOptions(TypedDict, total=False):
    """The keyword arguments of `embedding`, for functions that pass them on."""

    method: str
    parameters: Mapping[str, int | float] | None
    size: int | None
    seed: int
    progress: bool
    data_dir: str | os.PathLike[str] | None
    cache_dir: str | os.PathLike[str] | None
    download: bool


def embedding(
    name: str | DatasetSpec = "fashion-mnist",
    split: str = "all",
    *,
    method: str = "pca",
    parameters: Mapping[str, int | float] | None = None,
    size: int | None = None,
    seed: int = 0,
    progress: bool = False,
    data_dir: str | os.PathLike[str] | None = None,
    cache_dir: str | os.PathLike[str] | None = None,
    download: bool = True,
) -> Embedding:
    """Places the examples of a dataset in the plane, so that similar images are near one another.

    The coordinates are kept in the cache, and computed again only if the dataset, the examples, the method, one of its
    parameters or the version of its package is another.

    Example:
        >>> from idxhub_plot import embedding
        >>> embedding("fashion-mnist-sample", "test").coordinates.shape
        (500, 2)

    Args:
        name (str or DatasetSpec): as for `idxhub.load`. Default: "fashion-mnist".
        split (str): as for `idxhub.load`. Default: "all".
        method (str): "pca", with NumPy alone; "tsne", by openTSNE; "umap", by umap-learn; or "pymde". Default: "pca".
        parameters (mapping or None): parameters of the method by name; the others have their defaults. Default: None.
        size (int or None): how many examples are placed, chosen by the seed; None for all. Default: None.
        seed (int): the seed of the choice and of the method, from 0. Default: 0.
        progress (bool): whether a progress bar is shown on a terminal. Default: False.
        data_dir (path or None): as for `idxhub.load`. Default: None.
        cache_dir (path or None): as for `idxhub.load`. Default: None.
        download (bool): as for `idxhub.load`. Default: True.

    Returns:
        An `Embedding`.

    Raises:
        UnknownNameError: no such method or parameter; it lists the choices.
        MissingFrameworkError: the method's package is not installed, or cannot be imported.
        ArgumentError: an argument is out of range, there are too few examples, or the arrays are not images, (N, H, W).
        IdxHubError: the errors of `idxhub.load`.
    """
    chosen = find_method(method)
    own = chosen.check(method, parameters or {})
    seed, progress = arguments.integer("seed", seed), arguments.boolean("progress", progress)
    if size is not None:
        size = arguments.integer("size", size, chosen.least)
    compute = chosen.load(method)
    images = load_images(name, split, data_dir, cache_dir, download)
    indices = _chosen_examples(len(images), size, seed)
    if len(indices) < chosen.least:
        raise errors.ArgumentError(f"number of examples for {method}", len(indices), f"{chosen.least} or more")
    # what is drawn from the seed: the examples if they are not all, and whatever the method draws
    said = own if method == "pca" and len(indices) == len(images) else {**own, "seed": seed}
    versions = chosen.versions()

    def make() -> list[bytes]:
        points = _points(images, indices)
        with _bar(chosen, len(indices), shown=progress) as report:
            found = np.asarray(compute(points, report, seed=seed, **own), np.float32)
        file = io.BytesIO()
        np.save(file, found)
        return [file.getvalue()]

    path = images.split.derived(f"embedding-{method}-{_key(images, len(indices), method, said, versions)}.npy", make)
    return Embedding(np.load(path), indices, images, method, said, versions)


def _chosen_examples(count: int, size: int | None, seed: int) -> NDArray[np.int64]:
    """All examples, or `size` of them, in ascending order."""
    if size is None or size >= count:
        return np.arange(count)
    return np.sort(order(count, seed, 0)[:size])


def _key(images: Images, size: int, method: str, parameters: Mapping[str, Any], versions: Mapping[str, str]) -> str:
    """A digest of everything that decides the coordinates."""
    info = images.split.info
    content = [[record.filename, record.payload_sha256, record.steps] for record in info.records]
    what = [_FORMAT, info.spec.fingerprint, content, info.parts, size, method, dict(parameters), dict(versions)]
    return hashlib.sha256(json.dumps(what, sort_keys=True).encode()).hexdigest()[:24]


def _points(images: Images, indices: NDArray[np.int64]) -> NDArray[np.float32]:
    """Each image as a row of float32, in 0..1 for uint8 pixels."""
    pixels = images.split.images[indices]
    if pixels.dtype.kind == "f":
        pixels = as_finite(pixels)
    points = pixels.reshape(len(pixels), -1).astype(np.float32)
    if pixels.dtype == np.uint8:
        points /= 255
    return points


@contextmanager
def _bar(method: Method, count: int, *, shown: bool) -> Iterator[Callable[[float], None]]:
    """A function to which the part that is done is told, from 0 to 1."""
    form = "{desc}: {percentage:3.0f}%|{bar}| {elapsed}"
    with tqdm(
        total=100, desc=f"{method.title} of {count:,} images", bar_format=form, disable=None if shown else True
    ) as bar:

        def report(done: float) -> None:
            bar.update(100 * done - bar.n)

        yield report
