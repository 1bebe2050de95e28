"""A resource to its verified bytes: the folder the caller named, the cache, known folders, the mirrors.

A file is accepted by digest alone, never by name, and what was hashed is what is returned: there is no second
read between check and use.
"""

from __future__ import annotations

import hashlib
import os
import threading
from collections.abc import Callable, Iterable
from dataclasses import dataclass, replace
from pathlib import Path
from typing import TYPE_CHECKING, Literal

from idxhub.acquire.local import LocalCopy, SearchSettings, list_local_copies, list_missing
from idxhub.acquire.mirrors import check_mirrors, file_urls, redact_url
from idxhub.cache.atomic import NewFile, locked, touch
from idxhub.cache.store import Cache
from idxhub.catalog.recognise import what_is
from idxhub.catalog.spec import Archive, DatasetSpec, Resource
from idxhub.errors import ChecksumError, DownloadError, Failure, IdxFormatError
from idxhub.formats.compression import inflate, is_compressed, peek
from idxhub.formats.idx import MAX_HEADER_SIZE, read_header
from idxhub.paths import format_member
from idxhub.threads import Threads

if TYPE_CHECKING:
    from idxhub.acquire.download import Downloader

Form = Literal["published", "recompressed", "decompressed"]


@dataclass(frozen=True)
class VerifiedFile:
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


def verify_bytes(resource: Resource, data: bytes, source: str, specs: Iterable[DatasetSpec] = ()) -> VerifiedFile:
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
            return VerifiedFile(payload, source, "published", known, sha256)
        payload_sha256 = hashlib.sha256(payload).hexdigest()
        if payload_sha256 == resource.payload_sha256 or (
            resource.payload_sha256 is None and resource.payload_md5 == _md5(payload)
        ):
            form: Form = "recompressed" if is_compressed(data) else "decompressed"
            return VerifiedFile(payload, source, form, payload_sha256)
    raise ChecksumError(
        f"{resource.filename} is not the published file",
        [Failure(source, _diagnose(resource, data, specs))],
    )


def find_file(
    spec: DatasetSpec,
    resource: Resource,
    cache: Cache,
    settings: SearchSettings,
    *,
    specs: Iterable[DatasetSpec] = (),
    heartbeat: Callable[[], None] = lambda: None,
    stop: threading.Event | None = None,
) -> VerifiedFile:
    """The verified bytes of a resource from the first place that has them.

    A downloaded file, or archive, is kept in the cache. `specs` help to name a wrong file; `heartbeat` is called as
    bytes arrive, and `stop` ends a download when it is set.
    Raises `ChecksumError` if what was found is wrong, on this machine or at a mirror, and `DownloadError` if nothing
    was found at all; both list every place tried. What a mirror has that is longer than the file can be is not read to
    its end, and no file found. `ArgumentError` for a mirror that cannot be one.
    """
    check_mirrors(spec, settings.mirrors)
    search = _Search(spec, resource, cache, tuple(specs), heartbeat, stop)
    failures: list[Failure] = []
    before = _file_identity(cache.file(resource.published))
    for copy in list_local_copies(spec, resource, cache, settings):
        found = search.read(copy, failures)
        if found is not None:
            return found
    wrong = bool(failures)
    failures += list_missing(spec, resource, settings)
    published = file_urls(spec, resource, settings.mirrors)
    if not settings.download:
        failures += [Failure(redact_url(url), f"not tried: {settings.offline_reason}") for url in published]
    elif published:
        downloaded = search.download(published, failures, before)
        if isinstance(downloaded, VerifiedFile):
            return downloaded
        wrong = wrong or downloaded
    if wrong:
        raise ChecksumError(f"{resource.filename} of {spec.name}: no sound copy found", failures)
    raise DownloadError(
        f"{resource.filename} of {spec.name} was not found; name a folder that has it (data_dir=), or a mirror "
        "that can be reached (IDXHUB_MIRRORS)",
        failures or [Failure("(nowhere)", "the spec names no folder and no mirror")],
    )


@dataclass(frozen=True)
class _Search:
    """A resource that is looked for. The reasons why something does not serve are added to `failures`."""

    spec: DatasetSpec
    resource: Resource
    cache: Cache
    specs: tuple[DatasetSpec, ...]
    heartbeat: Callable[[], None]
    stop: threading.Event | None

    def read(self, copy: LocalCopy, failures: list[Failure]) -> VerifiedFile | None:
        try:
            found = verify_bytes(self.resource, copy.read(self.resource), copy.source, self.specs)
        except (OSError, ChecksumError) as error:
            failures += _failures_of(copy.source, error)
            return None
        origin = self.cache.origin(copy.path, self.resource.published)
        return found if origin is None else replace(found, origin=format_member(origin, copy.member))

    def download(self, urls: list[str], failures: list[Failure], before: tuple[int, ...] | None) -> VerifiedFile | bool:
        """The bytes from the first mirror that serves; or whether one of them has a wrong file."""
        from idxhub.acquire.download import Downloader  # noqa: PLC0415 -- it brings requests: a cache miss only

        archive = self.resource.archive
        if archive is None:
            with Downloader(self.resource, self.heartbeat, stop=self.stop) as downloader:
                return self._try_mirrors(urls, failures, lambda url: self._download_file(downloader, url))
        kept = LocalCopy(self.cache.file(archive), self.resource.member)
        lock = kept.path.with_name(f".{archive.filename}.lock")

        def heartbeat() -> None:
            self.heartbeat()
            touch(lock)

        with locked(lock, self.stop, self.heartbeat), Downloader(archive, heartbeat, stop=self.stop) as downloader:
            if _file_identity(kept.path) not in (None, before):  # another thread or process has brought it meanwhile
                found = self.read(kept, failures)
                if found is not None:
                    return found
            return self._try_mirrors(urls, failures, lambda url: self._download_member(downloader, archive, kept, url))

    def _try_mirrors(
        self, urls: list[str], failures: list[Failure], get: Callable[[str], VerifiedFile]
    ) -> VerifiedFile | bool:
        wrong = False
        for url in urls:
            try:
                return get(url)
            except (DownloadError, ChecksumError) as error:
                failures += _failures_of(redact_url(url), error)
                wrong = wrong or isinstance(error, ChecksumError)
                if self.stop is not None and self.stop.is_set():
                    break
        return wrong

    def _download_file(self, downloader: Downloader, url: str) -> VerifiedFile:
        data, shown = downloader.download(url), redact_url(url)
        verified = verify_bytes(self.resource, data, shown, self.specs)
        if verified.form == "published":
            self.cache.keep(self.resource, data, shown)
        return verified

    def _download_member(self, downloader: Downloader, archive: Archive, kept: LocalCopy, url: str) -> VerifiedFile:
        shown = redact_url(url)
        with self.cache.receiving(archive, shown) as new:
            writer = _ArchiveWriter(new)
            downloader.download_to(url, writer)
            writer.check(archive, shown)
        source = format_member(shown, kept.member)
        try:
            data = kept.read(self.resource)
        except OSError as error:
            raise ChecksumError(f"{archive.filename}: the digest is right", _failures_of(source, error)) from error
        return verify_bytes(self.resource, data, source, self.specs)


class _ArchiveWriter:
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


def _file_identity(path: Path) -> tuple[int, ...] | None:
    """What a file can be told by from one that takes its place; None if there is none."""
    try:
        state = os.stat(path)
    except OSError:
        return None
    return state.st_ino, state.st_mtime_ns, state.st_size


def _failures_of(where: str, error: OSError | ChecksumError) -> tuple[Failure, ...]:
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


def _published_sha256(resource: Resource, data: bytes) -> str | None:
    """The SHA-256 of the file as published; None if it is another one."""
    if _md5(data) != resource.md5:
        return None
    sha256 = hashlib.sha256(data).hexdigest()
    return sha256 if resource.sha256 in (None, sha256) else None


def _md5(data: bytes | memoryview) -> str:
    return hashlib.md5(data, usedforsecurity=False).hexdigest()
