"""What on this machine may be a dataset's file: folders that are named or known, and mirrors that are folders."""

from __future__ import annotations

import contextlib
import os
import re
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from pathlib import Path
from urllib.parse import urlsplit

from idxhub.acquire.mirrors import is_http_url, is_malformed, parse_mirrors
from idxhub.cache.store import Cache
from idxhub.catalog.spec import DatasetSpec, Resource
from idxhub.errors import DownloadError, Failure
from idxhub.paths import absolute_path, format_member, open_regular_file

_MAX_LISTED_FILES = 10_000  # looked at by size in one folder; by name always


@dataclass(frozen=True)
class LocalCopy:
    """A file on this machine that may be a resource, or an archive that may have it as a member."""

    path: Path
    member: str | None = None

    @property
    def source(self) -> str:
        """Where it is, in one line."""
        return format_member(str(self.path), self.member)

    def read(self, resource: Resource) -> bytes:
        """Its bytes; `OSError` if they are far more than the resource can have, or the archive is not sound."""
        if self.member is None:
            return read_local_file(self.path, resource)
        from idxhub.formats.zip_member import read_member  # noqa: PLC0415 -- few datasets are in archives

        return read_member(self.path, self.member, copy_size_limit(resource))


@dataclass(frozen=True)
class SearchSettings:
    """Where to look, besides the cache: what the caller and the environment said."""

    data_dir: Path | None = None
    mirrors: tuple[str, ...] = ()
    download: bool = True
    offline_reason: str = "downloading is off"

    @classmethod
    def from_environment(cls, data_dir: str | os.PathLike[str] | None = None, download: bool = True) -> SearchSettings:
        """With IDXHUB_MIRRORS (comma-separated) and IDXHUB_OFFLINE. Raises `DownloadError` for a `data_dir`
        that is not a folder.
        """
        folder = None if data_dir is None else Path(absolute_path(data_dir))
        if folder is not None and not os.path.isdir(folder):
            state = "is not a folder" if os.path.exists(folder) else "does not exist"
            raise DownloadError(
                f"data_dir={str(data_dir)!r} {state}; name the folder that has the files, or leave it out to "
                "search the usual settings, and to download"
            )
        offline = os.environ.get("IDXHUB_OFFLINE", "").strip().lower() not in ("", "0", "false", "no", "off")
        return cls(
            folder,
            parse_mirrors(os.environ.get("IDXHUB_MIRRORS", "")),
            download and not offline,
            "IDXHUB_OFFLINE is set" if offline else "download=False",
        )


def list_local_copies(
    spec: DatasetSpec, resource: Resource, cache: Cache, settings: SearchSettings
) -> Iterator[LocalCopy]:
    """What on this machine may be the resource, best first: by name, then by size."""
    for folder in _named_folders(spec, settings):
        yield from _copies_in(folder, resource)
    kept = LocalCopy(cache.file(resource.published), resource.member)
    if os.path.isfile(kept.path):
        yield kept
    for folder in known_folders(spec, settings):
        yield from _copies_in(folder, resource)


def list_missing(spec: DatasetSpec, resource: Resource, settings: SearchSettings) -> Iterator[Failure]:
    """The folders looked in that have no file that may be the resource."""
    named = _named_folders(spec, settings)
    if named and settings.data_dir is not None and not any(_copies_in(folder, resource) for folder in named):
        yield Failure(str(settings.data_dir), _why_missing(settings.data_dir))
    for folder in known_folders(spec, settings):
        if not _copies_in(folder, resource):
            yield Failure(str(folder), _why_missing(folder))


def _why_missing(folder: Path) -> str:
    """Why nothing was found in a folder."""
    try:
        os.scandir(folder).close()
    except FileNotFoundError:
        return "no such folder"
    except OSError as error:
        return f"cannot be listed: {error.strerror or error}"
    return "has no such file"


def _named_folders(spec: DatasetSpec, settings: SearchSettings) -> list[Path]:
    return [] if settings.data_dir is None else [settings.data_dir / subfolder for subfolder in spec.subfolders]


def known_folders(spec: DatasetSpec, settings: SearchSettings) -> list[Path]:
    """The folders looked in after the cache: other programs' and those among the mirrors."""
    folders = [folder for folder in map(_expand_folder, spec.folders) if folder is not None]
    for mirror in (*settings.mirrors, *spec.mirrors):
        if not is_http_url(mirror) and not is_malformed(mirror):
            base = _mirror_folder(mirror.replace("{dataset}", spec.name))
            folders += [base, base / spec.name]
    return folders


def _expand_folder(folder: str) -> Path | None:
    """A spec's folder; None if it names a variable that is not set."""
    literal = Path(absolute_path(folder))
    if os.path.isabs(folder) and os.path.isdir(literal):  # its name has a dollar sign of its own
        return literal
    expanded = os.path.expandvars(folder)
    return None if re.search(r"\$(\w+|\{[^}]*\})", expanded) else Path(absolute_path(expanded))


def _mirror_folder(mirror: str) -> Path:
    if mirror.startswith("file:"):
        from urllib.request import url2pathname  # noqa: PLC0415 -- it brings an HTTP client

        mirror = url2pathname(urlsplit(mirror).path)
    return Path(absolute_path(mirror))


def _copies_in(folder: Path, resource: Resource) -> list[LocalCopy]:
    # Kaggle and some mirrors write train-images.idx3-ubyte
    stems = (resource.stem, resource.stem.replace("-idx", ".idx"))
    names = [resource.filename, *(s + e for s in stems for e in ("", ".gz", ".xz"))]
    copies = [LocalCopy(path) for path in _list_candidates(folder, names, {resource.size, resource.payload_size})]
    archive = resource.archive
    if archive is not None:
        copies += [
            LocalCopy(path, resource.member) for path in _list_candidates(folder, [archive.filename], {archive.size})
        ]
    return copies


def _list_candidates(folder: Path, names: Iterable[str], sizes: set[int | None]) -> list[Path]:
    present = {}
    # of a folder that cannot be listed, files may be read all the same
    with contextlib.suppress(OSError), os.scandir(folder) as entries:
        for _, entry in zip(range(_MAX_LISTED_FILES), entries, strict=False):
            with contextlib.suppress(OSError):  # a link in a circle, or a file that went away meanwhile
                if entry.is_file():
                    present[entry.name] = entry.stat().st_size
    by_name = [name for name in dict.fromkeys(names) if name in present or os.path.isfile(folder / name)]
    by_size = sorted(n for n, size in present.items() if size in sizes and n not in by_name)
    return [folder / name for name in by_name + by_size]


def read_local_file(path: Path, resource: Resource) -> bytes:
    """A local file's bytes; `OSError` if they are far more than the resource can have."""
    limit = copy_size_limit(resource)
    with open_regular_file(path) as file:
        size = os.fstat(file.fileno()).st_size  # reading allocates what it is asked for, not what is there
        data = file.read(min(size, limit) + 1)
    if len(data) > limit:
        raise OSError(None, f"more than {limit:,} bytes: not this file")
    return data


def copy_size_limit(resource: Resource) -> int:
    """The most bytes that are read of a copy of a file: compressed badly, it may be larger than its content."""
    return 2 * resource.payload_size + 65_536
