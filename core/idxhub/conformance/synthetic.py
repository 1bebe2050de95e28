"""The dataset that adapters are checked with. It is small, and made so that mistakes are noticed."""

from __future__ import annotations

import gzip
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from idxhub.catalog.resource import Resource
from idxhub.catalog.spec import DatasetSpec, SplitSpec
from idxhub.formats import idx

# the numbers of images are primes, so that no batch size divides them; the images are not square, so that the checks
# notice a transposition
SIZES = {"train": 257, "test": 61}
SHAPE = (5, 7)
CLASSES = ("zero", "one", "two", "three", "four", "never")  # the last class has no examples


@dataclass(frozen=True)
class Synthetic:
    """The spec of the files, and their content: `images[split]` is uint8 (N, 5, 7), `labels[split]` is int64 (N,)."""

    spec: DatasetSpec
    folder: Path
    images: dict[str, NDArray[np.uint8]]
    labels: dict[str, NDArray[np.int64]]


def make(folder: Path) -> Synthetic:
    """Write the four files into `folder`, with the same bytes each time, and return their description."""
    folder.mkdir(parents=True, exist_ok=True)
    images: dict[str, NDArray[np.uint8]] = {}
    labels: dict[str, NDArray[np.int64]] = {}
    splits = {}
    for seed, (split, count) in enumerate(SIZES.items()):
        random = np.random.RandomState(seed)
        # the images contain every value from 0 to 255, so that the float32 of each is checked
        pixels = np.resize(np.arange(256), count * SHAPE[0] * SHAPE[1])
        images[split] = random.permutation(pixels).astype(np.uint8).reshape(count, *SHAPE)
        labels[split] = random.randint(0, len(CLASSES) - 1, count).astype(np.int64)
        splits[split] = SplitSpec(
            _write(folder / f"{split}-images-idx3-ubyte.gz", images[split]),
            _write(folder / f"{split}-labels-idx1-ubyte.gz", labels[split].astype(np.uint8)),
        )
    spec = DatasetSpec(
        name="idxhub-synthetic",
        title="Made by the conformance kit",
        splits=splits,
        classes=CLASSES,
        folders=(str(folder.absolute()),),
    )
    return Synthetic(spec, folder, images, labels)


def _write(path: Path, array: NDArray[Any]) -> Resource:
    if not path.exists():
        path.write_bytes(gzip.compress(idx.encode(array), mtime=0))
    return Resource.from_file(path)
