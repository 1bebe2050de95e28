"""What a dataset is: its files and their digests, classes, licence, citation, and where copies are kept.

A dataset is described by data alone; `idxhub.catalog.builtin` holds the ones that come with the package, and a
`DatasetSpec` of one's own serves wherever a name does.
"""

from __future__ import annotations

import math
import os
import re
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import NamedTuple, TypeGuard

import numpy as np
import xxhash

from idxhub.errors import IdxFormatError, SpecError
from idxhub.formats import idx

LABEL_DTYPE = "int64"  # of labels as they are kept and handed out
_NAME = re.compile(r"[A-Za-z0-9][A-Za-z0-9._-]*")
_HEX = re.compile(r"[0-9a-f]+")
_DIGITS = {"md5": 32, "sha256": 64, "payload_md5": 32, "payload_sha256": 64}
_TAKEN = (".npy", ".json", ".lock", ".tmp", ".tag")  # endings of what the cache writes beside a file


def is_plain_name(name: str) -> bool:
    """Whether a file may be called so: no path, nothing hidden, nothing that a system refuses."""
    return not (name[:1] in ("", ".") or set(name) & set('/\\:*?"<>|') or any(ord(c) < 32 for c in name))


@dataclass(frozen=True, slots=True)
class Archive:
    """A published .zip that holds resources: downloaded once for all that are in it, and read without unpacking it.

    `size` is in bytes; more than that is never taken from a mirror.
    """

    filename: str
    md5: str
    size: int
    sha256: str | None = None

    def __post_init__(self) -> None:
        _check_file(self.filename, {"md5": self.md5, "sha256": self.sha256})
        _check_count(self.filename, "size", self.size)

    @classmethod
    def from_file(cls, path: str | os.PathLike[str]) -> Archive:
        """Describe a .zip of one's own by reading it once, a block at a time. Raises `OSError`."""
        import hashlib  # noqa: PLC0415 -- see `fingerprint`

        path = Path(path)
        md5, sha256 = hashlib.md5(usedforsecurity=False), hashlib.sha256()
        size = 0
        with path.open("rb") as file:
            while block := file.read(1 << 20):
                md5.update(block)
                sha256.update(block)
                size += len(block)
        return cls(path.name, md5.hexdigest(), size, sha256.hexdigest())


@dataclass(frozen=True, slots=True)
class Resource:
    """One published file: an IDX array, plain or as .gz or .xz.

    `md5` and `sha256` are of the file as published, `payload_sha256` and `payload_md5` of its decompressed content;
    `size` is the published file's, in bytes. `shape` and `dtype` are of the array in the file. With a digest of the
    payload a recompressed or decompressed copy is accepted too. A file that is published inside an `archive` is its
    member `member`; a copy of it that lies about alone serves as well.
    """

    filename: str
    md5: str
    shape: tuple[int, ...]
    dtype: str = "uint8"
    size: int | None = None
    sha256: str | None = None
    payload_sha256: str | None = None
    payload_md5: str | None = None
    archive: Archive | None = None
    member: str | None = None

    def __post_init__(self) -> None:
        _check_file(self.filename, {what: getattr(self, what) for what in _DIGITS})
        if self.size is not None:
            _check_count(self.filename, "size", self.size)
        if not isinstance(self.shape, tuple) or not all(map(_is_integer, self.shape)):
            raise SpecError(f"{self.filename}: shape={self.shape!r} is not a tuple of integers")
        if not isinstance(self.dtype, str):  # to NumPy, None is float64
            raise SpecError(f"{self.filename}: dtype={self.dtype!r} is not the name of a type")
        try:
            idx.encode_header(self.shape, self.dtype)  # refuses what IDX cannot hold
        except (IdxFormatError, TypeError) as error:
            raise SpecError(f"{self.filename}: {error}") from error
        if not isinstance(self.archive, Archive | None):
            raise SpecError(f"{self.filename}: archive={self.archive!r} is not an Archive")
        if (self.archive is None) != (self.member is None) or self.member == "":
            raise SpecError(f"{self.filename}: an archive and the name of a member in it belong together")

    @property
    def payload_size(self) -> int:
        """Bytes of the decompressed file, header included."""
        return 4 + 4 * len(self.shape) + math.prod(self.shape) * np.dtype(self.dtype).itemsize

    @property
    def stem(self) -> str:
        """The file name without .gz or .xz."""
        return self.filename.removesuffix(".gz").removesuffix(".xz")

    @property
    def published(self) -> Resource | Archive:
        """The file that is downloaded: this one, or the archive that it is in."""
        return self if self.archive is None else self.archive

    @classmethod
    def from_file(cls, path: str | os.PathLike[str]) -> Resource:
        """Describe an IDX file of one's own, plain, .gz or .xz, by reading it once.

        Raises `OSError` if it cannot be read and `IdxFormatError` if it is not a sound IDX file.
        """
        import hashlib  # noqa: PLC0415 -- see `fingerprint`

        from idxhub.formats.compression import inflate, peek  # noqa: PLC0415 -- most specs are written down, not read off a file

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


class ArraySpec(NamedTuple):
    """An array as the cache keeps it: what is in a resource, and what is done to that once, before it is published.

    `column` takes one column of a table, (N, K); `offset` is subtracted from each element; `transposed` swaps the
    two axes of each image, (N, H, W). `dtype` is that of the array as kept.
    """

    resource: Resource
    dtype: str
    column: int | None = None
    offset: int = 0
    transposed: bool = False

    @property
    def shape(self) -> tuple[int, ...]:
        """The array's shape."""
        shape = self.resource.shape
        if self.column is not None:
            return shape[:1]
        return (shape[0], shape[2], shape[1]) if self.transposed else shape

    @property
    def steps(self) -> tuple[str, ...]:
        """What is done to the file's array, in words."""
        return (
            *([] if self.column is None else [f"column {self.column}"]),
            *([f"minus {self.offset}"] if self.offset else []),
            *(["transposed"] if self.transposed else []),
        )

    @property
    def key(self) -> str:
        """What the array's files in the cache are called, without their endings."""
        return ".".join([self.resource.stem, *(step.replace(" ", "-") for step in self.steps)])


@dataclass(frozen=True, slots=True)
class SplitSpec:
    """The two files of a split: images, (N, ...), and labels, (N,); and how they become its arrays.

    `label_column` is the column that holds the labels where the file is a table, (N, K). `label_offset` is subtracted
    from the file's labels, so that those of the first class become 0. `transposed` says that the file has columns
    where images have rows, and that they are to be set upright. `start` and `stop` make the split a range of the
    files' examples, the one at `stop` not included: other splits may have the rest, or the whole. Images are kept and
    handed out in the file's type, labels as int64.
    """

    images: Resource
    labels: Resource
    label_column: int | None = None
    label_offset: int = 0
    transposed: bool = False
    start: int = 0
    stop: int | None = None

    def __post_init__(self) -> None:
        for what in ("images", "labels"):
            if not isinstance(getattr(self, what), Resource):
                raise SpecError(f"{what}={getattr(self, what)!r} is not a Resource")
        if self.images.shape[0] != self.labels.shape[0]:
            raise SpecError(
                f"{self.images.filename} has {self.images.shape[0]:,} examples, "
                f"{self.labels.filename} has {self.labels.shape[0]:,}"
            )
        self._check_labels()
        if not isinstance(self.transposed, bool):
            raise SpecError(f"{self.images.filename}: transposed={self.transposed!r} is neither True nor False")
        if self.transposed and len(self.images.shape) != 3:
            raise SpecError(f"{self.images.filename}: transposed is for images of two dimensions, (N, W, H)")
        stop = self.images.shape[0] if self.stop is None else self.stop
        if not (_is_integer(self.start) and _is_integer(stop) and 0 <= self.start <= stop <= self.images.shape[0]):
            count = f"{self.images.shape[0]:,} examples"
            raise SpecError(f"{self.images.filename}: {self.start!r} to {self.stop!r} is no range of {count}")

    def _check_labels(self) -> None:
        labels = self.labels
        wanted = 1 if self.label_column is None else 2
        if len(labels.shape) != wanted or np.dtype(labels.dtype).kind not in "iu":
            table = "a table of integers where label_column is given" if wanted == 2 else "one integer an example"
            raise SpecError(f"{labels.filename}: labels are {table}; this has {labels.dtype} of shape {labels.shape}")
        if self.label_column is not None and not (
            _is_integer(self.label_column) and 0 <= self.label_column < labels.shape[1]
        ):
            raise SpecError(f"{labels.filename}: label_column={self.label_column!r} of {labels.shape[1]} columns")
        if not _is_integer(self.label_offset) or abs(self.label_offset) >= 2**31:
            raise SpecError(f"{labels.filename}: label_offset={self.label_offset!r} is not an integer of 32 bits")

    @property
    def arrays(self) -> tuple[ArraySpec, ArraySpec]:
        """Images and labels of the whole files as the cache keeps them."""
        return (
            ArraySpec(self.images, self.images.dtype, transposed=self.transposed),
            ArraySpec(self.labels, LABEL_DTYPE, self.label_column, self.label_offset),
        )

    @property
    def end(self) -> int:
        """Where the split's examples end in the files."""
        return self.images.shape[0] if self.stop is None else self.stop

    @property
    def num_examples(self) -> int:
        """How many images, and labels, there are."""
        return self.end - self.start


@dataclass(frozen=True, slots=True)
class DatasetSpec:
    """A dataset in IDX files.

    `classes[i]` is the name of label i; left empty, labels are not checked against it. `mirrors` are URLs or
    folders that hold the files, tried in order; `folders` are places where other programs keep them, tried before
    any mirror (`~` and `$VARIABLES` are expanded), and `subfolders` where they may lie below a folder that the
    user names. `citation` is BibTeX. Raises `SpecError`, as its parts do, for what makes no sense.
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
    mirrors: tuple[str, ...] = field(default=(), repr=False)  # there may be passwords in them
    folders: tuple[str, ...] = ()
    subfolders: tuple[str, ...] = field(default=("",))

    def __post_init__(self) -> None:
        if not isinstance(self.name, str) or not _NAME.fullmatch(self.name):
            raise SpecError(f"{self.name!r} is not a dataset name: letters, digits, '.', '_' and '-'")
        if not isinstance(self.splits, Mapping) or not self.splits:
            raise SpecError(f"{self.name} has no splits")
        for name, split in self.splits.items():
            if not isinstance(name, str) or not _NAME.fullmatch(name):
                raise SpecError(f"{self.name}: {name!r} is not a split name")
            if not isinstance(split, SplitSpec):
                raise SpecError(f"{self.name}: the split {name} is {split!r}, not a SplitSpec")
        for what in ("classes", "mirrors", "folders", "subfolders"):
            values = getattr(self, what)
            if not isinstance(values, (tuple, list)) or not all(isinstance(value, str) for value in values):
                shown = "(not shown)" if what == "mirrors" else repr(values)
                raise SpecError(f"{self.name}: {what}={shown} is not a tuple of strings")
        for what in ("title", "description", "release", "license", "citation", "homepage"):
            if not isinstance(getattr(self, what), str):
                raise SpecError(f"{self.name}: {what}={getattr(self, what)!r} is not a string")
        _check_apart(self.name, "files", ((each.stem, each) for each in self.resources))
        _check_apart(self.name, "arrays", ((each.key, each) for each in self.arrays))

    @property
    def arrays(self) -> tuple[ArraySpec, ...]:
        """Every array, in the order of the splits, images before labels; what splits share comes once."""
        return tuple(dict.fromkeys(each for split in self.splits.values() for each in split.arrays))

    @property
    def resources(self) -> tuple[Resource, ...]:
        """Every file, in the order of the splits, images before labels; what splits share comes once."""
        return tuple(dict.fromkeys(each for split in self.splits.values() for each in (split.images, split.labels)))

    @property
    def download_size(self) -> tuple[int, bool]:
        """Bytes to download for all of it, and whether that is known: if not, the most that it can be."""
        files = dict.fromkeys(resource.published for resource in self.resources)
        sizes = [each.size for each in files]
        return sum(map(size_limit, files)), None not in sizes

    @property
    def sizes(self) -> dict[str, int]:
        """Examples in each split."""
        return {name: split.num_examples for name, split in self.splits.items()}

    @property
    def everything(self) -> tuple[str, ...]:
        """The splits that "all" means: all but those that are a part of another one."""
        kept: dict[str, SplitSpec] = {}
        for name, split in self.splits.items():
            if not any(_holds(other, split) for other in kept.values()):
                kept = {n: other for n, other in kept.items() if not _holds(split, other)} | {name: split}
        return tuple(kept)

    @property
    def fingerprint(self) -> str:
        """Twelve hex digits that change when a file does, or what a split is made of: releases stay apart by it."""
        # to tell apart what nobody forges: hashlib would bring a library of cryptography into every process
        digest = xxhash.xxh3_128()
        for resource in self.resources:
            digest.update(f"{resource.filename} {resource.md5} {resource.sha256}\n".encode())
        for name, split in self.splits.items():
            images, labels = split.arrays
            digest.update(f"{name} {images.key} {labels.key} {split.start}:{split.end}\n".encode())
        return digest.hexdigest()[:12]


def size_limit(file: Resource | Archive) -> int:
    """The most bytes that the published file can have."""
    if file.size is not None:
        return file.size
    payload = file.payload_size
    # deflate stores what it cannot shrink, 5 bytes for each 16 KiB or less; see RFC 1951
    return payload + payload // 1000 + 1024


def _holds(whole: SplitSpec, part: SplitSpec) -> bool:
    """Whether all examples of `part` are among those of `whole`."""
    return whole.arrays == part.arrays and whole.start <= part.start and part.end <= whole.end


def _check_file(filename: object, digests: Mapping[str, object]) -> None:
    if not isinstance(filename, str) or not is_plain_name(filename) or filename.lower().endswith(_TAKEN):
        raise SpecError(f"{filename!r} is not a file name that the cache can keep")
    for what, value in digests.items():
        digits = _DIGITS[what]
        known = isinstance(value, str) and _HEX.fullmatch(value) and len(value) == digits
        if not known and (value is not None or what == "md5"):
            raise SpecError(f"{filename}: {what}={value!r} is not {digits} lower-case hex digits")


def _check_count(filename: str, what: str, value: object) -> None:
    if not _is_integer(value) or value < 0:
        raise SpecError(f"{filename}: {what}={value!r} is not a number of bytes")


def _check_apart(spec: str, what: str, named: Iterable[tuple[str, object]]) -> None:
    by_name: dict[str, object] = {}
    for name, each in named:
        if by_name.setdefault(name, each) != each:
            raise SpecError(f"{spec}: two different {what} are called {name}")


def _is_integer(value: object) -> TypeGuard[int]:
    return isinstance(value, int) and not isinstance(value, bool)
