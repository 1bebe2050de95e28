"""Whether a reader read what it was asked for: the same pixels and labels, all of them, shuffled, none dropped.

The judge sits in the runner's process and knows the files by gzip and NumPy alone. A row that does not stand is an
error, however fast it was.
"""

from __future__ import annotations

import gzip
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from idxhub_bench.load.touch import Seen, fingerprint

FILES = {
    "train": ("train-images-idx3-ubyte.gz", "train-labels-idx1-ubyte.gz"),
    "test": ("t10k-images-idx3-ubyte.gz", "t10k-labels-idx1-ubyte.gz"),
}
# relative; float32 adds up to about 1e-6, pixel/256 instead of pixel/255 is 4e-3
_TOLERANCE = 2e-5


class CheatError(RuntimeError):
    """What was measured is not what the others did."""


@dataclass
class Truth:
    """What the train files hold, and the fingerprints that follow from it."""

    images: NDArray[np.uint8]
    labels: NDArray[Any]
    _known: dict[str, Any] = field(default_factory=dict, repr=False)

    @classmethod
    def read(cls, data_dir: Path, split: str = "train") -> Truth:
        """From the .gz files of a split."""
        images, labels = (gzip.decompress((data_dir / name).read_bytes()) for name in FILES[split])
        count = len(labels) - 8
        return cls(
            np.frombuffer(images, np.uint8, offset=16).reshape(count, -1),
            np.frombuffer(labels, np.uint8, offset=8).astype(np.int64),
        )

    @property
    def payload(self) -> int:
        """Bytes of images and labels as they are in the files."""
        return self.images.nbytes + len(self.labels)

    def sums(self) -> dict[str, int]:
        """The sums that an opened dataset must have."""
        return {"images": len(self.labels), "pixels": int(self.images.sum(dtype=np.uint64)), "labels": _sum(self)}

    def fingerprints(self, dtype: str) -> Any:
        """Sorted, to look images up in: for uint8 mixed keys and word sums, for float32 a table for each label."""
        if dtype not in self._known:
            self._known[dtype] = _exact(self) if dtype == "uint8" else _by_label(self)
        return self._known[dtype]


def check(seen: Seen, before: Seen, truth: Truth, *, dtype: str, size: int, bounded: bool) -> None:
    """Raise `CheatError` unless `seen`, a pass in batches of `size`, is a shuffled epoch, or if `bounded` begins one.

    `before` is an earlier pass of the same reader.
    """
    if seen.dtypes != {dtype}:
        raise CheatError(f"its images are {', '.join(sorted(seen.dtypes)) or 'none'}, not {dtype}")
    _check_sizes(seen.sizes, len(truth.labels), size, bounded=bounded)
    where = _identify(seen, truth, dtype)
    _check_once(where, seen, truth, dtype, whole=not bounded)
    _check_order(where, len(truth.labels))
    first = _identify(
        Seen(before.sizes[:1], before.dtypes, before.labels[:1], before.keys[:1], before.sums[:1]), *(truth, dtype)
    )
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


def _identify(seen: Seen, truth: Truth, dtype: str) -> NDArray[np.int64]:
    """The index of each image seen in the files; `CheatError` for one that they do not hold with this label."""
    labels, keys = np.concatenate(seen.labels).reshape(-1).astype(np.int64), np.concatenate(seen.keys)
    if len(labels) != len(keys):
        raise CheatError(f"{len(keys)} images and {len(labels)} labels")
    if dtype == "uint8":
        return _identify_exactly(seen, keys, labels, truth)
    where = np.full(len(keys), -1, np.int64)
    for label, (values, indices) in truth.fingerprints(dtype).items():
        mine = labels == label
        right = (
            np.clip(np.searchsorted(values, keys[mine]), 1, len(values) - 1)
            if len(values) > 1
            else np.zeros(mine.sum(), int)
        )
        left = np.maximum(right - 1, 0)
        nearest = np.where(abs(values[left] - keys[mine]) <= abs(values[right] - keys[mine]), left, right)
        close = abs(values[nearest] - keys[mine]) <= _TOLERANCE * (1 + abs(values[nearest]))
        where[mine] = np.where(close, indices[nearest], -1)
    _check_known(where)
    return where


def _identify_exactly(seen: Seen, keys: NDArray[Any], labels: NDArray[Any], truth: Truth) -> NDArray[np.int64]:
    mixed, indices, word_sums = truth.fingerprints("uint8")
    mine = _mixed(keys, labels)
    place = np.minimum(np.searchsorted(mixed, mine), len(mixed) - 1)
    where = np.where(mixed[place] == mine, indices[place], -1)
    _check_known(where)
    edges = np.cumsum([0, *seen.sizes])
    for start, stop, total in zip(edges, edges[1:], seen.sums, strict=False):
        if word_sums[where[start:stop]].sum() != np.uint64(total):
            raise CheatError("its pixels are not those of the files")
    return where


def _check_known(where: NDArray[np.int64]) -> None:
    if strangers := int((where < 0).sum()):
        raise CheatError(f"{strangers} of {len(where)} images are not in the files, or not with this label")


def _check_once(where: NDArray[np.int64], seen: Seen, truth: Truth, dtype: str, *, whole: bool) -> None:
    """No image twice, and if `whole` each of them once."""
    twice = len(where) - len(np.unique(where))
    if dtype != "uint8":
        # two images whose products are next to each other may be taken for one another, six in a thousand are
        if whole:
            _check_all_values(seen, truth, dtype)
        elif twice > len(where) // 50 + 1:
            raise CheatError(f"{twice} of {len(where)} images were read more than once")
        return
    alike = len(truth.labels) - len(np.unique(truth.fingerprints(dtype)[0]))  # images that the files have twice
    if twice > alike or (whole and twice != alike):
        raise CheatError(f"{twice - alike} of {len(where)} images were read more than once")


def _check_all_values(seen: Seen, truth: Truth, dtype: str) -> None:
    labels, keys = np.concatenate(seen.labels).reshape(-1), np.concatenate(seen.keys)
    for label, (values, _) in truth.fingerprints(dtype).items():
        mine = np.sort(keys[labels == label])
        if len(mine) != len(values) or (abs(mine - values) > _TOLERANCE * (1 + abs(values))).any():
            raise CheatError(f"the images of label {label} are not each of the files' once")


def _check_order(where: NDArray[np.int64], n: int) -> None:
    """Of a permutation of all n, neighbours are n/3 apart on average, and place and index have nothing in common."""
    if len(where) < 256 or n < 1024:
        return
    apart = float(np.abs(np.diff(where)).mean()) / n
    together = float(np.corrcoef(np.arange(len(where)), where)[0, 1])
    if apart < 0.25 or abs(together) > max(0.05, 6 / len(where) ** 0.5):
        raise CheatError(
            f"not shuffled over the whole set: neighbours are {apart:.3f} n apart, correlation {together:.2f}"
        )


def _exact(truth: Truth) -> tuple[NDArray[np.uint64], NDArray[np.int64], NDArray[np.uint64]]:
    keys, _ = fingerprint(truth.images)
    mixed = _mixed(keys, truth.labels)
    indices = np.argsort(mixed, kind="stable")
    return mixed[indices], indices, np.ascontiguousarray(truth.images).view(np.uint64).sum(axis=1)


def _mixed(keys: NDArray[Any], labels: NDArray[Any]) -> NDArray[np.uint64]:
    """One word for each image and label, from all words of its key."""
    keys = keys.reshape(len(keys), -1).astype(np.uint64)
    odd = np.random.RandomState(0).randint(0, 2**63, keys.shape[1] + 1, np.int64).astype(np.uint64) * 2 + 1
    mixed: NDArray[np.uint64] = (keys * odd[:-1]).sum(axis=1) + labels.astype(np.uint64) * odd[-1]
    return mixed


def _by_label(truth: Truth) -> dict[int, tuple[NDArray[Any], NDArray[np.int64]]]:
    values, _ = fingerprint(truth.images.astype(np.float64) / 255)
    tables = {}
    for label in np.unique(truth.labels).tolist():
        indices = np.flatnonzero(truth.labels == label)
        order = np.argsort(values[indices], kind="stable")
        tables[label] = (values[indices][order], indices[order])
    return tables


def _sum(truth: Truth) -> int:
    return int(truth.labels.sum())
