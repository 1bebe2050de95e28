"""What a file is, by its digests, and what its name says: so that an error can name a wrong file, an audit every file.

The files of the catalog are known from their specs. The tables here hold what is known of others: recomputed from the
bytes where marked +; else as pinned by MXNet Gluon (the first Fashion-MNIST release), or as the id of a blob in a git
repository (wm-bupt/oracle-mnist, commit b6cb263).
"""

from __future__ import annotations

import hashlib
import itertools
import re
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from pathlib import Path

from idxhub.catalog.spec import Archive, DatasetSpec, Resource
from idxhub.errors import IdxFormatError
from idxhub.formats.compression import inflate, is_compressed, peek
from idxhub.formats.idx import MAX_HEADER_SIZE, read_header

_FIRST = "Fashion-MNIST of 2017-08-26, before duplicates were removed"

# of the published file, and of its content: lower-case hex; MD5 has 32 digits, SHA-1 and the id of a git blob 40
_FILES = {
    "c25fcebcfee76fc70679a885c08e7783": (_FIRST, "train labels"),  # +
    "db06173b3df7891d78edf9cae5fe8f8a": (_FIRST, "test labels"),  # +
    "0cf37b0d40ed5169c6b3aba31069a9770ac9043d": (_FIRST, "train images"),
    "626ed6a7c06dd17c0eec72fa3be1740f146a2863": (_FIRST, "test images"),
    "1f6e37653511386c87fc954b27b0770ccdd19b02": ("Oracle-MNIST", "train images"),
    "f4000f1efcebacefeae504294fbc21c8": ("Oracle-MNIST", "train labels"),  # +
    "1daa75f0d88ab972b1bf7457bd29829b": ("Oracle-MNIST", "test images"),  # +
    "b23de57e6dd33d560734122f02e4d520": ("Oracle-MNIST", "test labels"),  # +
    "1c42a8f34c1dc2650a74dd83ed34a9c9": ("QMNIST", "test labels, the classes alone"),  # +
}
_CONTENTS = {
    "2ddd6a368b6f6176236d9ceeb813541d": (_FIRST, "train labels"),  # +
    "e02ce863a33cd8338b795da3a1142d3a": (_FIRST, "test labels"),  # +
    "3d89b29be162a8131a2375139af64126": ("Oracle-MNIST", "train labels"),  # +
    "f30cc454cbd0a7163afb917145301521": ("Oracle-MNIST", "test images"),  # +
    "9c3e67e5fd4d3ead90af0b92b45ea430": ("Oracle-MNIST", "test labels"),  # +
    "15e8c8ed218c37aafd4c6faa40f93566": ("QMNIST", "test labels, the classes alone"),  # +
}
_LARGEST = 1 << 26  # bytes: more than any content in the tables has
_SHORTEST = 8  # characters; a shorter name says nothing by itself, nor inside a longer one
# what may follow a file's name and leave it that file: "8Xk.gz", " (1).gz", ".gz.1"; not ".gz.md5", ".part", ".npy"
_AFTER = re.compile(r"[^.]*(\.[gx]z)?[^.]*(\.\d+)?")


@dataclass(frozen=True)
class Part:
    """A file in words: `dataset`, and which `part` of it; `spec` and `resource` if it is one of a spec's, or `archive`
    if it is what several specs' files are published in.
    """

    dataset: str
    part: str
    spec: DatasetSpec | None = None
    resource: Resource | None = None
    archive: Archive | None = None

    def __str__(self) -> str:
        if self.archive is not None:
            return f"{self.dataset}, {self.part}"
        return f"{self.dataset}{':' * (', ' in self.dataset)} {self.part}"


@dataclass(frozen=True)
class Recognised:
    """What a file is, and in which `form`: "published", "recompressed" or "decompressed"."""

    part: Part
    form: str

    def __str__(self) -> str:
        return str(self.part) if self.form == "published" else f"{self.part}, {self.form}"


class Digests:
    """The digests of a file of `size` bytes, fed block by block: of the file as it lies there, and of its decompressed
    content.
    """

    def __init__(self, size: int, *, compressed: bool) -> None:
        self.compressed = compressed
        self._md5 = hashlib.md5(usedforsecurity=False)
        self._sha1 = hashlib.sha1(usedforsecurity=False)
        self._sha256 = hashlib.sha256()
        # https://git-scm.com/book/en/v2/Git-Internals-Git-Objects
        self._blob = hashlib.sha1(b"blob %d\0" % size, usedforsecurity=False)
        self._content = (hashlib.md5(usedforsecurity=False), hashlib.sha256()) if compressed else None

    def file(self, block: bytes) -> None:
        """A block of the file."""
        for digest in (self._md5, self._sha1, self._sha256, self._blob):
            digest.update(block)

    def content(self, block: bytes | memoryview) -> None:
        """A block of the content; not needed if the file is not compressed."""
        for digest in self._content or ():
            digest.update(block)

    @property
    def md5(self) -> str:
        """Of the file."""
        return self._md5.hexdigest()

    @property
    def sha1(self) -> str:
        """Of the file."""
        return self._sha1.hexdigest()

    @property
    def blob(self) -> str:
        """The id that git gives to the file."""
        return self._blob.hexdigest()

    @property
    def sha256(self) -> str:
        """Of the file."""
        return self._sha256.hexdigest()

    @property
    def content_md5(self) -> str:
        """Of the content."""
        return self._content[0].hexdigest() if self._content else self.md5

    @property
    def content_sha256(self) -> str:
        """Of the content."""
        return self._content[1].hexdigest() if self._content else self.sha256


class Index:
    """The files of some specs and those of none, by digest."""

    def __init__(self, specs: Iterable[DatasetSpec] = ()) -> None:
        self.parts = tuple(parts(specs))
        self._files: dict[str, Part] = {}
        self._contents: dict[str, Part] = {}
        for table, digests in ((self._files, _FILES), (self._contents, _CONTENTS)):
            table.update({digest: Part(*words) for digest, words in digests.items()})
        for part, resource in self._resources():
            self._files[resource.md5] = part
            for digest in (resource.payload_sha256, resource.payload_md5):
                if digest is not None:
                    self._contents[digest] = part

    def _resources(self) -> Iterator[tuple[Part, Resource]]:
        return ((part, part.resource) for part in self.parts if part.resource is not None)

    @property
    def largest(self) -> int:
        """Bytes of the longest content that can be recognised."""
        return max([_LARGEST, *(resource.payload_size for _, resource in self._resources())])

    def recognise(self, digests: Digests) -> Recognised | None:
        """What a file with these digests is; None if it is not known."""
        part = next(filter(None, map(self._files.get, (digests.md5, digests.sha1, digests.blob))), None)
        if part is not None and (part.resource is None or part.resource.sha256 in (None, digests.sha256)):
            return Recognised(part, "published")
        part = self._contents.get(digests.content_sha256) or self._contents.get(digests.content_md5)
        if part is not None:
            return Recognised(part, "recompressed" if digests.compressed else "decompressed")
        return None

    def learn(self, digests: Digests, part: Part) -> None:
        """Know the content of a published file that was recognised, where its spec does not say what it is."""
        self._contents.setdefault(digests.content_sha256, part)

    def shaped(self, shape: tuple[int, ...], dtype: str) -> list[Part]:
        """The files of the specs that hold such an array."""
        return [part for part, resource in self._resources() if (resource.shape, resource.dtype) == (shape, dtype)]


@dataclass(frozen=True)
class Claim:
    """What a name says: one of `parts`. It is `certain` where the file or its folder names a dataset too; `exact` where
    the file is called as published, or as published and decompressed, and not by a short name that anybody may use.
    """

    parts: tuple[Part, ...] = ()
    certain: bool = False
    exact: bool = False

    def __str__(self) -> str:
        return " or ".join(dict.fromkeys(map(str, self.parts) if self.certain else self._words()))

    def fits(self, part: Part) -> bool:
        """Whether a file that is `part` may bear the name."""
        if not self.parts or (not self.certain and part.part in self._words()):
            return True
        return any(_same(part, claimed) for claimed in self.parts)

    def of_shape(self, shape: tuple[int, ...], dtype: str) -> list[tuple[Part, Resource]]:
        """Those of the files that hold such an array."""
        held = [(part, part.resource) for part in self.parts if part.resource is not None]
        return [(part, resource) for part, resource in held if (resource.shape, resource.dtype) == (shape, dtype)]

    def _words(self) -> list[str]:
        return [part.part for part in self.parts]


class Names:
    """The names of the specs' files, and what they say about a file that is called so."""

    def __init__(self, specs: Iterable[DatasetSpec]) -> None:
        specs = tuple(specs)
        self._stems: dict[str, list[Part]] = {}
        for part in parts(specs):
            if part.resource is not None:
                self._stems.setdefault(_folded(part.resource.stem), []).append(part)
        self._archives: dict[str, list[Part]] = {}
        for part in archives(specs):
            if part.archive is not None:
                self._archives.setdefault(_folded(part.archive.filename), []).append(part)
        self._folders: dict[str, set[str]] = {}
        for spec in specs:
            for name in (spec.name, spec.title, f"{spec.name}-{spec.fingerprint}"):
                self._folders.setdefault(_plain(name), set()).add(spec.name)
        self._folders.pop("", None)  # a title may be empty

    def claim(self, path: Path, within: Path | None = None) -> Claim:
        """What the name of a file says, and that of its folder; if that says nothing, those of the folders between it
        and `within`, the nearest first.
        """
        name = _folded(path.name)
        if name in self._archives:
            return Claim(tuple(self._archives[name]), certain=True, exact=True)
        stem = name.removesuffix(".gz").removesuffix(".xz")
        named = self._stems.get(stem)
        exact = named is not None and len(stem) >= _SHORTEST
        if named is None:  # in a longer one: "... (1)", or the address it came from
            inside = [stem for stem in self._stems if len(stem) >= _SHORTEST and _is_in(stem, name)]
            named = [part for stem in inside if len(stem) == max(map(len, inside)) for part in self._stems[stem]]
        specs = {part.spec.name: part.spec for part in named if part.spec is not None}
        dataset = _dataset_in_name(name, specs.values()) or self._in_folders(path, within, specs.values())
        certain = tuple(part for part in named if part.spec is not None and part.spec.name in dataset)
        return Claim(certain or tuple(named), certain=bool(certain), exact=exact)

    def _in_folders(self, path: Path, within: Path | None, specs: Iterable[DatasetSpec]) -> set[str]:
        """The datasets after which a file's folder is called, or one further out if that says nothing."""
        folders = [_plain(folder) for folder in path.parts[:-1]]
        near = folders[-1:] if folders[-1:] not in (["raw"], ["data"]) else folders[-2:-1]
        if near and near[0] in self._folders:
            return self._folders[near[0]]
        for spec in specs:  # one that is made from another shares its subfolders: the first has them
            usual = [[_plain(part) for part in Path(each).parts] for each in spec.subfolders if "/" in each]
            if any(folders[-len(each) :] == each for each in usual):
                return {spec.name}
        outer = folders[len(within.parts) :] if within is not None else []
        return next((self._folders[each] for each in reversed(outer) if each in self._folders), set())


def _folded(name: str) -> str:
    """A name as it is compared: Kaggle and some mirrors write train-images.idx3-ubyte."""
    return name.lower().replace(".idx", "-idx")


def _is_in(stem: str, name: str) -> bool:
    _, found, after = name.rpartition(stem)
    return bool(found) and _AFTER.fullmatch(after) is not None


def _dataset_in_name(name: str, specs: Iterable[DatasetSpec]) -> set[str]:
    """The dataset with whose name a file's begins; the longest such name."""
    begins = [spec.name for spec in specs if re.match(rf"{re.escape(spec.name)}(?![a-z0-9])", name, re.IGNORECASE)]
    return {max(begins, key=len)} if begins else set()


def _plain(name: str) -> str:
    return re.sub(r"[^a-z0-9]", "", name.lower())


def _same(one: Part, other: Part) -> bool:
    if one.resource is None or other.resource is None:
        return str(one) == str(other)
    return one.resource.md5 == other.resource.md5


def parts(specs: Iterable[DatasetSpec]) -> Iterator[Part]:
    """The files of the specs in words, each once: `Fashion-MNIST`, `train images`."""
    for spec in specs:
        seen: set[Resource] = set()
        for name, split in spec.splits.items():
            for kind, resource in (("images", split.images), ("labels", split.labels)):
                if resource not in seen:
                    seen.add(resource)
                    yield Part(spec.title or spec.name, f"{name} {kind}", spec, resource)


def archives(specs: Iterable[DatasetSpec]) -> Iterator[Part]:
    """The archives that the specs' files are published in, each once: `EMNIST, the archive`."""
    titles: dict[Archive, dict[str, None]] = {}
    for spec in specs:
        for resource in spec.resources:
            if resource.archive is not None:
                titles.setdefault(resource.archive, {})[spec.title or spec.name] = None
    for archive, names in titles.items():
        words = zip(*(name.split() for name in names), strict=False)
        common = [each[0] for each in itertools.takewhile(lambda each: len(set(each)) == 1, words)]
        yield Part(" ".join(common) or " and ".join(names), "the archive", archive=archive)


def what_is(data: bytes, specs: Iterable[DatasetSpec] = ()) -> str | None:
    """What a file's bytes are, by the digests known here and those of `specs`; None if unknown."""
    index = Index(specs)
    digests = Digests(len(data), compressed=is_compressed(data))
    digests.file(data)
    if digests.compressed:
        try:
            header = read_header(peek(data, MAX_HEADER_SIZE))
            digests.content(inflate(data, min(header.payload_size, index.largest)))
        except IdxFormatError:  # known as a whole file, or not at all
            pass
    recognised = index.recognise(digests)
    return None if recognised is None else str(recognised)
