"""Which published file a file claims to be, by its own name and by those of the folders that contain it."""

from __future__ import annotations

import re
from collections.abc import Iterable
from dataclasses import dataclass
from pathlib import Path

from idxhub.catalog.recognise.published_file import PublishedFile, archives_of_specs, files_of_specs
from idxhub.catalog.resource import Resource
from idxhub.catalog.spec import DatasetSpec

_SPECIFIC_LENGTH = 8  # characters; a shorter stem, such as "images", says nothing by itself or inside a longer name
# what may follow a stem: "8Xk.gz", " (1).gz", ".gz.1"; other endings make it a file of another kind: ".gz.md5", ".npy"
_ALLOWED_ENDING = re.compile(r"[^.]*(\.[gx]z)?[^.]*(\.\d+)?")


@dataclass(frozen=True)
class Claim:
    """What a name says: that the file is one of `files`; empty if the name says nothing.

    `names_dataset` is True if the name, or a folder's, says which dataset it is. `is_published_name` is True if the
    file is called as it is published, or as the published file would be called once decompressed, and if that name is
    long enough that nobody would choose it for another file.
    """

    files: tuple[PublishedFile, ...] = ()
    names_dataset: bool = False
    is_published_name: bool = False

    def __str__(self) -> str:
        return " or ".join(dict.fromkeys(map(str, self.files) if self.names_dataset else self._parts()))

    def allows(self, file: PublishedFile) -> bool:
        """Whether `file` may have this name."""
        if not self.files or (not self.names_dataset and file.part in self._parts()):
            return True
        return any(_is_same(file, claimed) for claimed in self.files)

    def files_of_shape(self, shape: tuple[int, ...], dtype: str) -> list[tuple[PublishedFile, Resource]]:
        """Those of the files that contain an array of this shape and type."""
        pairs = [(file, file.resource) for file in self.files if file.resource is not None]
        return [(file, resource) for file, resource in pairs if (resource.shape, resource.dtype) == (shape, dtype)]

    def _parts(self) -> list[str]:
        return [file.part for file in self.files]


class NameIndex:
    """The names of the specs' files, archives and folders."""

    def __init__(self, specs: Iterable[DatasetSpec]) -> None:
        specs = tuple(specs)
        self._files_by_stem: dict[str, list[PublishedFile]] = {}
        for file in files_of_specs(specs):
            if file.resource is not None:
                self._files_by_stem.setdefault(_normalise(file.resource.stem), []).append(file)
        self._archives: dict[str, list[PublishedFile]] = {}
        for file in archives_of_specs(specs):
            if file.archive is not None:
                self._archives.setdefault(_normalise(file.archive.filename), []).append(file)
        self._datasets_by_folder: dict[str, set[str]] = {}
        for spec in specs:
            for name in (spec.name, spec.title, f"{spec.name}-{spec.fingerprint}"):
                self._datasets_by_folder.setdefault(_letters_and_digits(name), set()).add(spec.name)
        self._datasets_by_folder.pop("", None)  # a title may be empty

    def claim(self, path: Path, within: Path | None = None) -> Claim:
        """What the name of a file and that of its folder say.

        If its folder does not name a dataset, the nearest folder between it and `within` that does is used.
        """
        name = _normalise(path.name)
        if name in self._archives:
            return Claim(tuple(self._archives[name]), names_dataset=True, is_published_name=True)
        stem = name.removesuffix(".gz").removesuffix(".xz")
        files = self._files_by_stem.get(stem)
        is_published_name = files is not None and len(stem) >= _SPECIFIC_LENGTH
        if files is None:
            files = self._files_with_stem_inside(name)
        specs = {file.spec.name: file.spec for file in files if file.spec is not None}
        datasets = _dataset_in_filename(name, specs.values()) or self._datasets_in_folders(path, within, specs.values())
        of_datasets = tuple(file for file in files if file.spec is not None and file.spec.name in datasets)
        return Claim(of_datasets or tuple(files), bool(of_datasets), is_published_name)

    def _files_with_stem_inside(self, name: str) -> list[PublishedFile]:
        """The files with the longest stem inside a longer name, such as "... (1).gz", or a URL in which "/" is "_"."""
        stems = [stem for stem in self._files_by_stem if len(stem) >= _SPECIFIC_LENGTH and _contains_stem(name, stem)]
        longest = max(map(len, stems), default=0)
        return [file for stem in stems if len(stem) == longest for file in self._files_by_stem[stem]]

    def _datasets_in_folders(self, path: Path, within: Path | None, specs: Iterable[DatasetSpec]) -> set[str]:
        """The datasets that the file's folder is named after, or else the nearest folder around it, up to `within`."""
        folders = [_letters_and_digits(folder) for folder in path.parts[:-1]]
        nearest = folders[-1:] if folders[-1:] not in (["raw"], ["data"]) else folders[-2:-1]
        if nearest and nearest[0] in self._datasets_by_folder:
            return self._datasets_by_folder[nearest[0]]
        for spec in specs:  # a spec made from another one has the same subfolders: they mean the first
            nested = [Path(each).parts for each in spec.subfolders if "/" in each]
            if any(folders[-len(each) :] == list(map(_letters_and_digits, each)) for each in nested):
                return {spec.name}
        outer = folders[len(within.parts) :] if within is not None else []
        return next(
            (self._datasets_by_folder[each] for each in reversed(outer) if each in self._datasets_by_folder), set()
        )


def _normalise(filename: str) -> str:
    """A file name in the form that is compared. Kaggle and some mirrors write train-images.idx3-ubyte."""
    return filename.lower().replace(".idx", "-idx")


def _letters_and_digits(name: str) -> str:
    """A folder's name in the form that is compared."""
    return re.sub(r"[^a-z0-9]", "", name.lower())


def _contains_stem(name: str, stem: str) -> bool:
    _, found, ending = name.rpartition(stem)
    return bool(found) and _ALLOWED_ENDING.fullmatch(ending) is not None


def _dataset_in_filename(name: str, specs: Iterable[DatasetSpec]) -> set[str]:
    """The dataset whose name is the beginning of a file's name; if there are several, the one with the longest name."""
    names = [spec.name for spec in specs if re.match(rf"{re.escape(spec.name)}(?![a-z0-9])", name, re.IGNORECASE)]
    return {max(names, key=len)} if names else set()


def _is_same(one: PublishedFile, other: PublishedFile) -> bool:
    if one.resource is None or other.resource is None:
        return str(one) == str(other)
    return one.resource.md5 == other.resource.md5
