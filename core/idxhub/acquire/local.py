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
from idxhub.paths import absolute_path, open_regular_file

_MOST_FILES = 10_000  # looked at by size in one folder; by name always


@dataclass(frozen=True)
class Copy:
    """A file on this machine that may be a resource, or an archive that may have it as a member."""

    path: Path
    member: str | None = None

    @property
    def source(self) -> str:
        """Where it is, in one line."""
        return inside(str(self.path), self.member)

    def read(self, resource: Resource) -> bytes:
        """Its bytes; `OSError` if they are far more than the resource can have, or the archive is not sound."""
        if self.member is None:
            return read(self.path, resource)
        from idxhub.formats.zip_member import read_member  # noqa: PLC0415 -- few datasets are in archives

        return read_member(self.path, self.member, _most(resource))


@dataclass(frozen=True)
class Places:
    """Where to look, besides the cache: what the caller and the environment said."""

    data_dir: Path | None = None
    mirrors: tuple[str, ...] = ()
    download: bool = True
    why_not: str = "downloading is off"

    @classmethod
    def from_environment(cls, data_dir: str | os.PathLike[str] | None = None, download: bool = True) -> Places:
        """With IDXHUB_MIRRORS (comma-separated) and IDXHUB_OFFLINE. Raises `DownloadError` for a `data_dir`
        that is not a folder.
        """
        folder = None if data_dir is None else Path(absolute_path(data_dir))
        if folder is not None and not os.path.isdir(folder):
            state = "is not a folder" if os.path.exists(folder) else "does not exist"
            raise DownloadError(
                f"data_dir={str(data_dir)!r} {state}; name the folder that has the files, or leave it out to "
                "search the usual places, and to download"
            )
        offline = os.environ.get("IDXHUB_OFFLINE", "").strip().lower() not in ("", "0", "false", "no", "off")
        return cls(
            folder,
            parse_mirrors(os.environ.get("IDXHUB_MIRRORS", "")),
            download and not offline,
            "IDXHUB_OFFLINE is set" if offline else "download=False",
        )


def local_copies(spec: DatasetSpec, resource: Resource, cache: Cache, places: Places) -> Iterator[Copy]:
    """What on this machine may be the resource, best first: by name, then by size."""
    for folder in _named_folders(spec, places):
        yield from _copies(folder, resource)
    kept = Copy(cache.file(resource.published), resource.member)
    if os.path.isfile(kept.path):
        yield kept
    for folder in known_folders(spec, places):
        yield from _copies(folder, resource)


def without_it(spec: DatasetSpec, resource: Resource, places: Places) -> Iterator[Failure]:
    """The folders looked in that have no file that may be the resource."""
    named = _named_folders(spec, places)
    if named and places.data_dir is not None and not any(_copies(folder, resource) for folder in named):
        yield Failure(str(places.data_dir), _lack(places.data_dir))
    for folder in known_folders(spec, places):
        if not _copies(folder, resource):
            yield Failure(str(folder), _lack(folder))


def _lack(folder: Path) -> str:
    """Why nothing was found in a folder."""
    try:
        os.scandir(folder).close()
    except FileNotFoundError:
        return "no such folder"
    except OSError as error:
        return f"cannot be listed: {error.strerror or error}"
    return "has no such file"


def _named_folders(spec: DatasetSpec, places: Places) -> list[Path]:
    return [] if places.data_dir is None else [places.data_dir / subfolder for subfolder in spec.subfolders]


def known_folders(spec: DatasetSpec, places: Places) -> list[Path]:
    """The folders looked in after the cache: other programs' and those among the mirrors."""
    folders = [folder for folder in map(_expanded, spec.folders) if folder is not None]
    for mirror in (*places.mirrors, *spec.mirrors):
        if not is_http_url(mirror) and not is_malformed(mirror):
            base = _folder(mirror.replace("{dataset}", spec.name))
            folders += [base, base / spec.name]
    return folders


def _expanded(folder: str) -> Path | None:
    """A spec's folder; None if it names a variable that is not set."""
    literal = Path(absolute_path(folder))
    if os.path.isabs(folder) and os.path.isdir(literal):  # its name has a dollar sign of its own
        return literal
    expanded = os.path.expandvars(folder)
    return None if re.search(r"\$(\w+|\{[^}]*\})", expanded) else Path(absolute_path(expanded))


def _folder(mirror: str) -> Path:
    if mirror.startswith("file:"):
        from urllib.request import url2pathname  # noqa: PLC0415 -- it brings an HTTP client

        mirror = url2pathname(urlsplit(mirror).path)
    return Path(absolute_path(mirror))


def _copies(folder: Path, resource: Resource) -> list[Copy]:
    # Kaggle and some mirrors write train-images.idx3-ubyte
    stems = (resource.stem, resource.stem.replace("-idx", ".idx"))
    names = [resource.filename, *(s + e for s in stems for e in ("", ".gz", ".xz"))]
    copies = [Copy(path) for path in _candidates(folder, names, {resource.size, resource.payload_size})]
    archive = resource.archive
    if archive is not None:
        copies += [Copy(path, resource.member) for path in _candidates(folder, [archive.filename], {archive.size})]
    return copies


def _candidates(folder: Path, names: Iterable[str], sizes: set[int | None]) -> list[Path]:
    present = {}
    # of a folder that cannot be listed, files may be read all the same
    with contextlib.suppress(OSError), os.scandir(folder) as entries:
        for _, entry in zip(range(_MOST_FILES), entries, strict=False):
            with contextlib.suppress(OSError):  # a link in a circle, or a file that went away meanwhile
                if entry.is_file():
                    present[entry.name] = entry.stat().st_size
    by_name = [name for name in dict.fromkeys(names) if name in present or os.path.isfile(folder / name)]
    by_size = sorted(n for n, size in present.items() if size in sizes and n not in by_name)
    return [folder / name for name in by_name + by_size]


def read(path: Path, resource: Resource) -> bytes:
    """A local file's bytes; `OSError` if they are far more than the resource can have."""
    most = _most(resource)
    with open_regular_file(path) as file:
        size = os.fstat(file.fileno()).st_size  # reading allocates what it is asked for, not what is there
        data = file.read(min(size, most) + 1)
    if len(data) > most:
        raise OSError(None, f"more than {most:,} bytes: not this file")
    return data


def _most(resource: Resource) -> int:
    return 2 * resource.payload_size + 65_536  # recompressed badly, it may be larger than decompressed


def inside(where: str, member: str | None) -> str:
    """A file, or its member, in one line."""
    return where if member is None else f"{where}#{member}"
