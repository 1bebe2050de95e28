"""What two datasets share: their images compared by the digests of their bytes, and the labels of those they share."""

from __future__ import annotations

import gzip
import hashlib
import os
from collections import Counter
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from idxhub import DatasetSpec, Plugins, Resource, Split, SplitSpec, errors, idx, load
from idxhub_plot.images import classes_of, dataset_title

Side = str | DatasetSpec | os.PathLike[str]


@dataclass(frozen=True, eq=False)
class Part:
    """A split of a dataset, as it is compared: images (N, ...), and for each example the position of its class."""

    split: str
    images: NDArray[Any]
    of_class: NDArray[np.int64]


@dataclass(frozen=True, eq=False)
class Compared:
    """One of the two datasets: its parts one after the other, and which examples the other one has too."""

    title: str
    class_names: tuple[str, ...]
    parts: list[Part]
    shared: NDArray[np.bool_]

    @property
    def of_class(self) -> NDArray[np.int64]:
        """(N,), over all parts."""
        return np.concatenate([part.of_class for part in self.parts])

    def image(self, position: int) -> NDArray[Any]:
        """The image at this position, counted over all parts."""
        part, position = self.locate(position)
        found: NDArray[Any] = part.images[position]
        return found

    def locate(self, position: int) -> tuple[Part, int]:
        """The part that an example is in, and its position there."""
        for part in self.parts:
            if position < len(part.images):
                return part, position
            position -= len(part.images)
        raise IndexError(position)


@dataclass(frozen=True, eq=False)
class Difference:
    """What two datasets have in common, and what not.

    `pairs` is (M, 2): the positions in `a` and in `b` of each shared image, counted over all parts. An image that a
    dataset has twice is shared twice only if the other one has it twice.
    """

    a: Compared
    b: Compared
    pairs: NDArray[np.int64]

    @property
    def differing(self) -> NDArray[np.int64]:
        """The pairs of the same image with another label, (K, 2)."""
        differ: NDArray[np.bool_] = self.a.of_class[self.pairs[:, 0]] != self.b.of_class[self.pairs[:, 1]]
        return self.pairs[differ]

    @property
    def labels(self) -> NDArray[np.int64]:
        """In row i and column j the number of shared images that are of class i in `a` and of class j in `b`."""
        counts = np.zeros((len(self.a.class_names), len(self.b.class_names)), np.int64)
        np.add.at(counts, (self.a.of_class[self.pairs[:, 0]], self.b.of_class[self.pairs[:, 1]]), 1)
        return counts


def compare(
    a: Side,
    b: Side,
    *,
    data_dir: str | os.PathLike[str] | None = None,
    cache_dir: str | os.PathLike[str] | None = None,
    download: bool = True,
) -> Difference:
    """Compare all examples of two datasets, image by image, in whatever order they are.

    Example:
        >>> from idxhub_plot import compare
        >>> difference = compare("fashion-mnist-sample", "fashion-mnist-sample")
        >>> len(difference.pairs), len(difference.differing)
        (2500, 0)

    Args:
        a (str or DatasetSpec): as the name for `idxhub.load`.
        b (str, DatasetSpec or os.PathLike): the same, or, as a `pathlib.Path`, a folder with files of another release
            of `a`: those with the names of the files of `a` take their place, and the others are those of `a`. They are
            not verified, since their digests are not known.
        data_dir (path or None): as for `idxhub.load`. Default: None.
        cache_dir (path or None): as for `idxhub.load`. Default: None.
        download (bool): as for `idxhub.load`. Default: True.

    Returns:
        A `Difference`. Images are the same if all their bytes are the same.

    Raises:
        ArgumentError: the folder has no file of `a`, or one whose shape is not that of the file of `a`.
        IdxFormatError: a file in the folder is not a sound IDX file.
        IdxHubError: the errors of `idxhub.load`.
    """
    source = {"data_dir": data_dir, "cache_dir": cache_dir, "download": download}
    first = _load_all(a, source)
    second = _replaced(first, Path(b)) if isinstance(b, os.PathLike) else _load_all(b, source)
    pairs = _pairs(list(_digests(first)), list(_digests(second)))
    return Difference(_compared(first, pairs[:, 0]), _compared(second, pairs[:, 1]), pairs)


@dataclass(frozen=True, eq=False)
class _Loaded:
    title: str
    class_names: tuple[str, ...]
    parts: list[Part]
    splits: list[Split]


def _load_all(name: Side, source: dict[str, Any]) -> _Loaded:
    spec = Plugins().dataset(name)  # type: ignore[arg-type]  # it raises if this is no name
    splits = [load(spec, split, **source) for split in spec.everything]
    names, labels = classes_of(splits)
    parts = [Part(split.info.split, split.images, each) for split, each in zip(splits, labels, strict=True)]
    return _Loaded(dataset_title(splits[0]), names, parts, splits)


def _replaced(base: _Loaded, folder: Path) -> _Loaded:
    """The same dataset with the files that are in a folder."""
    found = 0
    parts = []
    for part, split in zip(base.parts, base.splits, strict=True):
        spec = split.info.spec.splits[part.split]
        images, labels = (_read_file(folder, resource) for resource in (spec.images, spec.labels))
        found += (images is not None) + (labels is not None)
        parts.append(
            Part(
                part.split,
                part.images if images is None else _images_of(spec, images),
                part.of_class if labels is None else _labels_of(spec, labels, len(base.class_names)),
            )
        )
    if not found:
        names = ", ".join(resource.filename for resource in base.splits[0].info.spec.resources)
        raise errors.ArgumentError("folder", str(folder), f"one with at least one of these files: {names}")
    return _Loaded(folder.absolute().name, base.class_names, parts, base.splits)


def _read_file(folder: Path, resource: Resource) -> NDArray[Any] | None:
    """The array of a file that takes the place of a resource, if the folder has it, compressed or not."""
    for path, opened in ((folder / f"{resource.stem}.gz", gzip.open), (folder / resource.stem, open)):
        if not path.is_file():
            continue
        with opened(path, "rb") as file:
            try:
                data = file.read(resource.payload_size + 1)  # no more: what is longer has another shape
            except (EOFError, OSError) as error:
                raise errors.IdxFormatError(f"{path}: {error}") from error
        if (shape := idx.read_header(data).shape) != resource.shape:
            raise errors.ArgumentError(f"shape of {path}", shape, f"{resource.shape}, as that of the file it replaces")
        return idx.decode(data)
    return None


def _images_of(spec: SplitSpec, array: NDArray[Any]) -> NDArray[Any]:
    if spec.transposed:
        array = array.swapaxes(1, 2)
    return array[spec.start : spec.end]


def _labels_of(spec: SplitSpec, array: NDArray[Any], classes: int) -> NDArray[np.int64]:
    if spec.label_column is not None:
        array = array[:, spec.label_column]
    labels = array[spec.start : spec.end].astype(np.int64) - spec.label_offset
    if len(labels) and not 0 <= labels.min() <= labels.max() < classes:
        raise errors.ArgumentError(f"label in {spec.labels.filename}", int(labels.max()), f"from 0 to {classes - 1}")
    return labels


def _digests(loaded: _Loaded) -> Iterator[bytes]:
    for part in loaded.parts:
        header = f"{part.images.dtype.str}{part.images.shape[1:]}".encode()
        for image in part.images:
            yield hashlib.blake2b(header + image.tobytes(), digest_size=16).digest()


def _pairs(first: list[bytes], second: list[bytes]) -> NDArray[np.int64]:
    """The positions of equal digests: the n-th occurrence of one in `first` belongs to its n-th in `second`."""
    places = {key: position for position, key in enumerate(_numbered(second))}
    pairs = [(i, places[key]) for i, key in enumerate(_numbered(first)) if key in places]
    return np.array(pairs, np.int64).reshape(-1, 2)


def _numbered(digests: list[bytes]) -> Iterator[tuple[bytes, int]]:
    """Each digest with the number of times that it came before."""
    seen: Counter[bytes] = Counter()
    for digest in digests:
        yield digest, seen[digest]
        seen[digest] += 1


def _compared(loaded: _Loaded, paired: NDArray[np.int64]) -> Compared:
    shared = np.zeros(sum(len(part.images) for part in loaded.parts), bool)
    shared[paired] = True
    return Compared(loaded.title, loaded.class_names, loaded.parts, shared)
