"""Small datasets, made on the spot and published as files."""

from __future__ import annotations

import gzip
import lzma
import zipfile
from collections.abc import Callable
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from idxhub import Archive, DatasetSpec, Resource, SplitSpec, idx
from idxhub.catalog.spec import ArraySpec

CLASSES = ("ant", "bee", "cat")
COMPRESS = {".gz": lambda data: gzip.compress(data, mtime=0), ".xz": lzma.compress, "": bytes}


@dataclass(frozen=True)
class Made:
    """A dataset whose files lie in `folder`; `arrays` holds what they must decode to, by file stem."""

    folder: Path
    spec: DatasetSpec
    arrays: dict[str, NDArray[Any]]

    @property
    def train_images(self) -> Resource:
        return self.spec.splits["train"].images

    @property
    def train_labels(self) -> Resource:
        return self.spec.splits["train"].labels

    @property
    def published(self) -> list[Resource | Archive]:
        """What there is to download, each once."""
        return list(dict.fromkeys(resource.published for resource in self.spec.resources))

    def path(self, file: Resource | Archive) -> Path:
        return self.folder / file.filename

    def bytes(self, file: Resource | Archive) -> bytes:
        return self.path(file).read_bytes()

    def array(self, resource: Resource) -> NDArray[Any]:
        return self.arrays[resource.stem]

    def kept(self, resource: Resource) -> ArraySpec:
        """The array that the cache makes of a file."""
        return next(kept for kept in self.spec.arrays if kept.resource == resource)

    def kept_array(self, resource: Resource) -> NDArray[Any]:
        """What is in that array."""
        return self.array(resource).astype(self.kept(resource).dtype)

    def mirrored(self, *mirrors: str) -> DatasetSpec:
        """The spec with these mirrors."""
        return replace(self.spec, mirrors=mirrors)


def copy_files(
    toy: Made, folder: Path, *, change: Callable[[bytes], bytes] = bytes, rename: Callable[[str], str] = str
) -> Path:
    """Copy a dataset's files to a new folder, changed and renamed; the folder."""
    folder.mkdir(parents=True)
    for each in toy.spec.resources:
        (folder / rename(each.filename)).write_bytes(change(toy.bytes(each)))
    return folder


def flipped(data: bytes) -> bytes:
    """The same bytes with one bit changed, near the end."""
    return data[:-20] + bytes([data[-20] ^ 1]) + data[-19:]


def write(folder: Path, name: str, array: NDArray[Any]) -> Resource:
    """Publish an array; the name's ending says how."""
    folder.mkdir(parents=True, exist_ok=True)
    path = folder / name
    path.write_bytes(COMPRESS[path.suffix](idx.encode(array)))
    return Resource.from_file(path)


def make(
    folder: Path,
    *,
    name: str = "toy",
    sizes: dict[str, int] | None = None,
    shape: tuple[int, ...] = (6, 5),
    dtype: str = "uint8",
    suffix: str = ".gz",
    seed: int = 0,
    **described: Any,
) -> Made:
    """A dataset of random images in three classes."""
    random = np.random.default_rng(seed)
    splits, arrays = {}, {}
    for split, n in (sizes or {"train": 30, "test": 12}).items():
        images = random.integers(0, 256, (n, *shape)).astype(dtype)
        labels = random.integers(0, len(CLASSES), n).astype(np.uint8)
        files = SplitSpec(
            images=write(folder, f"{split}-images-idx{images.ndim}-ubyte{suffix}", images),
            labels=write(folder, f"{split}-labels-idx1-ubyte{suffix}", labels),
        )
        splits[split] = files
        arrays |= {files.images.stem: images, files.labels.stem: labels}
    return Made(folder, DatasetSpec(name, splits, **{"classes": CLASSES, **described}), arrays)


def packed(toy: Made, folder: Path) -> Made:
    """The same dataset, its files published as members of a .zip in `folder`."""
    folder.mkdir(parents=True)
    with zipfile.ZipFile(folder / "all.zip", "w", zipfile.ZIP_DEFLATED) as file:
        for resource in toy.spec.resources:
            file.write(toy.path(resource), f"inside/{resource.filename}")
    archive = Archive.from_file(folder / "all.zip")

    def member(resource: Resource) -> Resource:
        return replace(resource, archive=archive, member=f"inside/{resource.filename}")

    splits = {
        name: replace(split, images=member(split.images), labels=member(split.labels))
        for name, split in toy.spec.splits.items()
    }
    return Made(folder, replace(toy.spec, name=f"packed-{toy.spec.name}", splits=splits), toy.arrays)
