"""A resource to its verified bytes: the folder the caller named, the cache, known folders, the mirrors.

A file is accepted by digest alone, never by name, and what was hashed is what is returned: there is no second
read between check and use.
"""

from __future__ import annotations

import hashlib
import os
import re
import threading
from collections.abc import Callable, Iterable, Iterator
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from pathlib import Path
from typing import Literal
from urllib.parse import urlsplit

from idxhub.cache import Cache
from idxhub.catalog import DatasetSpec, Resource
from idxhub.errors import ChecksumError, DownloadError, Failure, IdxFormatError
from idxhub.idx import MAX_HEADER_SIZE, read_header
from idxhub.inflate import inflate, is_compressed, peek
from idxhub.known import what_is
from idxhub.storage import open_regular

Form = Literal["published", "recompressed", "decompressed"]
_MOST_FILES = 10_000  # looked at by size in one folder; by name always


@dataclass(frozen=True)
class Verified:
    """The decompressed content of a resource, checked.

    `source` is the path or URL it came from; `form` tells the file as published from a copy that was
    recompressed or decompressed on its way.
    """

    payload: bytes | memoryview
    source: str
    form: Form
    payload_sha256: str


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
        folder = None if data_dir is None else _absolute(data_dir)
        if folder is not None and not os.path.isdir(folder):
            state = "is not a folder" if os.path.exists(folder) else "does not exist"
            raise DownloadError(f"data_dir={str(data_dir)!r} {state}")
        offline = os.environ.get("IDXHUB_OFFLINE", "").strip().lower() not in ("", "0", "false", "no", "off")
        mirrors = os.environ.get("IDXHUB_MIRRORS", "").split(",")
        return cls(
            folder,
            tuple(mirror.strip() for mirror in mirrors if mirror.strip()),
            download and not offline,
            "IDXHUB_OFFLINE is set" if offline else "download=False",
        )


def verify(resource: Resource, data: bytes, source: str, specs: Iterable[DatasetSpec] = ()) -> Verified:
    """Check a file's bytes against its digests; raises `ChecksumError` if they are anything else.

    `specs` are the datasets that a wrong file may belong to instead.
    """
    plausible = resource.size in (None, len(data))
    payload: bytes | memoryview | None = None
    with ThreadPoolExecutor(1) as other:  # hashlib and zlib let go of the GIL
        published = other.submit(_is_published, resource, data) if plausible else None
        try:
            payload = inflate(data, resource.payload_size)
        except IdxFormatError as error:
            if published is not None and published.result():
                raise IdxFormatError(f"{source}: the digest is right, but {error}") from error
    if payload is not None:
        if published is not None and published.result():
            known = resource.payload_sha256 or hashlib.sha256(payload).hexdigest()
            return Verified(payload, source, "published", known)
        payload_sha256 = hashlib.sha256(payload).hexdigest()
        if payload_sha256 == resource.payload_sha256:
            form: Form = "recompressed" if is_compressed(data) else "decompressed"
            return Verified(payload, source, form, payload_sha256)
    raise ChecksumError(
        f"{resource.filename} is not the published file",
        [Failure(source, _diagnose(resource, data, specs))],
    )


def find(
    spec: DatasetSpec,
    resource: Resource,
    cache: Cache,
    places: Places,
    *,
    specs: Iterable[DatasetSpec] = (),
    alive: Callable[[], None] = lambda: None,
    stop: threading.Event | None = None,
) -> Verified:
    """The verified bytes of a resource from the first place that has them.

    A downloaded file is kept in the cache. `specs` help to name a wrong file; `alive` is called as bytes arrive, and
    `stop` ends a download when it is set.
    Raises `ChecksumError` if all that was found locally is wrong and no mirror helped, `DownloadError` if
    nothing was found at all; both list every place tried.
    """
    failures: list[Failure] = []
    for path in local_files(spec, resource, cache, places):
        try:
            return verify(resource, read(path, resource), str(path), specs)
        except (OSError, ChecksumError) as error:
            failures += _failures(str(path), error)
    wrong_ones = bool(failures)
    failures += _without_it(spec, resource, places)
    urls = [_url(mirror, spec, resource) for mirror in (*places.mirrors, *spec.mirrors) if _is_url(mirror)]
    if not places.download:
        failures += [Failure(without_password(url), f"not tried: {places.why_not}") for url in urls]
    elif urls:
        from idxhub.download import Downloads  # noqa: PLC0415 -- it brings requests: a cache miss only

        with Downloads(resource, alive, stop=stop) as downloads:
            for url in urls:
                shown = without_password(url)
                try:
                    data = downloads.get(url)
                    verified = verify(resource, data, shown, specs)
                except (DownloadError, ChecksumError) as error:
                    failures += _failures(shown, error)
                    continue
                if verified.form == "published":
                    cache.keep(resource, data)
                return verified
    if wrong_ones:
        raise ChecksumError(f"{resource.filename} of {spec.name}: no sound copy found", failures)
    raise DownloadError(
        f"{resource.filename} of {spec.name} was not found; name a folder that has it (data_dir=), or a mirror "
        "that can be reached (IDXHUB_MIRRORS)",
        failures or [Failure("(nowhere)", "the spec names no folder and no mirror")],
    )


def _failures(where: str, error: OSError | ChecksumError) -> tuple[Failure, ...]:
    if isinstance(error, ChecksumError):
        return error.failures
    if isinstance(error, DownloadError):
        return (Failure(where, error.message),)
    return (Failure(where, error.strerror or str(error)),)


def _diagnose(resource: Resource, data: bytes, specs: Iterable[DatasetSpec]) -> str:
    """In words, what is wrong with a file."""
    if not data:
        return "is empty"
    known = what_is(data, specs)
    if known is not None:
        return f"is another file: this is {known}"
    md5 = f"MD5 {_md5(data)}, expected {resource.md5}"
    try:
        header = read_header(peek(data, MAX_HEADER_SIZE))
        if header.shape != resource.shape or header.dtype.name != resource.dtype:
            return (
                f"holds {header.dtype.name} of shape {header.shape}, "
                f"expected {resource.dtype} of shape {resource.shape}; {md5}"
            )
        content = inflate(data, resource.payload_size)
    except IdxFormatError as error:
        return f"{error}; {md5}"
    if len(content) != resource.payload_size:
        return f"cut short: holds {len(content):,} of {resource.payload_size:,} bytes; {md5}"
    return f"has the right shape and other content; {md5}"


def local_files(spec: DatasetSpec, resource: Resource, cache: Cache, places: Places) -> Iterator[Path]:
    """The files on this machine that may be the resource, best first: by name, then by size."""
    if places.data_dir is not None:
        for subfolder in spec.subfolders:
            yield from _candidates(places.data_dir / subfolder, resource)
    if os.path.isfile(cache.file(resource)):
        yield cache.file(resource)
    for folder in known_folders(spec, places):
        yield from _candidates(folder, resource)


def _without_it(spec: DatasetSpec, resource: Resource, places: Places) -> Iterator[Failure]:
    """The folders looked in that have no file that may be the resource."""
    named = [] if places.data_dir is None else [places.data_dir / subfolder for subfolder in spec.subfolders]
    if named and not any(_candidates(folder, resource) for folder in named):
        yield Failure(str(places.data_dir), "has no such file")
    for folder in known_folders(spec, places):
        if not _candidates(folder, resource):
            yield Failure(str(folder), "has no such file" if os.path.isdir(folder) else "no such folder")


def known_folders(spec: DatasetSpec, places: Places) -> list[Path]:
    """The folders looked in after the cache: other programs' and those among the mirrors."""
    folders = [folder for folder in map(_expanded, spec.folders) if folder is not None]
    for mirror in (*places.mirrors, *spec.mirrors):
        if not _is_url(mirror):
            base = _folder(mirror.replace("{dataset}", spec.name))
            folders += [base, base / spec.name]
    return folders


def _expanded(folder: str) -> Path | None:
    """A spec's folder; None if it names a variable that is not set."""
    literal = _absolute(folder)
    if os.path.isabs(folder) and os.path.isdir(literal):  # its name has a dollar sign of its own
        return literal
    expanded = os.path.expandvars(folder)
    return None if re.search(r"\$(\w+|\{[^}]*\})", expanded) else _absolute(expanded)


def _folder(mirror: str) -> Path:
    if mirror.startswith("file:"):
        from urllib.request import url2pathname  # noqa: PLC0415 -- it brings an HTTP client

        mirror = url2pathname(urlsplit(mirror).path)
    return _absolute(mirror)


def _candidates(folder: Path, resource: Resource) -> list[Path]:
    # Kaggle and some mirrors write train-images.idx3-ubyte
    stems = (resource.stem, resource.stem.replace("-idx", ".idx"))
    names = dict.fromkeys([resource.filename, *(s + e for s in stems for e in ("", ".gz", ".xz"))])
    try:
        with os.scandir(folder) as entries:
            present = {
                entry.name: entry.stat().st_size
                for _, entry in zip(range(_MOST_FILES), entries, strict=False)
                if entry.is_file()
            }
    except OSError:
        return []
    by_name = [name for name in names if name in present or os.path.isfile(folder / name)]
    sizes = {resource.size, resource.payload_size}
    by_size = sorted(n for n, size in present.items() if size in sizes and n not in by_name)
    return [folder / name for name in by_name + by_size]


def read(path: Path, resource: Resource) -> bytes:
    """A local file's bytes; `OSError` if they are far more than the resource can have."""
    most = 2 * resource.payload_size + 65_536  # recompressed badly, it may be larger than decompressed
    with open_regular(path) as file:
        data = file.read(most + 1)
    if len(data) > most:
        raise OSError(None, f"more than {most:,} bytes: not this file")
    return data


def _is_published(resource: Resource, data: bytes) -> bool:
    return _md5(data) == resource.md5 and resource.sha256 in (None, hashlib.sha256(data).hexdigest())


def _md5(data: bytes) -> str:
    return hashlib.md5(data, usedforsecurity=False).hexdigest()


def _absolute(path: str | os.PathLike[str]) -> Path:
    try:
        return Path(os.path.abspath(os.path.expanduser(path)))
    except OSError:  # the working directory is gone
        return Path(path)


def _is_url(mirror: str) -> bool:
    return re.match(r"https?://", mirror, re.IGNORECASE) is not None


def without_password(url: str) -> str:
    """A URL as it may be shown and kept: user name and password left out."""
    return re.sub(r"(?<=://)[^/]*@", "", url, count=1)


def _url(mirror: str, spec: DatasetSpec, resource: Resource) -> str:
    return mirror.replace("{dataset}", spec.name).rstrip("/") + "/" + resource.filename
