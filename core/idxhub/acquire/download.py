"""Downloading one file over HTTP, with a deadline, a few retries, and a limit on the number of bytes."""

from __future__ import annotations

import http.client
import threading
from collections.abc import Callable
from contextlib import closing
from types import TracebackType
from typing import Protocol
from urllib.parse import urljoin, urlsplit

import requests
import urllib3
from urllib3.util import Retry

from idxhub.acquire import connection
from idxhub.acquire.connection import Deadline, Session, enforce_deadline
from idxhub.acquire.http_errors import (
    describe_error,
    describe_refused_url,
    error_number,
    is_lost_connection,
    is_sound_url,
)
from idxhub.acquire.local import copy_size_limit
from idxhub.acquire.progress import ProgressBar
from idxhub.catalog.resource import Archive, Resource, size_limit
from idxhub.errors import DownloadError, IdxHubError, printable
from idxhub.formats.compression import XZ_MAGIC, is_compressed
from idxhub.formats.idx import is_html

TOTAL_TIMEOUT = 900.0  # seconds for one file from one mirror, with all retries; a large file has longer: see MIN_RATE
MIN_RATE = 1 << 18  # bytes a second; the timeout is never shorter than a download at this rate takes
MAX_ATTEMPTS = 3
MAX_RETRY_WAIT = 30.0  # seconds; if a mirror asks to wait longer, there is no further attempt
BACKOFF_FACTOR = 0.5  # seconds; the second attempt follows at once, the third one after twice as many seconds
_MAX_REDIRECTS = 10
_RETRIED_STATUSES = frozenset({429, 500, 502, 503, 504})
_BLOCK = 1 << 18  # bytes
_START_SIZE = 512  # bytes at the start of a body, by which a compressed file and an HTML page are recognised


class _FailedAttemptError(Exception):
    """An attempt failed. `is_final` says that another attempt is useless; `retry_after` is the wait in seconds that the
    server asks for.
    """

    def __init__(self, reason: str, *, is_final: bool = True, retry_after: float | None = None) -> None:
        super().__init__(reason)
        self.is_final, self.retry_after = is_final, retry_after


class BodyWriter(Protocol):
    """An object that receives the body of a response while it is downloaded."""

    def write(self, block: bytes) -> None:
        """Append the next bytes."""

    def clear(self) -> None:
        """Remove all bytes, because another attempt begins."""


class _Buffer:
    def __init__(self) -> None:
        self.content = bytearray()

    def write(self, block: bytes) -> None:
        self.content += block

    def clear(self) -> None:
        self.content.clear()


class Downloader:
    """Downloads one file from any mirror.

    `heartbeat` is called at least twice a second. When `stop` is set, the download ends. `total` is the deadline in
    seconds.
    """

    def __init__(
        self,
        file: Resource | Archive,
        heartbeat: Callable[[], None] = lambda: None,
        *,
        stop: threading.Event | None = None,
        total: float | None = None,
    ) -> None:
        self._file, self._heartbeat = file, heartbeat
        self._total = max(TOTAL_TIMEOUT, size_limit(file) / MIN_RATE) if total is None else total
        self._stop = threading.Event() if stop is None else stop
        self._session = Session()

    def __enter__(self) -> Downloader:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._session.close()

    def download(self, url: str) -> bytes:
        """Download the body of a URL. Raises `DownloadError`, as `download_to` does."""
        body = _Buffer()
        self.download_to(url, body)
        return bytes(body.content)

    def download_to(self, url: str, body: BodyWriter) -> None:
        """Download the body of a URL, and write it to `body` while it arrives.

        Whatever the server sends, at most one byte more is read than the file can have. Raises `DownloadError` with
        one reason, which does not contain the URL, and the errors of `body`.
        """
        deadline = Deadline(self._total, self._stop, self._heartbeat)
        deadline.check()
        try:
            with enforce_deadline(deadline):
                self._try_repeatedly(url, deadline, body)
        except DownloadError as error:  # raised by the deadline
            raise DownloadError(error.message) from None
        except IdxHubError:  # raised by `body`
            raise
        except _FailedAttemptError as error:
            reason, number = str(error), None
        except (requests.RequestException, urllib3.exceptions.HTTPError, http.client.HTTPException, OSError) as error:
            reason, number = describe_error(error), error_number(error)
        else:
            return
        deadline.check()  # raises its own error, if the libraries have wrapped an error of the deadline
        # without a cause, because the messages of requests and urllib3 contain URLs, with their passwords
        failure = DownloadError(printable(reason))
        failure.errno = number
        raise failure

    def _try_repeatedly(self, url: str, deadline: Deadline, body: BodyWriter) -> None:
        if not is_sound_url(url):
            raise _FailedAttemptError("the address cannot be used")
        # urllib3 counts the attempts and computes the waits; it does not sleep itself, because its sleep ignores `stop`
        retry = Retry(MAX_ATTEMPTS - 1, backoff_factor=BACKOFF_FACTOR)
        while True:
            try:
                return self._try_once(url, deadline, body)
            except _FailedAttemptError as failure:
                if failure.is_final:
                    raise
                left = deadline.check()
                try:
                    retry = retry.increment(error=failure)
                except urllib3.exceptions.MaxRetryError:
                    raise _FailedAttemptError(f"{failure}, {MAX_ATTEMPTS} times") from None
                wait = retry.get_backoff_time() if failure.retry_after is None else failure.retry_after
                if wait > min(MAX_RETRY_WAIT, left):
                    raise _FailedAttemptError(f"{failure}; the server asks to wait {wait:.0f} s") from None
            deadline.sleep(wait)

    def _try_once(self, url: str, deadline: Deadline, body: BodyWriter) -> None:
        for _ in range(_MAX_REDIRECTS):
            with self._open(url) as response:
                target = _redirect_target(self._session, response)
                if target is None:
                    if response.status_code in _RETRIED_STATUSES:
                        reason = f"HTTP {response.status_code}"
                        raise _FailedAttemptError(reason, is_final=False, retry_after=_retry_after(response))
                    if response.status_code != 200:
                        raise _FailedAttemptError(f"HTTP {response.status_code} {response.reason or ''}".rstrip())
                    body.clear()
                    self._receive(response, deadline, body)
                    return
                url = target
        raise _FailedAttemptError("too many redirects")

    def _open(self, url: str) -> requests.Response:
        try:
            return self._session.open(url)
        except requests.ConnectionError as error:
            if is_lost_connection(error):
                raise _FailedAttemptError(
                    "the connection was lost before the server answered", is_final=False
                ) from error
            raise
        except requests.exceptions.InvalidHeader:  # the server's answer is wrong, not the URL
            raise
        except (ValueError, TypeError) as error:
            raise _FailedAttemptError(describe_refused_url(url, error)) from error

    def _receive(self, response: requests.Response, deadline: Deadline, body: BodyWriter) -> None:
        size, start = 0, b""
        with closing(ProgressBar(self._file.filename, self._file.size)) as bar:
            while True:
                deadline.received = size
                deadline.check()
                try:
                    # read1 returns the bytes that have arrived; read would wait, and a slow server exceed the deadline
                    block = response.raw.read1(self._next_read_size(start, size), decode_content=False)
                except (urllib3.exceptions.IncompleteRead, urllib3.exceptions.ProtocolError) as error:
                    raise _FailedAttemptError(
                        f"the connection was lost after {size:,} bytes", is_final=False
                    ) from error
                except urllib3.exceptions.ReadTimeoutError as error:
                    timeout = f"{connection.READ_TIMEOUT:.0f} s"
                    raise _FailedAttemptError(f"no more bytes arrived for {timeout}, after {size:,} bytes") from error
                if not block:
                    break
                size += len(block)
                start += block[: _START_SIZE - len(start)]
                limit = self._max_size(start)
                if size > limit:
                    _refuse_html(response, start)
                    raise _FailedAttemptError(f"longer than the {limit:,} bytes that the file can have")
                body.write(block)
                bar.update(len(block))
        self._check_end(response, start, size)

    def _check_end(self, response: requests.Response, start: bytes, size: int) -> None:
        """Refuse a body that ends too early.

        A body that is as long as the server announced may be a recompressed file, which the digests decide.
        """
        expected = self._expected_size(start)
        if size < expected:
            _refuse_html(response, start)
            if not size or response.headers.get("Content-Length") != str(size):
                raise _FailedAttemptError(f"ends after {size:,} of {expected:,} bytes", is_final=False)

    def _next_read_size(self, start: bytes, size: int) -> int:
        """The number of bytes to read next, so that the body has at most one byte more than the file can have."""
        limit = self._max_size(start)
        if len(start) < len(XZ_MAGIC):  # too short to know whether the body is compressed
            limit = min(limit, size_limit(self._file))
        return max(1, min(_BLOCK, limit + 1 - size))

    def _max_size(self, start: bytes) -> int:
        """The largest size that the body can have; it depends on how the body starts."""
        file = self._file
        if isinstance(file, Archive):
            return file.size
        if not is_compressed(start):
            return file.payload_size
        # a recompressed file can be accepted only if a digest of its content is known
        return copy_size_limit(file) if file.payload_sha256 or file.payload_md5 else size_limit(file)

    def _expected_size(self, start: bytes) -> int:
        """The size of the body if it is the published file, or that file decompressed; 1 if it is not known."""
        if self._file.size is None:
            return 1
        if isinstance(self._file, Resource) and not is_compressed(start):
            return self._file.payload_size
        return self._file.size


def _redirect_target(session: Session, response: requests.Response) -> str | None:
    """The URL that a response redirects to; None if it does not redirect."""
    try:
        target = session.get_redirect_target(response)
        if target is None:
            return None
        url = urljoin(response.url, target)
        schemes = urlsplit(response.url).scheme, urlsplit(url).scheme
    except ValueError as error:  # raised by the codec or by the URL parser
        raise _FailedAttemptError("redirected to a malformed address") from error
    if schemes[1] not in ("http", "https"):
        raise _FailedAttemptError("redirected to an address that is neither https nor http")
    if schemes == ("https", "http"):
        raise _FailedAttemptError("redirected from https to http; refused")
    if not is_sound_url(url):
        raise _FailedAttemptError("redirected to a malformed address")
    return url


def _retry_after(response: requests.Response) -> float | None:
    """The seconds that a server asks to wait; None if it does not ask, or if its header makes no sense."""
    try:
        return Retry().get_retry_after(response.raw)
    except (urllib3.exceptions.InvalidHeader, ValueError, OverflowError):
        return None


def _refuse_html(response: requests.Response, start: bytes) -> None:
    if is_html(start) or response.headers.get("Content-Type", "").startswith("text/html"):
        raise _FailedAttemptError("answered with an HTML page (a log-in page of the network, or an error page)")
