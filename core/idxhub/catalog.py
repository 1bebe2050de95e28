"""What a dataset is: its files and their digests, classes, licence, citation, and where copies are kept.

A dataset is described by data alone; `idxhub.builtin` holds the ones that come with the package, and a
`DatasetSpec` of one's own serves wherever a name does.
"""

from __future__ import annotations

import hashlib
import math
import os
import re
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import numpy as np

from idxhub import idx
from idxhub.errors import IdxFormatError
from idxhub.inflate import inflate, peek

_NAME = re.compile(r"[A-Za-z0-9][A-Za-z0-9._-]*")
_HEX = re.compile(r"[0-9a-f]+")
_TAKEN = (".npy", ".json", ".lock", ".tmp", ".tag")  # endings of what the cache writes beside a file


def is_plain_name(name: str) -> bool:
    """Whether a file may be called so: no path, nothing hidden, nothing that a system refuses."""
    return not (name[:1] in ("", ".") or set(name) & set('/\\:*?"<>|') or any(ord(c) < 32 for c in name))


@dataclass(frozen=True, slots=True)
class Resource:
    """One published file: an IDX array, plain or as .gz or .xz.

    `md5` and `sha256` are of the file as published, `payload_sha256` of its decompressed content; `size` is the
    published file's, in bytes. `shape` and `dtype` are of the decoded array. With `payload_sha256` a recompressed
    or decompressed copy is accepted too.
    """

    filename: str
    md5: str
    shape: tuple[int, ...]
    dtype: str = "uint8"
    size: int | None = None
    sha256: str | None = None
    payload_sha256: str | None = None

    def __post_init__(self) -> None:
        if not is_plain_name(self.filename) or self.filename.lower().endswith(_TAKEN):
            raise ValueError(f"{self.filename!r} is not a file name that the cache can keep")
        for what, value, digits in (
            ("md5", self.md5, 32),
            ("sha256", self.sha256, 64),
            ("payload_sha256", self.payload_sha256, 64),
        ):
            if value is not None and not (_HEX.fullmatch(value) and len(value) == digits):
                raise ValueError(f"{self.filename}: {what}={value!r} is not {digits} lower-case hex digits")
        idx.encode_header(self.shape, self.dtype)  # refuses what IDX cannot hold

    @property
    def payload_size(self) -> int:
        """Bytes of the decompressed file, header included."""
        return 4 + 4 * len(self.shape) + math.prod(self.shape) * np.dtype(self.dtype).itemsize

    @property
    def stem(self) -> str:
        """The file name without .gz or .xz."""
        return self.filename.removesuffix(".gz").removesuffix(".xz")

    @classmethod
    def from_file(cls, path: str | os.PathLike[str]) -> Resource:
        """Describe an IDX file of one's own, plain, .gz or .xz, by reading it once.

        Raises `OSError` if it cannot be read and `IdxFormatError` if it is not a sound IDX file.
        """
        path = Path(path)
        data = path.read_bytes()
        try:
            header = idx.read_header(peek(data, idx.MAX_HEADER_SIZE))
            payload = inflate(data, header.payload_size)
            idx.decode(payload)
        except IdxFormatError as error:
            raise IdxFormatError(f"{path}: {error}") from error
        return cls(
            filename=path.name,
            md5=hashlib.md5(data, usedforsecurity=False).hexdigest(),
            shape=header.shape,
            dtype=header.dtype.newbyteorder("=").name,
            size=len(data),
            sha256=hashlib.sha256(data).hexdigest(),
            payload_sha256=hashlib.sha256(payload).hexdigest(),
        )


@dataclass(frozen=True, slots=True)
class SplitSpec:
    """The two files of a split: images, (N, ...), and labels, (N,)."""

    images: Resource
    labels: Resource

    def __post_init__(self) -> None:
        if self.images.shape[0] != self.labels.shape[0]:
            raise ValueError(
                f"{self.images.filename} has {self.images.shape[0]:,} examples, "
                f"{self.labels.filename} has {self.labels.shape[0]:,}"
            )
        if len(self.labels.shape) != 1 or np.dtype(self.labels.dtype).kind not in "iu":
            raise ValueError(f"{self.labels.filename}: labels are one integer an example")

    @property
    def num_examples(self) -> int:
        """How many images, and labels, there are."""
        return self.images.shape[0]


@dataclass(frozen=True, slots=True)
class DatasetSpec:
    """A dataset in IDX files.

    `classes[i]` is the name of label i; left empty, labels are not checked against it. `mirrors` are URLs or
    folders that hold the files, tried in order; `folders` are places where other programs keep them, tried before
    any mirror (`~` and `$VARIABLES` are expanded), and `subfolders` where they may lie below a folder that the
    user names. `citation` is BibTeX.
    """

    name: str
    splits: Mapping[str, SplitSpec]
    classes: tuple[str, ...] = ()
    title: str = ""
    description: str = ""
    release: str = ""
    license: str = ""
    citation: str = ""
    homepage: str = ""
    mirrors: tuple[str, ...] = ()
    folders: tuple[str, ...] = ()
    subfolders: tuple[str, ...] = field(default=("",))

    def __post_init__(self) -> None:
        if not _NAME.fullmatch(self.name):
            raise ValueError(f"{self.name!r} is not a dataset name: letters, digits, '.', '_' and '-'")
        if not self.splits:
            raise ValueError(f"{self.name} has no splits")
        for split in self.splits:
            if not _NAME.fullmatch(split):
                raise ValueError(f"{self.name}: {split!r} is not a split name")
        by_name: dict[str, Resource] = {}
        for resource in self.resources:
            if by_name.setdefault(resource.stem, resource) != resource:
                raise ValueError(f"{self.name}: two different files are called {resource.stem}")

    @property
    def resources(self) -> tuple[Resource, ...]:
        """Every file, in the order of the splits, images before labels."""
        return tuple(resource for split in self.splits.values() for resource in (split.images, split.labels))

    @property
    def sizes(self) -> dict[str, int]:
        """Examples in each split."""
        return {name: split.num_examples for name, split in self.splits.items()}

    @property
    def fingerprint(self) -> str:
        """Twelve hex digits that change when any file does; releases of one name stay apart by it."""
        digest = hashlib.sha256()
        for resource in self.resources:
            digest.update(f"{resource.filename} {resource.md5} {resource.sha256}\n".encode())
        return digest.hexdigest()[:12]


def describe(spec: DatasetSpec) -> dict[str, Any]:
    """The spec as JSON-able data: what `idxhub info --json` prints."""
    return {
        "name": spec.name,
        "title": spec.title,
        "description": spec.description,
        "release": spec.release,
        "fingerprint": spec.fingerprint,
        "classes": list(spec.classes),
        "license": spec.license,
        "homepage": spec.homepage,
        "citation": spec.citation,
        "mirrors": list(spec.mirrors),
        "splits": {
            name: {
                "num_examples": split.num_examples,
                "images": _describe_resource(split.images),
                "labels": _describe_resource(split.labels),
            }
            for name, split in spec.splits.items()
        },
    }


def _describe_resource(resource: Resource) -> dict[str, Any]:
    return {
        "filename": resource.filename,
        "size": resource.size,
        "md5": resource.md5,
        "sha256": resource.sha256,
        "payload_size": resource.payload_size,
        "payload_sha256": resource.payload_sha256,
        "shape": list(resource.shape),
        "dtype": resource.dtype,
    }
