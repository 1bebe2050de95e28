"""Whether a reader read what it was asked for: all images with their labels, in the right form, shuffled.

The judge runs in the process of the runner, and knows the files by gzip and NumPy alone. A row that it rejects is an
error, however fast it was.
"""

from __future__ import annotations

import gzip
from dataclasses import dataclass, replace
from functools import cached_property
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from idxhub_bench.load.touch import PassRecord, fingerprint

FILES = {
    "train": ("train-images-idx3-ubyte.gz", "train-labels-idx1-ubyte.gz"),
    "test": ("t10k-images-idx3-ubyte.gz", "t10k-labels-idx1-ubyte.gz"),
}
# relative: rounding in float32 adds up to about 1e-6, pixel/256 instead of pixel/255 makes 4e-3
_TOLERANCE = 2e-5


class CheatError(RuntimeError):
    """What was measured is not what the other rows do."""


def read_split(data_dir: str | Path, split: str) -> tuple[NDArray[np.uint8], NDArray[np.int64]]:
    """The images, (N, 28, 28), and labels of a split, read with gzip and NumPy alone."""
    images, labels = (gzip.decompress(Path(data_dir, name).read_bytes()) for name in FILES[split])
    return (
        np.frombuffer(images, np.uint8, offset=16).reshape(-1, 28, 28),
        np.frombuffer(labels, np.uint8, offset=8).astype(np.int64),
    )


@dataclass
class Truth:
    """The images and labels of a split, from its files, and the fingerprints by which images are recognised."""

    images: NDArray[np.uint8]
    labels: NDArray[Any]

    @classmethod
    def read(cls, data_dir: Path, split: str = "train") -> Truth:
        """Read the .gz files of a split."""
        images, labels = read_split(data_dir, split)
        return cls(images.reshape(len(labels), -1), labels)

    @property
    def payload(self) -> int:
        """The number of bytes of images and labels in the files."""
        return self.images.nbytes + len(self.labels)

    def sums(self) -> dict[str, int]:
        """The sums that an opened dataset must have."""
        pixels = int(self.images.sum(dtype=np.uint64))
        return {"images": len(self.labels), "pixels": pixels, "labels": int(self.labels.sum())}

    @cached_property
    def exact(self) -> tuple[NDArray[np.uint64], NDArray[np.int64], NDArray[np.uint64]]:
        """For uint8: the sorted words of all images, the index of each of them, and for each index the sum of bytes."""
        mixed = _mixed(fingerprint(self.images)[0], self.labels)
        indices = np.argsort(mixed, kind="stable")
        return mixed[indices], indices, np.ascontiguousarray(self.images).view(np.uint64).sum(axis=1)

    @cached_property
    def by_label(self) -> dict[int, tuple[NDArray[Any], NDArray[np.int64]]]:
        """For float32: for each label the sorted weighted sums of its images, and the index of each of them."""
        values, _ = fingerprint(self.images.astype(np.float64) / 255)
        tables = {}
        for label in np.unique(self.labels).tolist():
            indices = np.flatnonzero(self.labels == label)
            order = np.argsort(values[indices], kind="stable")
            tables[label] = (values[indices][order], indices[order])
        return tables


def check(
    seen: PassRecord,
    before: PassRecord,
    truth: Truth,
    *,
    dtype: str,
    size: int,
    bounded: bool,
    in_order: bool = False,
) -> None:
    """Raise `CheatError` unless `seen` is a shuffled epoch in batches of `size`, or the beginning of one if `bounded`.

    `before` is an earlier pass of the same reader, which must have another order. If `in_order`, `seen` must be an
    epoch in the order of the files instead.
    """
    if seen.dtypes != {dtype}:
        raise CheatError(f"its images are {', '.join(sorted(seen.dtypes)) or 'none'}, not {dtype}")
    _check_sizes(seen.sizes, len(truth.labels), size, bounded=bounded)
    where = _identify(seen, truth, dtype)
    if dtype == "uint8":
        _check_once(where, truth, whole=not bounded)
    else:
        _check_once_float(where, seen, truth, whole=not bounded)
    if in_order:
        _check_order_of_files(where, truth)
        return
    _check_order(where, len(truth.labels))
    first_batch = replace(before, sizes=before.sizes[:1], labels=before.labels[:1], keys=before.keys[:1])
    first = _identify(first_batch, truth, dtype)
    if len(where) > 8 and np.array_equal(first[: len(where)], where[: len(first)]):
        raise CheatError("two passes have the same order")


def _check_sizes(sizes: list[int], n: int, size: int, *, bounded: bool) -> None:
    if bounded and (not sizes or set(sizes) != {size} or sum(sizes) > n):
        raise CheatError(f"its batches are of {sorted(set(sizes))}, not of {size}")
    expected = [size] * (n // size) + [n % size] * (n % size > 0)
    if not bounded and sizes != expected:
        raise CheatError(
            f"{sum(sizes)} images in {len(sizes)} batches, the last of {sizes[-1] if sizes else 0}: "
            f"an epoch is {n} in {len(expected)}, the last of {expected[-1]}"
        )


def _identify(seen: PassRecord, truth: Truth, dtype: str) -> NDArray[np.int64]:
    """The index in the files of each image; `CheatError` for an image that they do not have with this label."""
    labels, keys = seen.all_labels(), np.concatenate(seen.keys)
    if len(labels) != len(keys):
        raise CheatError(f"{len(keys)} images and {len(labels)} labels")
    identify = _identify_exactly if dtype == "uint8" else _identify_nearly
    where = identify(keys, labels, truth)
    if unknown := int((where < 0).sum()):
        raise CheatError(f"{unknown} of {len(where)} images are not in the files, or not with this label")
    if dtype == "uint8":
        edges = np.cumsum([0, *seen.sizes])
        for start, stop, total in zip(edges, edges[1:], seen.sums, strict=False):
            if truth.exact[2][where[start:stop]].sum() != np.uint64(total):
                raise CheatError("its pixels are not those of the files")
    return where


def _identify_exactly(keys: NDArray[Any], labels: NDArray[Any], truth: Truth) -> NDArray[np.int64]:
    known, indices, _ = truth.exact
    mixed = _mixed(keys, labels)
    place = np.minimum(np.searchsorted(known, mixed), len(known) - 1)
    return np.where(known[place] == mixed, indices[place], -1)


def _identify_nearly(keys: NDArray[Any], labels: NDArray[Any], truth: Truth) -> NDArray[np.int64]:
    """The image with this label that has the nearest weighted sum, if the sum is near enough."""
    where = np.full(len(keys), -1, np.int64)
    for label, (values, indices) in truth.by_label.items():
        mine = labels == label
        right = np.minimum(np.searchsorted(values, keys[mine]), len(values) - 1)
        left = np.maximum(right - 1, 0)
        nearest = np.where(abs(values[left] - keys[mine]) <= abs(values[right] - keys[mine]), left, right)
        where[mine] = np.where(_is_close(keys[mine], values[nearest]), indices[nearest], -1)
    return where


def _is_close(keys: NDArray[Any], values: NDArray[Any]) -> NDArray[np.bool_]:
    close: NDArray[np.bool_] = abs(keys - values) <= _TOLERANCE * (1 + abs(values))
    return close


def _check_once(where: NDArray[np.int64], truth: Truth, *, whole: bool) -> None:
    """No image may be there twice; of a whole epoch each must be there once."""
    twice = len(where) - len(np.unique(where))
    alike = len(truth.labels) - len(np.unique(truth.exact[0]))  # images that the files have twice
    if twice > alike or (whole and twice != alike):
        raise CheatError(f"{twice - alike} of {len(where)} images were read more than once")


def _check_once_float(where: NDArray[np.int64], seen: PassRecord, truth: Truth, *, whole: bool) -> None:
    """The same for float32: images whose sums are next to each other, six in a thousand, may be confused."""
    if not whole:
        twice = len(where) - len(np.unique(where))
        if twice > len(where) // 50 + 1:
            raise CheatError(f"{twice} of {len(where)} images were read more than once")
        return
    labels, keys = seen.all_labels(), np.concatenate(seen.keys)
    for label, (values, _) in truth.by_label.items():
        mine = np.sort(keys[labels == label])
        if len(mine) != len(values) or not _is_close(mine, values).all():
            raise CheatError(f"the images of label {label} are not each of the files' once")


def _check_order_of_files(where: NDArray[np.int64], truth: Truth) -> None:
    """Each image must be at its own place, but for those that are confused with others; see `_check_once_float`."""
    misplaced = int((where != np.arange(len(where))).sum())
    if misplaced > len(truth.labels) // 50:
        raise CheatError(f"{misplaced} of {len(where)} images are not where the files have them")


def _check_order(where: NDArray[np.int64], n: int) -> None:
    """In a permutation of n, neighbours are n/3 apart on average, and position and index do not correlate."""
    if len(where) < 256 or n < 1024:
        return
    distance = float(np.abs(np.diff(where)).mean()) / n
    correlation = float(np.corrcoef(np.arange(len(where)), where)[0, 1])
    if distance < 0.25 or abs(correlation) > max(0.05, 6 / len(where) ** 0.5):
        raise CheatError(
            f"not shuffled over the whole set: neighbours are {distance:.3f} n apart, correlation {correlation:.2f}"
        )


def _mixed(keys: NDArray[Any], labels: NDArray[Any]) -> NDArray[np.uint64]:
    """One word for each image and label, from all words of its key."""
    keys = keys.reshape(len(keys), -1).astype(np.uint64)
    odd = np.random.RandomState(0).randint(0, 2**63, keys.shape[1] + 1, np.int64).astype(np.uint64) * 2 + 1
    mixed: NDArray[np.uint64] = (keys * odd[:-1]).sum(axis=1) + labels.astype(np.uint64) * odd[-1]
    return mixed
