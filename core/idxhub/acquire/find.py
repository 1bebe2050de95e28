"""Finding the verified bytes of a resource: in the caller's folder, the cache, known folders, and at the mirrors."""

from __future__ import annotations

import functools
import hashlib
import threading
from collections.abc import Callable, Iterable
from dataclasses import dataclass, field, replace
from typing import TYPE_CHECKING, TypeVar

from idxhub.acquire.local import LocalCopy, SearchSettings, file_identity, list_local_copies, list_missing
from idxhub.acquire.mirrors import FileUrl, check_mirrors, file_urls
from idxhub.acquire.verify import Receiver, VerifiedFile, verify_bytes, verify_stream
from idxhub.cache.atomic import NewFile, cache_error, locked, touch
from idxhub.cache.store import Cache
from idxhub.catalog.resource import Archive, Resource
from idxhub.catalog.spec import DatasetSpec
from idxhub.errors import STOPPED, CacheError, ChecksumError, DownloadError, Failure, IdxHubError
from idxhub.formats.compression import Opener
from idxhub.paths import describe_exhaustion, describe_os_error, format_member

if TYPE_CHECKING:
    from idxhub.acquire.download import Downloader

T = TypeVar("T")

LARGEST_IN_MEMORY = 1 << 26  # bytes of content; a larger file is passed to a receiver while it is verified


def find_file(
    spec: DatasetSpec,
    resource: Resource,
    cache: Cache,
    settings: SearchSettings,
    *,
    specs: Iterable[DatasetSpec] = (),
    heartbeat: Callable[[], None] = lambda: None,
    stop: threading.Event | None = None,
    keep: bool = True,
    receive: Receiver | None = None,
) -> VerifiedFile:
    """Return the verified bytes of a resource, from the first place that has them, or pass them to `receive`.

    For a receiver, a large file is not held in memory: see `verify_stream`. The receiver may get the content of several
    files, one after the other: each but the last one is wrong, and ends with an error.

    A downloaded file or archive is kept in the cache. With `keep=False`, nothing is written, and archives are not
    downloaded. `specs` are the datasets that a wrong file may belong to. `heartbeat` is called while bytes arrive. When
    `stop` is set, a download ends.

    Raises `ChecksumError` if a file was found, on this machine or at a mirror, but is wrong, and `DownloadError` if no
    file was found. Both list every place that was tried. If a mirror's file is longer than the resource can be, it is
    not read to its end and counts as not found. Raises `ArgumentError` for a mirror that is neither a URL nor a folder.
    """
    check_mirrors(spec, settings.mirrors)
    search = _Search(spec, resource, cache, tuple(specs), heartbeat, stop, keep, receive)
    found = _find(search, settings)
    if receive is not None and found.content is not None:  # it was small enough to be verified in memory
        found.pass_to(receive)
    return found


def _find(search: _Search, settings: SearchSettings) -> VerifiedFile:
    spec, resource, cache = search.spec, search.resource, search.cache
    identity = file_identity(cache.file(resource.published))
    for copy in list_local_copies(spec, resource, cache, settings):
        found = search.read(copy)
        if found is not None:
            return found
    search.failures += list_missing(spec, resource, settings)
    urls = file_urls(spec, resource, settings.mirrors)
    if not settings.download:
        search.failures += [Failure(url.shown, f"not tried: {settings.offline_reason}") for url in urls]
    elif urls:
        found = search.download(urls, identity)
        if found is not None:
            return found
    raise search.error()


def find_published_file(
    spec: DatasetSpec,
    resource: Resource,
    cache: Cache,
    settings: SearchSettings,
    *,
    specs: Iterable[DatasetSpec] = (),
) -> bytes:
    """Return the bytes of a published file, verified by its digests, from the first place that has it.

    Copies that somebody recompressed or decompressed are not used. Raises the errors of `find_file`.
    """
    exactly = replace(resource, payload_sha256=None, payload_md5=None)  # then no other form is accepted
    found = find_file(spec, exactly, cache, settings, specs=specs)
    if found.file is None:
        raise AssertionError("only the published form was accepted")
    return found.file


@dataclass
class _Search:
    """The search for a resource. `failures` collects the places that were tried without success."""

    spec: DatasetSpec
    resource: Resource
    cache: Cache
    specs: tuple[DatasetSpec, ...]
    heartbeat: Callable[[], None]
    stop: threading.Event | None
    keep: bool
    receive: Receiver | None
    failures: list[Failure] = field(default_factory=list)
    has_wrong_file: bool = False
    exhausted: str | None = None  # set if the process cannot open files: the reason, and what to do

    def read(self, copy: LocalCopy) -> VerifiedFile | None:
        """The verified bytes of a file on this machine; None if it cannot be read or is wrong."""
        try:
            found = self._verify_copy(copy, copy.source)
        except CacheError:  # of the receiver
            raise
        except (OSError, ChecksumError) as error:
            self._add_failure(copy.source, error)
            return None
        origin = self.cache.origin(copy.path, self.resource.published)
        return found if origin is None else replace(found, origin=format_member(origin, copy.member))

    def download(self, urls: list[FileUrl], identity: tuple[int, ...] | None) -> VerifiedFile | None:
        """The verified bytes from the first mirror that has them; None if no mirror has them.

        `identity` is the identity of the archive in the cache before the search. If it has changed, another process has
        downloaded the archive, and it is read first.
        """
        from idxhub.acquire.download import Downloader  # noqa: PLC0415 -- needed for downloads alone: it imports requests

        archive = self.resource.archive
        if archive is None:
            with Downloader(self.resource, self.heartbeat, stop=self.stop) as downloader:
                return self._try_urls(urls, lambda url: self._download_file(downloader, url))
        if not self.keep:
            why = f"not tried: {archive.filename} is downloaded into the cache, which cannot be written"
            self.failures += [Failure(url.shown, why) for url in urls]
            return None
        copy = LocalCopy(self.cache.file(archive), self.resource.member)
        lock = copy.path.with_name(f".{archive.filename}.lock")

        def heartbeat() -> None:
            self.heartbeat()
            touch(lock)

        url = None
        with locked(lock, self.stop, self.heartbeat), Downloader(archive, heartbeat, stop=self.stop) as downloader:
            by_another = file_identity(copy.path) not in (None, identity)  # another thread or process has downloaded it
            if not by_another:
                url = self._try_urls(urls, lambda url: self._download_archive(downloader, archive, url))
        # without the lock, because a large member takes long, and others may read other members at the same time
        if by_another:
            return self.read(copy) or self.download(urls, file_identity(copy.path))
        return None if url is None else self._try_urls([url], lambda url: self._verify_member(archive, copy, url))

    def error(self) -> ChecksumError | DownloadError:
        """The error for the whole search. It lists every place that was tried."""
        what = f"{self.resource.filename} of {self.spec.name}"
        if self.exhausted is not None:
            return DownloadError(f"{what} could not be read or downloaded: {self.exhausted}", self.failures)
        if self.has_wrong_file:
            return ChecksumError(f"{what}: no sound copy found", self.failures)
        return DownloadError(
            f"{what} was not found; name a folder that has it (data_dir=), or a mirror that can be reached "
            "(IDXHUB_MIRRORS)",
            self.failures or [Failure("(nowhere)", "the spec names no folder and no mirror")],
        )

    def _add_failure(self, where: str, error: OSError | ChecksumError) -> None:
        if isinstance(error, ChecksumError):
            self.failures += error.failures
        else:
            reason = error.message if isinstance(error, DownloadError) else describe_os_error(error)
            self.failures.append(Failure(where, reason))
            advice = describe_exhaustion(error)
            if advice is not None:
                self.exhausted = f"{reason}; {advice}"
                return
        # a local file that cannot be read counts as a wrong file
        self.has_wrong_file = self.has_wrong_file or not isinstance(error, DownloadError)

    def _try_urls(self, urls: list[FileUrl], download: Callable[[FileUrl], T]) -> T | None:
        for url in urls:
            try:
                return download(url)
            except (DownloadError, ChecksumError) as error:
                self._add_failure(url.shown, error)
                if self.stop is not None and self.stop.is_set():
                    break
        return None

    def _verify_copy(self, copy: LocalCopy, source: str) -> VerifiedFile:
        if self._is_streamed:
            return self._verify_stream(functools.partial(copy.open, self.resource), source)
        return verify_bytes(self.resource, copy.read(self.resource), source, self.specs)

    def _verify_stream(self, open_file: Opener, source: str) -> VerifiedFile:
        if self.receive is None:
            raise AssertionError("without a receiver, files are verified in memory")
        return verify_stream(
            self.resource, open_file, source, self.receive, specs=self.specs, heartbeat=self._give_heartbeat
        )

    @property
    def _is_streamed(self) -> bool:
        return self.receive is not None and self.resource.payload_size > LARGEST_IN_MEMORY

    def _give_heartbeat(self) -> None:
        if self.stop is not None and self.stop.is_set():
            raise DownloadError(STOPPED)
        self.heartbeat()

    def _download_file(self, downloader: Downloader, url: FileUrl) -> VerifiedFile:
        if self._is_streamed and self.keep:
            with self.cache.receive_file(self.resource, url.shown) as new:
                downloader.download_to(url.url, new)
                try:
                    found = self._verify_stream(new.open, url.shown)
                except IdxHubError:
                    raise
                except OSError as error:  # the new file, which is in the cache, cannot be read
                    raise cache_error(self.cache.file(self.resource), error) from error
                if found.form != "published":
                    new.discard()
            return found
        data = downloader.download(url.url)
        verified = verify_bytes(self.resource, data, url.shown, self.specs)
        if verified.form == "published" and self.keep:
            self.cache.keep_file(self.resource, data, url.shown)
        return verified

    def _download_archive(self, downloader: Downloader, archive: Archive, url: FileUrl) -> FileUrl:
        with self.cache.receive_file(archive, url.shown) as new:
            writer = _ArchiveWriter(new)
            downloader.download_to(url.url, writer)
            writer.check(archive, url.shown)
        return url

    def _verify_member(self, archive: Archive, copy: LocalCopy, url: FileUrl) -> VerifiedFile:
        source = format_member(url.shown, copy.member)
        try:
            return self._verify_copy(copy, source)
        except IdxHubError:
            raise
        except OSError as error:
            failure = Failure(source, describe_os_error(error))
            raise ChecksumError(f"{archive.filename}: the digest is right", [failure]) from error


class _ArchiveWriter:
    """Writes an archive to the disk while it is downloaded, and computes its digests at the same time."""

    def __init__(self, new: NewFile) -> None:
        self._new = new
        self._reset_digests()

    def write(self, block: bytes) -> None:
        self._new.write(block)
        self._md5.update(block)
        self._sha256.update(block)

    def clear(self) -> None:
        self._new.clear()
        self._reset_digests()

    def check(self, archive: Archive, source: str) -> None:
        """Raise `ChecksumError` unless the archive has the published digests."""
        md5, sha256 = self._md5.hexdigest(), self._sha256.hexdigest()
        if md5 != archive.md5 or archive.sha256 not in (None, sha256):
            why = f"MD5 {md5}, expected {archive.md5}; SHA-256 {sha256}, expected {archive.sha256 or 'any'}"
            raise ChecksumError(f"{archive.filename} is not the published file", [Failure(source, why)])

    def _reset_digests(self) -> None:
        self._md5, self._sha256 = hashlib.md5(usedforsecurity=False), hashlib.sha256()
