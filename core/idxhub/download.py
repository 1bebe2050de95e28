"""One file over HTTP: deadlines, bounded retries, raw bytes, never more of them than expected."""

from __future__ import annotations

import sys
import time
from collections.abc import Callable
from email.utils import parsedate_to_datetime
from types import TracebackType
from typing import Any
from urllib.parse import urlsplit

import requests
import urllib3
from tqdm import tqdm

from idxhub._version import __version__
from idxhub.catalog import Resource
from idxhub.errors import DownloadError
from idxhub.inflate import is_compressed

CONNECT_TIMEOUT = 10.0  # seconds
READ_TIMEOUT = 30.0  # seconds between two arrivals
TOTAL_TIMEOUT = 900.0  # seconds for one file from one mirror, retries included
_TRIES = 3
_LONGEST_WAIT = 30.0  # seconds; a server that asks for more is left for the next mirror
_PAUSE = 0.5  # seconds before the second try, doubled before the third
_BLOCK = 1 << 18  # bytes
_RETRIED = frozenset({429, 500, 502, 503, 504})


class _TryAgain(Exception):  # noqa: N818 -- a signal between two functions here
    def __init__(self, why: str, wait: float | None = None) -> None:
        super().__init__(why)
        self.wait = wait


class Downloads:
    """The attempts to download one resource. `get` raises `DownloadError` with the one reason, without the URL."""

    def __init__(
        self, resource: Resource, alive: Callable[[], None] = lambda: None, *, total: float = TOTAL_TIMEOUT
    ) -> None:
        self._resource, self._alive, self._total = resource, alive, total
        self._session = _Session()
        # raw bytes: the .gz must not be taken for a compressed transfer of something else
        self._session.headers.update({"Accept-Encoding": "identity", "User-Agent": f"idxhub/{__version__}"})

    def __enter__(self) -> Downloads:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._session.close()

    def get(self, url: str) -> bytes:
        """The body: at most one byte more than is expected, whatever the server sends."""
        deadline = time.monotonic() + self._total
        reason = ""
        for attempt in range(_TRIES):
            try:
                return self._once(url, deadline)
            except _TryAgain as failure:
                reason = str(failure)
                wait = _PAUSE * 2**attempt if failure.wait is None else failure.wait
                if attempt + 1 == _TRIES:
                    break
                if wait > min(_LONGEST_WAIT, deadline - time.monotonic()):
                    raise DownloadError(f"{reason}; asks to wait {wait:.0f} s") from failure
                time.sleep(wait)
            except DownloadError:  # an OSError too, and says it best itself
                raise
            except (requests.RequestException, urllib3.exceptions.HTTPError, OSError) as error:
                raise DownloadError(_reason(error)) from error
        raise DownloadError(f"{reason}, {_TRIES} times")

    def _once(self, url: str, deadline: float) -> bytes:
        with self._session.get(url, stream=True, timeout=(CONNECT_TIMEOUT, READ_TIMEOUT)) as response:
            if response.status_code in _RETRIED:
                raise _TryAgain(f"HTTP {response.status_code}", _retry_after(response))
            if response.status_code != 200:
                raise DownloadError(f"HTTP {response.status_code} {response.reason or ''}".rstrip())
            return self._body(response, deadline)

    def _body(self, response: requests.Response, deadline: float) -> bytes:
        body = bytearray()
        expected = self._resource.size
        with _progress(self._resource.filename, expected) as bar:
            while True:
                if time.monotonic() > deadline:
                    raise DownloadError(f"too slow: {len(body):,} bytes in {self._total:.0f} s")
                try:
                    # read1 returns what has arrived, so that a trickle cannot outlast the deadline
                    wanted = min(_BLOCK, self._limit(body) + 1 - len(body))
                    block = response.raw.read1(wanted, decode_content=False)
                except (urllib3.exceptions.IncompleteRead, urllib3.exceptions.ProtocolError) as error:
                    raise _TryAgain(f"connection lost after {len(body):,} bytes") from error
                except urllib3.exceptions.ReadTimeoutError as error:
                    raise DownloadError(f"nothing more for {READ_TIMEOUT:.0f} s after {len(body):,} bytes") from error
                if not block:
                    break
                body += block
                bar.update(len(block))
                self._alive()
                if len(body) > self._limit(body):
                    raise DownloadError(_unexpected(response, body, self._limit(body)))
        if len(body) < (self._limit(body) if expected is not None else 1):
            if _is_page(response, body):
                raise DownloadError(_unexpected(response, body, self._limit(body)))
            # as long as it was said to be: recompressed perhaps, and for the digests to judge
            if not body or response.headers.get("Content-Length") != str(len(body)):
                raise _TryAgain(f"ends after {len(body):,} of {self._limit(body):,} bytes")
        return bytes(body)

    def _limit(self, body: bytearray) -> int:
        """The most bytes that the file can have, judged by how it starts."""
        payload = self._resource.payload_size
        if not is_compressed(bytes(body[:6])):
            return payload
        # deflate stores what it cannot shrink, 5 bytes for each 16 KiB or less; see RFC 1951
        return self._resource.size or payload + payload // 1000 + 1024


class _Session(requests.Session):
    def get_redirect_target(self, resp: requests.Response) -> str | None:
        try:
            target: str | None = super().get_redirect_target(resp)
            schemes = urlsplit(resp.url).scheme, urlsplit(target or "").scheme
        except ValueError as error:  # requests lets the codec's and the URL parser's through
            resp.close()
            raise requests.exceptions.InvalidURL("redirected to a malformed address") from error
        if schemes == ("https", "http"):
            resp.close()
            raise requests.exceptions.InvalidURL("redirected from https to http; refused")
        return target


def _progress(filename: str, total: int | None) -> Any:
    return tqdm(total=total, desc=filename, unit="B", unit_scale=True, leave=False, disable=not sys.stderr.isatty())


def _retry_after(response: requests.Response) -> float | None:
    value = response.headers.get("Retry-After", "").strip()
    if value.isascii() and value.isdigit():
        return float(value)
    try:
        return max(0.0, parsedate_to_datetime(value).timestamp() - time.time())
    except ValueError:
        return None


def _is_page(response: requests.Response, body: bytearray) -> bool:
    start = bytes(body[:512]).lstrip().lower()
    return start.startswith((b"<!doctype", b"<html")) or response.headers.get("Content-Type", "").startswith(
        "text/html"
    )


def _unexpected(response: requests.Response, body: bytearray, limit: int) -> str:
    if _is_page(response, body):
        return "answered with an HTML page (a log-in page of the network, or an error page)"
    return f"more than the {limit:,} bytes expected"


def _reason(error: Exception) -> str:
    """The innermost cause in words; urllib3 wraps it three deep, and never with a proxy's password."""
    if isinstance(error, requests.exceptions.ConnectTimeout):
        return f"no connection within {CONNECT_TIMEOUT:.0f} s"
    if isinstance(error, requests.exceptions.ReadTimeout):
        return f"no answer within {READ_TIMEOUT:.0f} s"
    if isinstance(error, requests.exceptions.TooManyRedirects):
        return "redirects without end"
    cause: BaseException = error
    while (inner := cause.__cause__ or cause.__context__) is not None:
        cause = inner
    return getattr(cause, "strerror", None) or f"{type(cause).__name__}: {cause}"
