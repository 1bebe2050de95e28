"""The folders to audit, and the files in them."""

from __future__ import annotations

import os
from collections.abc import Iterable, Iterator
from pathlib import Path
from typing import NamedTuple

from idxhub.acquire.local import SearchSettings, known_folders
from idxhub.catalog.spec import DatasetSpec
from idxhub.paths import absolute_path, describe_os_error

# where other libraries keep their downloads, besides the folders that the specs name
_DOWNLOAD_FOLDERS = (
    "$MXNET_HOME/datasets",
    "~/.mxnet/datasets",
    "$TFDS_DATA_DIR/downloads",
    "~/tensorflow_datasets/downloads",
    "~/.cache/paddle/dataset",
    "$CHAINER_DATASET_ROOT/.",
    "~/.chainer/dataset",
)
_ROOTS = (".", "data", "~/data")  # folders in which the specs' subfolders are looked for


def usual_folders(specs: Iterable[DatasetSpec], cache: Path) -> list[Path]:
    """Where copies may be: folders of other libraries and of Linux distributions, folders set as mirrors, the cache."""
    settings = SearchSettings.from_environment()
    found: list[Path] = []
    for spec in specs:
        found += known_folders(spec, settings)
        found += [_absolute(root) / each for root in _ROOTS for each in spec.subfolders if "/" in each]
    found += [_absolute(folder) for folder in map(os.path.expandvars, _DOWNLOAD_FOLDERS) if "$" not in folder]
    installed = Path(__file__).parents[1]  # the sample in it is not a copy
    return [folder for folder in dict.fromkeys([*found, cache]) if not folder.is_relative_to(installed)]


def may_exist(path: Path) -> bool:
    """Whether a path exists, or cannot be checked, for example because a folder above it may not be entered."""
    try:
        os.lstat(path)
    except (FileNotFoundError, NotADirectoryError):
        return False
    except OSError:
        return True
    return True


def path_key(path: Path) -> tuple[str, str]:
    """The same value for every spelling of a path: its folder without symbolic links, and its name."""
    return os.path.realpath(path.parent), path.name


class FoundPath(NamedTuple):
    """A file, with the path below which it was found as `root`; or, with an `error`, a path that cannot be opened."""

    path: Path
    root: Path
    error: str = ""


def find_files(paths: Iterable[Path]) -> Iterator[FoundPath]:
    """The files at the paths and below them, each once, and the folders that cannot be listed.

    A link to a folder is followed if it is one of the paths, and not if it is below one.
    """
    walk = _Walk()
    for path in paths:
        yield from walk.folder(path) if os.path.isdir(path) else walk.file(path)


class _Walk:
    """What was found so far. A file below a folder is not remembered, because there may be millions of them."""

    def __init__(self) -> None:
        self._listed: set[str] = set()  # real paths of folders
        self._not_listed: set[str] = set()
        self._files: set[tuple[str, str]] = set()

    def file(self, path: Path) -> Iterator[FoundPath]:
        key = path_key(path)
        if key[0] in self._listed or key in self._files or not may_exist(path):
            return
        self._files.add(key)
        try:
            os.lstat(path)
        except OSError as error:
            yield FoundPath(path, path.parent, describe_os_error(error))
        else:
            yield FoundPath(path, path.parent)

    def folder(self, root: Path) -> Iterator[FoundPath]:
        waiting = [(str(root), os.path.realpath(root))]  # a stack: folders can be nested deeper than Python can recurse
        while waiting:
            folder, real = waiting.pop()
            if real in self._listed or real in self._not_listed:
                continue
            try:
                subfolders, files = _list_folder(folder)
            except OSError as error:
                self._not_listed.add(real)
                yield FoundPath(Path(folder), root, describe_os_error(error))
                continue
            self._listed.add(real)
            yield from (FoundPath(Path(folder, name), root) for name in files if (real, name) not in self._files)
            # the subfolders are not links, so their real paths are known: finding them takes longer the deeper they are
            waiting += [(os.path.join(folder, name), os.path.join(real, name)) for name in reversed(subfolders)]


def _list_folder(folder: str) -> tuple[list[str], list[str]]:
    """The names of a folder's subfolders, and those of its files, sorted; links to folders are left out."""
    subfolders, files = [], []
    with os.scandir(folder) as entries:
        for entry in entries:
            try:
                is_folder = entry.is_dir()
            except OSError:  # a symbolic link that leads to itself
                is_folder = False
            if not is_folder:
                files.append(entry.name)
            elif not entry.is_symlink():
                subfolders.append(entry.name)
    return sorted(subfolders), sorted(files)


def _absolute(folder: str) -> Path:
    return Path(absolute_path(folder))
