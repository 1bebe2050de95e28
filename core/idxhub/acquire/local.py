"""Listing the files on this machine that may be a dataset's: in the caller's folder, the cache, and known folders."""

from __future__ import annotations

import contextlib
import io
import os
import re
from collections.abc import Iterable, Iterator
from contextlib import AbstractContextManager
from dataclasses import dataclass, field
from pathlib import Path

from idxhub.acquire.mirrors import mirror_folders, parse_mirrors
from idxhub.cache.store import Cache
from idxhub.catalog.resource import Resource
from idxhub.catalog.spec import DatasetSpec
from idxhub.errors import DownloadError, Failure
from idxhub.formats.compression import Readable
from idxhub.paths import absolute_path, describe_os_error, format_member, open_regular_file

_MAX_LISTED_FILES = 10_000  # in one folder; further files are found by their name alone, and not by their size


@dataclass(frozen=True)
class LocalCopy:
    """A file on this machine that may be a resource, or an archive that may contain the resource as `member`."""

    path: Path
    member: str | None = None

    @property
    def source(self) -> str:
        """The path, with the member if there is one, for a message."""
        return format_member(str(self.path), self.member)

    def read(self, resource: Resource) -> bytes:
        """Read the bytes. Raises `OSError` if there are more than `copy_size_limit`, or if the archive is damaged."""
        limit = copy_size_limit(resource)
        if self.member is None:
            return _read_file(self.path, limit)
        from idxhub.formats.zip_member import read_member  # noqa: PLC0415 -- few datasets are archives

        return read_member(self.path, self.member, limit)

    def open(self, resource: Resource) -> AbstractContextManager[Readable]:
        """Open the copy for reading block by block. Opening and reading raise `OSError` as `read` does."""
        limit = copy_size_limit(resource)
        if self.member is None:
            return _open_file(self.path, limit)
        from idxhub.formats.zip_member import open_member  # noqa: PLC0415 -- few datasets are archives

        return open_member(self.path, self.member, limit)


@dataclass(frozen=True)
class SearchSettings:
    """Where to search, in addition to the cache and the places of the spec: what the caller and the environment say.

    If `download` is false, `offline_reason` says why nothing is downloaded.
    """

    data_dir: Path | None = None
    mirrors: tuple[str, ...] = field(default=(), repr=False)  # a mirror may contain a password
    download: bool = True
    offline_reason: str = "downloading is off"

    @classmethod
    def from_environment(cls, data_dir: str | os.PathLike[str] | None = None, download: bool = True) -> SearchSettings:
        """The settings from the arguments and from IDXHUB_MIRRORS and IDXHUB_OFFLINE.

        Raises `DownloadError` if `data_dir` is not a folder, and `ArgumentError` as `parse_mirrors` does.
        """
        folder = None if data_dir is None else Path(absolute_path(data_dir))
        if folder is not None and not os.path.isdir(folder):
            state = "is not a folder" if os.path.exists(folder) else "does not exist"
            raise DownloadError(
                f"data_dir={str(data_dir)!r} {state}; name the folder that has the files, or leave it out to "
                "search the usual folders, and to download"
            )
        offline = is_offline()
        return cls(
            folder,
            parse_mirrors(os.environ.get("IDXHUB_MIRRORS", "")),
            download and not offline,
            "IDXHUB_OFFLINE is set" if offline else "download=False",
        )


def is_offline() -> bool:
    """Whether IDXHUB_OFFLINE forbids downloads."""
    return os.environ.get("IDXHUB_OFFLINE", "").strip().lower() not in ("", "0", "false", "no", "off")


def list_local_copies(
    spec: DatasetSpec, resource: Resource, cache: Cache, settings: SearchSettings
) -> Iterator[LocalCopy]:
    """The files on this machine that may be the resource, in the order in which they are tried.

    In each folder, files with a suitable name come before those that only have the right size.
    """
    for folder in _named_folders(spec, settings):
        yield from _copies_in(folder, resource)
    cached = LocalCopy(cache.file(resource.published), resource.member)
    if os.path.isfile(cached.path):
        yield cached
    for folder in known_folders(spec, settings):
        yield from _copies_in(folder, resource)


def list_missing(spec: DatasetSpec, resource: Resource, settings: SearchSettings) -> Iterator[Failure]:
    """The folders that have no file that may be the resource, each with the reason."""
    named = _named_folders(spec, settings)
    if named and settings.data_dir is not None and not any(_copies_in(folder, resource) for folder in named):
        yield Failure(str(settings.data_dir), _why_missing(settings.data_dir))
    for folder in known_folders(spec, settings):
        if not _copies_in(folder, resource):
            yield Failure(str(folder), _why_missing(folder))


def _why_missing(folder: Path) -> str:
    try:
        os.scandir(folder).close()
    except FileNotFoundError:
        return "no such folder"
    except OSError as error:
        return f"cannot be listed: {describe_os_error(error)}"
    return "has no such file"


def _named_folders(spec: DatasetSpec, settings: SearchSettings) -> list[Path]:
    return [] if settings.data_dir is None else [settings.data_dir / subfolder for subfolder in spec.subfolders]


def known_folders(spec: DatasetSpec, settings: SearchSettings) -> list[Path]:
    """The folders that are searched after the cache: those of other programs, then mirrors that are folders."""
    folders = [folder for folder in map(_expand_folder, spec.folders) if folder is not None]
    for folder in mirror_folders(spec, settings.mirrors):
        folders += [folder, folder / spec.name]
    return folders


def _expand_folder(folder: str) -> Path | None:
    """The path of a spec's folder, with environment variables expanded; None if one of them is not set."""
    literal = Path(absolute_path(folder))
    if os.path.isabs(folder) and os.path.isdir(literal):  # a folder whose name contains a dollar sign
        return literal
    expanded = os.path.expandvars(folder)
    return None if re.search(r"\$(\w+|\{[^}]*\})", expanded) else Path(absolute_path(expanded))


def _copies_in(folder: Path, resource: Resource) -> list[LocalCopy]:
    # Kaggle and some mirrors write train-images.idx3-ubyte
    stems = (resource.stem, resource.stem.replace("-idx", ".idx"))
    names = [resource.filename, *(s + e for s in stems for e in ("", ".gz", ".xz"))]
    copies = [LocalCopy(path) for path in _find_files(folder, names, {resource.size, resource.payload_size})]
    archive = resource.archive
    if archive is not None:
        paths = _find_files(folder, [archive.filename], {archive.size})
        copies += [LocalCopy(path, resource.member) for path in paths]
    return copies


def _find_files(folder: Path, names: Iterable[str], sizes: set[int | None]) -> list[Path]:
    """The files in a folder that have one of the names, in the order of the names; then those with one of the sizes."""
    present = {}
    # in a folder that cannot be listed, files may still be readable
    with contextlib.suppress(OSError), os.scandir(folder) as entries:
        for _, entry in zip(range(_MAX_LISTED_FILES), entries, strict=False):
            with contextlib.suppress(OSError):  # a link to itself, or a file that was removed in the meantime
                if entry.is_file():
                    present[entry.name] = entry.stat().st_size
    by_name = [name for name in dict.fromkeys(names) if name in present or os.path.isfile(folder / name)]
    by_size = sorted(n for n, size in present.items() if size in sizes and n not in by_name)
    return [folder / name for name in by_name + by_size]


def _read_file(path: Path, limit: int) -> bytes:
    with _open_file(path, limit) as file:
        # read(n) allocates n bytes, however short the file is
        return file.read(os.fstat(file.fileno()).st_size)


def _open_file(path: Path, limit: int) -> io.BufferedReader:
    file = open_regular_file(path)
    if os.fstat(file.fileno()).st_size > limit:
        file.close()
        raise OSError(None, f"it is larger than {limit:,} bytes, so it is not this file")
    return file


def copy_size_limit(resource: Resource) -> int:
    """The largest size of a copy of a resource, on this machine or at a mirror.

    A badly compressed copy may be larger than its content, but no program makes it twice as large.
    """
    return 2 * resource.payload_size + 65_536


def file_identity(path: Path) -> tuple[int, ...] | None:
    """A value that changes when another file replaces this one; None if there is no file."""
    try:
        state = os.stat(path)
    except OSError:
        return None
    return state.st_ino, state.st_mtime_ns, state.st_size
