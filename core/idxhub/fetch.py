"""A resource to its verified bytes: the folder the caller named, the cache, known folders, the mirrors.

A file is accepted by digest alone, never by name, and what was hashed is what is returned: there is no second
read between check and use.
"""

from __future__ import annotations

import contextlib
import hashlib
import os
import re
import threading
from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass, replace
from pathlib import Path
from typing import TYPE_CHECKING, Literal
from urllib.parse import urlsplit

from idxhub.cache import Cache
from idxhub.catalog import Archive, DatasetSpec, Resource, without_password
from idxhub.errors import ArgumentError, ChecksumError, DownloadError, Failure, IdxFormatError
from idxhub.idx import MAX_HEADER_SIZE, read_header
from idxhub.inflate import inflate, is_compressed, peek
from idxhub.known import what_is
from idxhub.storage import NewFile, locked, open_regular, touch
from idxhub.threads import Threads

if TYPE_CHECKING:
    from idxhub.download import Downloads

Form = Literal["published", "recompressed", "decompressed"]
_MOST_FILES = 10_000  # looked at by size in one folder; by name always


@dataclass(frozen=True)
class Verified:
    """The decompressed content of a resource, checked.

    `source` is the path or URL it came from, `origin` the URL that a file kept in the cache was downloaded from;
    `form` tells the file as published from a copy that was recompressed or decompressed on its way. `sha256` is of
    the published file, None if that was not seen.
    """

    payload: bytes | memoryview
    source: str
    form: Form
    payload_sha256: str
    sha256: str | None = None
    origin: str | None = None


@dataclass(frozen=True)
class Copy:
    """A file on this machine that may be a resource, or an archive that may have it as a member."""

    path: Path
    member: str | None = None

    @property
    def source(self) -> str:
        """Where it is, in one line."""
        return _inside(str(self.path), self.member)

    def read(self, resource: Resource) -> bytes:
        """Its bytes; `OSError` if they are far more than the resource can have, or the archive is not sound."""
        if self.member is None:
            return read(self.path, resource)
        from idxhub.archives import read_member  # noqa: PLC0415 -- few datasets are in archives

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
        folder = None if data_dir is None else _absolute(data_dir)
        if folder is not None and not os.path.isdir(folder):
            state = "is not a folder" if os.path.exists(folder) else "does not exist"
            raise DownloadError(
                f"data_dir={str(data_dir)!r} {state}; name the folder that has the files, or leave it out to "
                "search the usual places, and to download"
            )
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
    with Threads(1) as other:  # hashlib and zlib let go of the GIL
        published = other.submit(_published_sha256, resource, data) if plausible else None
        try:
            payload = inflate(data, resource.payload_size)
        except IdxFormatError as error:
            if published is not None and published.result():
                raise IdxFormatError(f"{source}: the digest is right, but {error}") from error
    if payload is not None:
        sha256 = None if published is None else published.result()
        if sha256 is not None:
            known = resource.payload_sha256 or hashlib.sha256(payload).hexdigest()
            return Verified(payload, source, "published", known, sha256)
        payload_sha256 = hashlib.sha256(payload).hexdigest()
        if payload_sha256 == resource.payload_sha256 or (
            resource.payload_sha256 is None and resource.payload_md5 == _md5(payload)
        ):
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

    A downloaded file, or archive, is kept in the cache. `specs` help to name a wrong file; `alive` is called as bytes
    arrive, and `stop` ends a download when it is set.
    Raises `ChecksumError` if all that was found locally is wrong and no mirror helped, `DownloadError` if
    nothing was found at all; both list every place tried. `ArgumentError` for a mirror that cannot be one.
    """
    check_mirrors(spec, places)
    wanted = _Wanted(spec, resource, cache, tuple(specs), alive, stop)
    failures: list[Failure] = []
    before = _identity(cache.file(resource.published))
    for copy in local_copies(spec, resource, cache, places):
        found = wanted.read(copy, failures)
        if found is not None:
            return found
    wrong_ones = bool(failures)
    failures += _without_it(spec, resource, places)
    urls = [_url(mirror, spec, resource) for mirror in (*places.mirrors, *spec.mirrors) if _is_url(mirror)]
    if not places.download:
        failures += [Failure(without_password(url), f"not tried: {places.why_not}") for url in urls]
    elif urls:
        downloaded = wanted.download(urls, failures, before)
        if downloaded is not None:
            return downloaded
    if wrong_ones:
        raise ChecksumError(f"{resource.filename} of {spec.name}: no sound copy found", failures)
    raise DownloadError(
        f"{resource.filename} of {spec.name} was not found; name a folder that has it (data_dir=), or a mirror "
        "that can be reached (IDXHUB_MIRRORS)",
        failures or [Failure("(nowhere)", "the spec names no folder and no mirror")],
    )


@dataclass(frozen=True)
class _Wanted:
    """A resource that is looked for. What does not serve is None, and its reason is added to `failures`."""

    spec: DatasetSpec
    resource: Resource
    cache: Cache
    specs: tuple[DatasetSpec, ...]
    alive: Callable[[], None]
    stop: threading.Event | None

    def read(self, copy: Copy, failures: list[Failure]) -> Verified | None:
        try:
            found = verify(self.resource, copy.read(self.resource), copy.source, self.specs)
        except (OSError, ChecksumError) as error:
            failures += _failures(copy.source, error)
            return None
        origin = self.cache.origin(copy.path, self.resource.published)
        return found if origin is None else replace(found, origin=_inside(origin, copy.member))

    def download(self, urls: list[str], failures: list[Failure], before: tuple[int, ...] | None) -> Verified | None:
        from idxhub.download import Downloads  # noqa: PLC0415 -- it brings requests: a cache miss only

        archive = self.resource.archive
        if archive is None:
            with Downloads(self.resource, self.alive, stop=self.stop) as downloads:
                return self._from_the_first(urls, failures, lambda url: self._file(downloads, url))
        kept = Copy(self.cache.file(archive), self.resource.member)
        lock = kept.path.with_name(f".{archive.filename}.lock")

        def alive() -> None:
            self.alive()
            touch(lock)

        with locked(lock, self.stop, self.alive), Downloads(archive, alive, stop=self.stop) as downloads:
            if _identity(kept.path) not in (None, before):  # another thread or process has brought it meanwhile
                found = self.read(kept, failures)
                if found is not None:
                    return found
            return self._from_the_first(urls, failures, lambda url: self._archived(downloads, archive, kept, url))

    def _from_the_first(
        self, urls: list[str], failures: list[Failure], get: Callable[[str], Verified]
    ) -> Verified | None:
        for url in urls:
            try:
                return get(url)
            except (DownloadError, ChecksumError) as error:
                failures += _failures(without_password(url), error)
                if self.stop is not None and self.stop.is_set():
                    break
        return None

    def _file(self, downloads: Downloads, url: str) -> Verified:
        data, shown = downloads.get(url), without_password(url)
        verified = verify(self.resource, data, shown, self.specs)
        if verified.form == "published":
            self.cache.keep(self.resource, data)
        return verified

    def _archived(self, downloads: Downloads, archive: Archive, kept: Copy, url: str) -> Verified:
        shown = without_password(url)
        with self.cache.receiving(archive, shown) as new:
            arriving = _Arriving(new)
            downloads.save(url, arriving)
            arriving.check(archive, shown)
        source = _inside(shown, kept.member)
        try:
            data = kept.read(self.resource)
        except OSError as error:
            raise ChecksumError(f"{archive.filename}: the digest is right", _failures(source, error)) from error
        return verify(self.resource, data, source, self.specs)


class _Arriving:
    """An archive on its way to the disk, hashed as it comes."""

    def __init__(self, new: NewFile) -> None:
        self._new = new
        self._begin()

    def add(self, block: bytes) -> None:
        self._new.write(block)
        self._md5.update(block)
        self._sha256.update(block)

    def clear(self) -> None:
        self._new.clear()
        self._begin()

    def check(self, archive: Archive, source: str) -> None:
        """Raise `ChecksumError` unless it is the published one."""
        md5, sha256 = self._md5.hexdigest(), self._sha256.hexdigest()
        if md5 != archive.md5 or archive.sha256 not in (None, sha256):
            why = f"MD5 {md5}, expected {archive.md5}; SHA-256 {sha256}, expected {archive.sha256 or 'any'}"
            raise ChecksumError(f"{archive.filename} is not the published file", [Failure(source, why)])

    def _begin(self) -> None:
        self._md5, self._sha256 = hashlib.md5(usedforsecurity=False), hashlib.sha256()


def _identity(path: Path) -> tuple[int, ...] | None:
    """What a file can be told by from one that takes its place; None if there is none."""
    try:
        state = os.stat(path)
    except OSError:
        return None
    return state.st_ino, state.st_mtime_ns, state.st_size


def _inside(where: str, member: str | None) -> str:
    return where if member is None else f"{where}#{member}"


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
        inflated = inflate(data, resource.payload_size)
    except IdxFormatError as error:
        return f"{error}; {md5}"
    if len(inflated) != resource.payload_size:
        return f"cut short: holds {len(inflated):,} of {resource.payload_size:,} bytes; {md5}"
    only = resource.payload_sha256 is None and resource.payload_md5 is None
    content = "no digest of its content is known to tell it by" if only else "other content"
    return f"has the right shape and {content}; {md5}"


def local_copies(spec: DatasetSpec, resource: Resource, cache: Cache, places: Places) -> Iterator[Copy]:
    """What on this machine may be the resource, best first: by name, then by size."""
    for folder in _named_folders(spec, places):
        yield from _copies(folder, resource)
    kept = Copy(cache.file(resource.published), resource.member)
    if os.path.isfile(kept.path):
        yield kept
    for folder in known_folders(spec, places):
        yield from _copies(folder, resource)


def _without_it(spec: DatasetSpec, resource: Resource, places: Places) -> Iterator[Failure]:
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


def check_mirrors(spec: DatasetSpec, places: Places) -> None:
    """Raise `ArgumentError` for a mirror that is neither a URL of a scheme that is understood nor a folder."""
    for setting, mirrors in (("IDXHUB_MIRRORS", places.mirrors), (f"mirrors of {spec.name}", spec.mirrors)):
        for mirror in filter(_is_foreign, mirrors):
            must_be = "a URL that begins with https://, http:// or file://, or a folder"
            raise ArgumentError(setting, without_password(mirror), must_be)


def known_folders(spec: DatasetSpec, places: Places) -> list[Path]:
    """The folders looked in after the cache: other programs' and those among the mirrors."""
    folders = [folder for folder in map(_expanded, spec.folders) if folder is not None]
    for mirror in (*places.mirrors, *spec.mirrors):
        if not _is_url(mirror) and not _is_foreign(mirror):
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
    with open_regular(path) as file:
        size = os.fstat(file.fileno()).st_size  # reading allocates what it is asked for, not what is there
        data = file.read(min(size, most) + 1)
    if len(data) > most:
        raise OSError(None, f"more than {most:,} bytes: not this file")
    return data


def _most(resource: Resource) -> int:
    return 2 * resource.payload_size + 65_536  # recompressed badly, it may be larger than decompressed


def _published_sha256(resource: Resource, data: bytes) -> str | None:
    """The SHA-256 of the file as published; None if it is another one."""
    if _md5(data) != resource.md5:
        return None
    sha256 = hashlib.sha256(data).hexdigest()
    return sha256 if resource.sha256 in (None, sha256) else None


def _md5(data: bytes | memoryview) -> str:
    return hashlib.md5(data, usedforsecurity=False).hexdigest()


def _absolute(path: str | os.PathLike[str]) -> Path:
    try:
        return Path(os.path.abspath(os.path.expanduser(path)))
    except OSError:  # the working directory is gone
        return Path(path)


def _is_url(mirror: str) -> bool:
    return re.match(r"https?://", mirror, re.IGNORECASE) is not None


def _is_foreign(mirror: str) -> bool:
    """Whether a mirror is the URL of a scheme that is not understood, or one with a slip before its host.

    One letter before the colon is a drive.
    """
    slips = r"https?:(?!//)|(//)?(?![a-z]:[/\\])[^/]+:.*@"
    return re.match(rf"(?!https?://|file:)([a-z][a-z0-9+.-]+://|{slips})", mirror, re.IGNORECASE) is not None


def _url(mirror: str, spec: DatasetSpec, resource: Resource) -> str:
    return mirror.replace("{dataset}", spec.name).rstrip("/") + "/" + resource.published.filename
