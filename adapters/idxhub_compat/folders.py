"""The folder that a program gives to a loader: it is searched first, and must not hold another dataset."""

from __future__ import annotations

import gzip
import hashlib
import os
import zlib
from collections.abc import Iterable

from idxhub import DatasetSpec, Plugins, errors

_LARGEST_LABELS = 1 << 24  # bytes of a file of labels; more is read of none


def find_folder(path: str | os.PathLike[str] | None) -> str | None:
    """The folder at `path`, with `~` expanded, for `data_dir`; None if there is none, because loaders create theirs.

    An empty path is the working directory, as where other loaders join it with the name of a file.
    """
    if path is None:
        return None
    folder = os.path.expanduser(os.fspath(path)) or os.curdir
    return folder if os.path.isdir(folder) else None


def refuse_other_dataset(folder: str | None, name: str) -> None:
    """Raise `ChecksumError` if the files of labels in a folder are those of another dataset.

    Datasets in MNIST's layout have files of the same names, so that a loader that does not verify them takes one for
    the other.
    """
    if folder is None:
        return
    catalog = Plugins([]).datasets()
    wanted = catalog[name]
    others = _label_digests(spec for spec in catalog.values() if spec.name != name)
    for labels in dict.fromkeys(split.labels for split in wanted.splits.values()):
        for filename in (labels.filename, labels.stem):
            path = os.path.join(folder, filename)
            other = next(filter(None, map(others.get, _digests(path))), None)
            if other is not None:
                raise errors.ChecksumError(
                    f"{path} is a file of {other.title}: this folder does not hold {wanted.title}. Name another "
                    f"folder, or, for {other.title}, write idxhub.load({other.name!r}, data_dir={folder!r})"
                )


def _label_digests(specs: Iterable[DatasetSpec]) -> dict[str, DatasetSpec]:
    return {
        digest: spec
        for spec in specs
        for split in spec.splits.values()
        for digest in (split.labels.md5, split.labels.payload_md5, split.labels.payload_sha256)
        if digest is not None
    }


def _digests(path: str) -> list[str]:
    """The digests of a small file, and of what it contains if it is compressed; none if it cannot be read."""
    try:
        with open(path, "rb") as file:
            data = file.read(_LARGEST_LABELS)
        contents = [data]
        if path.endswith(".gz"):
            with gzip.open(path) as unpacked:
                contents.append(unpacked.read(_LARGEST_LABELS))
    except (OSError, EOFError, zlib.error):  # loading says what is wrong with the file, or finds another copy
        return []
    algorithms = (lambda each: hashlib.md5(each, usedforsecurity=False), hashlib.sha256)
    return [algorithm(content).hexdigest() for content in contents for algorithm in algorithms]
