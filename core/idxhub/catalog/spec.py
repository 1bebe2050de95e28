"""A dataset as data: its splits and their files, classes, licence, citation, and where copies are kept.

`idxhub.catalog.builtin` has the specs of the datasets that come with the package. Wherever a dataset's name is
accepted, so is a caller's own `DatasetSpec`.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from typing import NamedTuple

import numpy as np
import xxhash

from idxhub.catalog.field_rules import (
    BOOLEAN,
    NATURAL,
    STRING,
    STRINGS,
    FieldRule,
    check_fields,
    is_plain_integer,
    optional,
    plain_integer,
)
from idxhub.catalog.resource import Resource, size_limit
from idxhub.errors import SpecError

LABEL_DTYPE = "int64"  # of labels in the cache and in what `load` returns


_WITHOUT_PUNCTUATION = str.maketrans("", "", "._-")


def _is_name(value: object) -> bool:
    if not isinstance(value, str) or not value.isascii():
        return False
    return value[:1].isalnum() and value.translate(_WITHOUT_PUNCTUATION).isalnum()


_NAME = FieldRule("a name of letters, digits, '.', '_' and '-' that begins with a letter or a digit", _is_name)
_RESOURCE = FieldRule("a Resource", lambda value: isinstance(value, Resource))

_SPLIT_FIELDS = {
    "images": _RESOURCE,
    "labels": _RESOURCE,
    "label_column": optional(NATURAL),
    "label_offset": FieldRule(
        "an integer of 32 bits", lambda value: is_plain_integer(value) and abs(value) < 2**31, plain_integer
    ),
    "transposed": BOOLEAN,
    "start": NATURAL,
    "stop": optional(NATURAL),
}
_DATASET_FIELDS = {
    "name": _NAME,
    "splits": FieldRule(
        "a mapping from names to at least one SplitSpec", lambda value: isinstance(value, Mapping) and bool(value)
    ),
    **dict.fromkeys(("classes", "folders", "subfolders"), STRINGS),
    "mirrors": FieldRule(STRINGS.must_be, STRINGS.is_valid, secret=True),  # a URL may contain a password
    **dict.fromkeys(("title", "description", "release", "license", "citation", "homepage"), STRING),
}


class ArraySpec(NamedTuple):
    """An array as it is stored in the cache: the array in a file, after the steps that are applied once.

    `column` takes one column of a table, (N, K); `offset` is subtracted from each element; `transposed` swaps the
    two axes of each image, (N, H, W). `dtype` is that of the stored array.
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
        """The steps that are applied to the file's array, in words."""
        return (
            *([] if self.column is None else [f"column {self.column}"]),
            *([f"minus {self.offset}"] if self.offset else []),
            *(["transposed"] if self.transposed else []),
        )

    @property
    def key(self) -> str:
        """The name of the array's files in the cache, without their endings."""
        return ".".join([self.resource.stem, *(step.replace(" ", "-") for step in self.steps)])


@dataclass(frozen=True, slots=True)
class SplitSpec:
    """The two files of a split, images (N, ...) and labels (N,), and how they become its arrays.

    `label_column` is the column that holds the labels if the file is a table, (N, K). `label_offset` is subtracted
    from the file's labels, so that those of the first class become 0. `transposed` says that rows and columns of the
    images are exchanged in the file; they are exchanged back. `start` and `stop` make the split a range of the files'
    examples, without the one at `stop`; other splits may have the rest, or all of them. The images keep the type that
    they have in the file, the labels become int64.
    """

    images: Resource
    labels: Resource
    label_column: int | None = None
    label_offset: int = 0
    transposed: bool = False
    start: int = 0
    stop: int | None = None

    def __post_init__(self) -> None:
        check_fields(self, getattr(self.images, "filename", "SplitSpec"), _SPLIT_FIELDS)
        images, labels = self.images, self.labels
        count = images.shape[0]
        if count != labels.shape[0]:
            raise SpecError(f"{images.filename} has {count:,} examples, {labels.filename} has {labels.shape[0]:,}")
        self._check_labels()
        if self.transposed and len(images.shape) != 3:
            raise SpecError(f"{images.filename}: transposed is for images of two dimensions, (N, W, H)")
        if not self.start <= self.end <= count:
            raise SpecError(f"{images.filename}: {self.start!r} to {self.stop!r} is not a range of {count:,} examples")

    def _check_labels(self) -> None:
        labels, column = self.labels, self.label_column
        dimensions = 1 if column is None else 2
        if len(labels.shape) != dimensions or np.dtype(labels.dtype).kind not in "iu":
            must_be = "one integer an example" if column is None else "a table of integers if label_column is given"
            raise SpecError(f"{labels.filename}: labels must be {must_be}, not {labels.dtype} of shape {labels.shape}")
        if column is not None and column >= labels.shape[1]:
            raise SpecError(f"{labels.filename}: label_column is {column}, but the file has {labels.shape[1]} columns")

    @property
    def arrays(self) -> tuple[ArraySpec, ArraySpec]:
        """Images and labels of the whole files as the cache keeps them."""
        return (
            ArraySpec(self.images, self.images.dtype, transposed=self.transposed),
            ArraySpec(self.labels, LABEL_DTYPE, self.label_column, self.label_offset),
        )

    @property
    def end(self) -> int:
        """The position in the files after the split's last example."""
        return self.images.shape[0] if self.stop is None else self.stop

    @property
    def num_examples(self) -> int:
        """The number of images, which is also that of the labels."""
        return self.end - self.start


@dataclass(frozen=True, slots=True, repr=False)
class DatasetSpec:
    """A dataset in IDX files.

    `classes[i]` is the name of label i; if it is empty, labels are not checked against it. `mirrors` are URLs or
    folders that hold the files, tried in order. `folders` are places where other programs keep them, searched before
    any mirror (`~` and `$VARIABLES` are expanded). `subfolders` are searched below a folder that the user names.
    `citation` is BibTeX. Raises `SpecError`, as its parts do, if a field has a wrong value.
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
    subfolders: tuple[str, ...] = ("",)

    def __post_init__(self) -> None:
        check_fields(self, self.name, _DATASET_FIELDS)
        for name, split in self.splits.items():
            if not _NAME.is_valid(name):
                raise SpecError(f"{self.name}: a split's name must be {_NAME.must_be}, not {name!r}")
            if not isinstance(split, SplitSpec):
                raise SpecError(f"{self.name}: the split {name} must be a SplitSpec, not {split!r}")
        _check_unique(self.name, "files", ((each.stem, each) for each in self.resources))
        _check_unique(self.name, "arrays", ((each.key, each) for each in self.arrays))

    def __repr__(self) -> str:
        release = f", release={self.release!r}" if self.release else ""
        return f"DatasetSpec({self.name!r}{release}, splits={self.sizes})"

    @property
    def arrays(self) -> tuple[ArraySpec, ...]:
        """Every array once, in the order of the splits, images before labels."""
        return tuple(dict.fromkeys(each for split in self.splits.values() for each in split.arrays))

    @property
    def resources(self) -> tuple[Resource, ...]:
        """Every file once, in the order of the splits, images before labels."""
        return tuple(dict.fromkeys(each for split in self.splits.values() for each in (split.images, split.labels)))

    @property
    def download_size(self) -> tuple[int, bool]:
        """Bytes to download for all splits, and whether that number is exact; if not, it is an upper bound."""
        files = dict.fromkeys(resource.published for resource in self.resources)
        sizes = [each.size for each in files]
        return sum(map(size_limit, files)), None not in sizes

    @property
    def sizes(self) -> dict[str, int]:
        """The number of examples in each split."""
        return {name: split.num_examples for name, split in self.splits.items()}

    @property
    def everything(self) -> tuple[str, ...]:
        """The splits that "all" means. A split that is a part of another one is not among them."""
        kept: dict[str, SplitSpec] = {}
        for name, split in self.splits.items():
            if not any(_contains(other, split) for other in kept.values()):
                kept = {n: other for n, other in kept.items() if not _contains(split, other)} | {name: split}
        return tuple(kept)

    @property
    def fingerprint(self) -> str:
        """Twelve hex digits that depend on the files and on what each split consists of, so that releases differ."""
        # nobody would forge a fingerprint; importing hashlib would load a cryptography library into every process
        digest = xxhash.xxh3_128()
        for resource in self.resources:
            text = f"{resource.filename} {resource.md5} {resource.sha256}\n"
            digest.update(text.encode(errors="surrogatepass"))  # the name of a file need not be Unicode
        for name, split in self.splits.items():
            images, labels = split.arrays
            text = f"{name} {images.key} {labels.key} {split.start}:{split.end}\n"
            digest.update(text.encode(errors="surrogatepass"))
        return digest.hexdigest()[:12]


def _contains(whole: SplitSpec, part: SplitSpec) -> bool:
    """Whether all examples of `part` are among those of `whole`."""
    return whole.arrays == part.arrays and whole.start <= part.start and part.end <= whole.end


def _check_unique(spec: str, what: str, named: Iterable[tuple[str, object]]) -> None:
    by_name: dict[str, object] = {}
    for name, each in named:
        if by_name.setdefault(name, each) != each:
            raise SpecError(f"{spec}: two different {what} are called {name}")
