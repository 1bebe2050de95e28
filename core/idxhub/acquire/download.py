"""One file over HTTP: deadlines, bounded retries, raw bytes, never more of them than expected; kept in memory or
handed on as they arrive.
"""

from __future__ import annotations

import functools
import http.client
import io
import socket
import sys
import threading
import time
from collections.abc import Callable
from email.utils import parsedate_to_datetime
from types import TracebackType
from typing import Any, Protocol
from urllib.parse import urljoin, urlsplit

import requests
import urllib3
from requests.adapters import HTTPAdapter
from tqdm import tqdm
from urllib3.util import wait_for_read

from idxhub._version import __version__
from idxhub.catalog.spec import Archive, Resource, size_limit
from idxhub.errors import DownloadError, IdxHubError
from idxhub.formats.compression import XZ_MAGIC, is_compressed
from idxhub.formats.idx import is_html

CONNECT_TIMEOUT = 10.0  # seconds
READ_TIMEOUT = 30.0  # seconds between two arrivals
TOTAL_TIMEOUT = 900.0  # seconds for one file from one mirror, retries included; more for a file that is larger than
MIN_RATE = 1 << 18  # bytes a second would bring in that time
_MAX_ATTEMPTS = 3
_MAX_RETRY_WAIT = 30.0  # seconds; a server that asks for more is left for the next mirror
_BACKOFF = 0.5  # seconds before the second try, doubled before the third
_BLOCK = 1 << 18  # bytes
_SNIFFED = 512  # bytes by which a body is told to be compressed, or a page
_REDIRECTS = 10
_POLL_INTERVAL = 0.5  # seconds between two looks at the deadline while nothing arrives
_RETRIED = frozenset({429, 500, 502, 503, 504})


class _RetryError(Exception):
    def __init__(self, why: str, wait: float | None = None) -> None:
        super().__init__(why)
        self.wait = wait


class _Deadline:
    """When an attempt has to end: at its deadline, or when somebody says stop. Whoever looks at it is alive."""

    def __init__(self, total: float, stop: threading.Event, heartbeat: Callable[[], None]) -> None:
        self._total, self._stop, self._heartbeat = total, stop, heartbeat
        self._deadline = time.monotonic() + total
        self.received = 0

    def check(self) -> float:
        """A sign of life; the seconds until the deadline. Raises `DownloadError` when there are none."""
        if self._stop.is_set():
            raise DownloadError("stopped")
        self._heartbeat()
        left = self._deadline - time.monotonic()
        if left <= 0:
            raise DownloadError(f"too slow: {self.received:,} bytes in {self._total:.0f} s")
        return left

    def sleep(self, seconds: float) -> None:
        """Sleep, unless stopped."""
        end = time.monotonic() + seconds
        while (rest := end - time.monotonic()) > 0:
            self._stop.wait(min(_POLL_INTERVAL, rest))
            self.check()


class BodyWriter(Protocol):
    """What takes a body as it arrives; `clear` makes it forget what came, for another try."""

    def add(self, block: bytes) -> None:
        """Take the next bytes."""

    def clear(self) -> None:
        """Begin again."""


class _InMemory:
    def __init__(self) -> None:
        self.content = bytearray()

    def add(self, block: bytes) -> None:
        self.content += block

    def clear(self) -> None:
        self.content.clear()


class Downloader:
    """The attempts to download one file. They raise `DownloadError` with the one reason, without the URL."""

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
        self._session = _Session()
        for scheme in ("http://", "https://"):
            self._session.mount(scheme, _WatchedAdapter())
        # raw bytes: the .gz must not be taken for a compressed transfer of something else
        self._session.headers.update({"Accept-Encoding": "identity", "User-Agent": f"idxhub/{__version__}"})

    def __enter__(self) -> Downloader:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._session.close()

    def download(self, url: str) -> bytes:
        """The body: at most one byte more than is expected, whatever the server sends."""
        body = _InMemory()
        self.download_to(url, body)
        return bytes(body.content)

    def download_to(self, url: str, body: BodyWriter) -> None:
        """Hand the body on as it arrives: no more than is expected. What `body` itself raises is let through."""
        deadline = _Deadline(self._total, self._stop, self._heartbeat)
        deadline.check()
        _current.deadline = deadline
        try:
            self._attempt_all(_check_url(url), deadline, body)
        except IdxHubError:
            raise
        except (requests.RequestException, urllib3.exceptions.HTTPError, http.client.HTTPException, OSError) as error:
            reason = _describe_error(error)
        else:
            return
        finally:
            _current.deadline = None
        deadline.check()  # wrapped by now, if it was the reason
        # without a cause: what requests and urllib3 say themselves repeats addresses, and what is in them
        raise DownloadError(reason)

    def _attempt_all(self, url: str, deadline: _Deadline, body: BodyWriter) -> None:
        reason = ""
        for attempt in range(_MAX_ATTEMPTS):
            try:
                self._attempt(url, deadline, body)
            except _RetryError as failure:
                left = deadline.check()
                reason = str(failure)
                wait = _BACKOFF * 2**attempt if failure.wait is None else failure.wait
                if attempt + 1 == _MAX_ATTEMPTS:
                    break
                if wait > min(_MAX_RETRY_WAIT, left):
                    raise DownloadError(f"{reason}; asks to wait {wait:.0f} s") from failure
                deadline.sleep(wait)
            else:
                return
        raise DownloadError(f"{reason}, {_MAX_ATTEMPTS} times")

    def _attempt(self, url: str, deadline: _Deadline, body: BodyWriter) -> None:
        for _ in range(_REDIRECTS):
            with self._request(url) as response:
                target = _redirect_target(self._session, response)
                if target is None:
                    if response.status_code in _RETRIED:
                        raise _RetryError(f"HTTP {response.status_code}", _retry_after(response))
                    if response.status_code != 200:
                        raise DownloadError(f"HTTP {response.status_code} {response.reason or ''}".rstrip())
                    body.clear()
                    self._receive(response, deadline, body)
                    return
                url = target
        raise DownloadError("redirects without end")

    def _request(self, url: str) -> requests.Response:
        try:
            return self._session.get(url, stream=True, allow_redirects=False, timeout=(CONNECT_TIMEOUT, READ_TIMEOUT))
        except requests.ConnectionError as error:
            if isinstance(_cause_chain(error)[-1], ConnectionResetError | ConnectionAbortedError | BrokenPipeError):
                raise _RetryError("connection lost before an answer") from error
            raise
        except requests.exceptions.InvalidHeader:  # of the answer
            raise
        except (ValueError, TypeError) as error:
            raise DownloadError(_describe_unusable_url(url, error)) from None

    def _receive(self, response: requests.Response, deadline: _Deadline, body: BodyWriter) -> None:
        size, start = 0, b""
        expected = self._file.size
        with _progress_bar(self._file.filename, expected) as bar:
            while True:
                deadline.received = size
                deadline.check()
                try:
                    # read1 returns what has arrived, so that a trickle cannot outlast the deadline
                    block = response.raw.read1(self._next_read_size(start, size), decode_content=False)
                except (urllib3.exceptions.IncompleteRead, urllib3.exceptions.ProtocolError) as error:
                    raise _RetryError(f"connection lost after {size:,} bytes") from error
                except urllib3.exceptions.ReadTimeoutError as error:
                    raise DownloadError(f"nothing more for {READ_TIMEOUT:.0f} s after {size:,} bytes") from error
                if not block:
                    break
                size += len(block)
                start += block[: _SNIFFED - len(start)]
                if size > self._size_limit(start):
                    raise DownloadError(_describe_unexpected(response, start, self._size_limit(start)))
                body.add(block)
                bar.update(len(block))
        if size < (self._size_limit(start) if expected is not None else 1):
            if _is_html(response, start):
                raise DownloadError(_describe_unexpected(response, start, self._size_limit(start)))
            # as long as it was said to be: recompressed perhaps, and for the digests to judge
            if not size or response.headers.get("Content-Length") != str(size):
                raise _RetryError(f"ends after {size:,} of {self._size_limit(start):,} bytes")

    def _next_read_size(self, start: bytes, size: int) -> int:
        """How many bytes to read now: together at most one more than the file can have."""
        limit = self._size_limit(start)
        if len(start) < len(XZ_MAGIC):  # compressed or not: that is not known yet
            limit = min(limit, size_limit(self._file))
        return max(1, min(_BLOCK, limit + 1 - size))

    def _size_limit(self, start: bytes) -> int:
        """The most bytes that the file can have, judged by how it starts."""
        if isinstance(self._file, Resource) and not is_compressed(start):
            return self._file.payload_size
        return size_limit(self._file)


# The deadline of the attempt that a thread is making: http.client makes its readers where no argument reaches.
_current = threading.local()


class _WatchedSocket(io.RawIOBase):
    """What arrives on a socket, as long as the attempt's deadline allows: headers, redirects and chunk sizes too."""

    def __init__(self, raw: io.RawIOBase, sock: socket.socket) -> None:
        self._raw, self._socket = raw, sock

    def readable(self) -> bool:
        return True

    def fileno(self) -> int:
        return self._raw.fileno()

    def readinto(self, buffer: Any) -> int | None:
        deadline: _Deadline | None = getattr(_current, "deadline", None)
        if deadline is not None and not getattr(self._socket, "pending", int)():  # TLS may hold what has arrived
            silent = time.monotonic() + READ_TIMEOUT
            while not wait_for_read(self._socket, min(_POLL_INTERVAL, deadline.check())):
                if time.monotonic() > silent:
                    raise TimeoutError("timed out")
        return self._raw.readinto(buffer)

    def close(self) -> None:
        self._raw.close()
        super().close()


class _WatchedResponse(http.client.HTTPResponse):
    def __init__(self, sock: socket.socket, *arguments: Any, **options: Any) -> None:
        super().__init__(sock, *arguments, **options)
        self.fp = io.BufferedReader(_WatchedSocket(self.fp.detach(), sock))


@functools.cache
def _watched_class(kind: type[Any]) -> type[Any]:
    """The class of connections, with responses that are watched."""
    return type(kind.__name__, (kind,), {"response_class": _WatchedResponse})


class _WatchedAdapter(HTTPAdapter):
    """Connections whose responses are watched, those through a proxy of either kind as well."""

    def get_connection_with_tls_context(self, *arguments: Any, **options: Any) -> Any:
        pool: Any = super().get_connection_with_tls_context(*arguments, **options)
        if pool.ConnectionCls.response_class is not _WatchedResponse:
            pool.ConnectionCls = _watched_class(pool.ConnectionCls)
        return pool


class _Session(requests.Session):
    def resolve_redirects(self, *_: Any, **__: Any) -> Any:
        """None: requests would read the body of a redirect, however long, even where it does not follow."""
        return iter(())


def _redirect_target(session: requests.Session, response: requests.Response) -> str | None:
    """Where a response sends us; None if nowhere."""
    try:
        target = session.get_redirect_target(response)
        if target is None:
            return None
        url = urljoin(response.url, target)
        schemes = urlsplit(response.url).scheme, urlsplit(url).scheme
    except ValueError as error:  # requests lets the codec's and the URL parser's through
        raise DownloadError("redirected to a malformed address") from error
    if schemes[1] not in ("http", "https"):
        raise DownloadError("redirected to neither https nor http")
    if schemes == ("https", "http"):
        raise DownloadError("redirected from https to http; refused")
    return _check_url(url)


def _progress_bar(filename: str, total: int | None) -> Any:
    return tqdm(total=total, desc=filename, unit="B", unit_scale=True, leave=False, disable=not sys.stderr.isatty())


def _retry_after(response: requests.Response) -> float | None:
    value = response.headers.get("Retry-After", "").strip()
    if value.isascii() and value.isdigit():
        return float(value)
    try:
        return max(0.0, parsedate_to_datetime(value).timestamp() - time.time())
    except (ValueError, OverflowError):  # a year or an offset of thirty digits is no date either
        return None


def _is_html(response: requests.Response, start: bytes) -> bool:
    return is_html(start) or response.headers.get("Content-Type", "").startswith("text/html")


def _describe_unexpected(response: requests.Response, start: bytes, limit: int) -> str:
    if _is_html(response, start):
        return "answered with an HTML page (a log-in page of the network, or an error page)"
    return f"more than the {limit:,} bytes expected"


def _check_url(url: str) -> str:
    """The URL itself; raises `DownloadError`, which does not repeat it, if it is none that can be asked."""
    try:
        requests.Request("GET", url).prepare()
    except ValueError:  # so are those of requests
        raise DownloadError("the address cannot be used") from None
    return url


def _describe_unusable_url(url: str, error: Exception) -> str:
    """Why a sound URL cannot be asked."""
    if isinstance(error, requests.exceptions.InvalidSchema) and "SOCKS" in str(error):
        return "the proxy speaks SOCKS, which needs PySocks: python -m pip install 'requests[socks]'"
    if requests.utils.select_proxy(url, requests.utils.get_environ_proxies(url)):
        return f"the proxy's address cannot be used; see {urlsplit(url).scheme}_proxy"
    return "the address cannot be used"


def _describe_error(error: Exception) -> str:
    """The innermost cause in words; urllib3 wraps it three deep, and never with a proxy's password."""
    if isinstance(error, requests.exceptions.ConnectTimeout):
        return f"no connection within {CONNECT_TIMEOUT:.0f} s"
    if isinstance(error, requests.exceptions.ReadTimeout):
        return f"no answer within {READ_TIMEOUT:.0f} s"
    causes = _cause_chain(error)
    cause = causes[-1]
    reason = getattr(cause, "strerror", None) or (
        str(cause) if type(cause) is OSError else f"{type(cause).__name__}: {cause}"
    )
    # "connection refused" would be looked for at the mirror
    proxy = any(isinstance(each, requests.exceptions.ProxyError) or type(each).__module__ == "socks" for each in causes)
    return f"the proxy: {reason}" if proxy else reason


def _cause_chain(error: BaseException) -> list[BaseException]:
    """The error and what it comes from, the innermost cause last."""
    chain = [error]
    while (inner := chain[-1].__cause__ or chain[-1].__context__) is not None:
        chain.append(inner)
    return chain
