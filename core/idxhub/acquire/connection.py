"""HTTP connections on which no part of an answer outlasts a deadline: headers, redirects and chunk sizes included."""

from __future__ import annotations

import functools
import http.client
import io
import socket
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Any

import requests
from requests.adapters import HTTPAdapter
from urllib3.util import wait_for_read

from idxhub._version import __version__
from idxhub.errors import DownloadError

CONNECT_TIMEOUT = 10.0  # seconds
READ_TIMEOUT = 30.0  # seconds between two arrivals
POLL_INTERVAL = 0.5  # seconds between two checks of the deadline while nothing arrives


class Deadline:
    """When the attempts to download a file have to end: after `total` seconds, or as soon as `stop` is set."""

    def __init__(self, total: float, stop: threading.Event, heartbeat: Callable[[], None]) -> None:
        self._total, self._stop, self._heartbeat = total, stop, heartbeat
        self._end = time.monotonic() + total
        self.received = 0  # bytes of the current body, for the error

    def check(self) -> float:
        """Call the heartbeat and return the seconds left. Raises `DownloadError` if there are none."""
        if self._stop.is_set():
            raise DownloadError("stopped")
        self._heartbeat()
        left = self._end - time.monotonic()
        if left <= 0:
            raise DownloadError(f"too slow: {self.received:,} bytes in {self._total:.0f} s")
        return left

    def sleep(self, seconds: float) -> None:
        """Wait, and check the deadline meanwhile."""
        end = time.monotonic() + seconds
        while (rest := end - time.monotonic()) > 0:
            self._stop.wait(min(POLL_INTERVAL, rest))
            self.check()


# http.client makes its readers where no argument reaches them: the deadline is handed over through the thread
_thread = threading.local()


@contextmanager
def watching(deadline: Deadline) -> Iterator[None]:
    """A context in which reads of this thread on the connections of a `Session` end with `deadline`."""
    _thread.deadline = deadline
    try:
        yield
    finally:
        _thread.deadline = None


class Session(requests.Session):
    """A session that asks for raw bytes, on watched connections, and does not read the body of a redirect."""

    def __init__(self) -> None:
        super().__init__()
        for scheme in ("http://", "https://"):
            self.mount(scheme, _WatchedAdapter())
        # "identity": the .gz must not be taken for a compressed transfer of something else
        self.headers.update({"Accept-Encoding": "identity", "User-Agent": f"idxhub/{__version__}"})

    def open(self, url: str) -> requests.Response:
        """Request a URL. The response has its headers; its body is still to be read."""
        return self.get(url, stream=True, allow_redirects=False, timeout=(CONNECT_TIMEOUT, READ_TIMEOUT))

    def resolve_redirects(self, *_: Any, **__: Any) -> Any:
        """None: requests would read the body of a redirect, however long, even if it does not follow it."""
        return iter(())


class _WatchedAdapter(HTTPAdapter):
    """Makes connections with watched responses, those through an HTTP or SOCKS proxy as well."""

    def get_connection_with_tls_context(self, *arguments: Any, **options: Any) -> Any:
        pool: Any = super().get_connection_with_tls_context(*arguments, **options)
        if pool.ConnectionCls.response_class is not _WatchedResponse:
            pool.ConnectionCls = _watched_class(pool.ConnectionCls)
        return pool


@functools.cache
def _watched_class(connection: type[Any]) -> type[Any]:
    """The same class of connections, with watched responses."""
    return type(connection.__name__, (connection,), {"response_class": _WatchedResponse})


class _WatchedResponse(http.client.HTTPResponse):
    def __init__(self, sock: socket.socket, *arguments: Any, **options: Any) -> None:
        super().__init__(sock, *arguments, **options)
        self.fp = io.BufferedReader(_WatchedSocket(self.fp.detach(), sock))


class _WatchedSocket(io.RawIOBase):
    """The bytes that arrive on a socket; while none do, the thread's deadline is checked."""

    def __init__(self, raw: io.RawIOBase, sock: socket.socket) -> None:
        self._raw, self._socket = raw, sock

    def readable(self) -> bool:
        return True

    def fileno(self) -> int:
        return self._raw.fileno()

    def readinto(self, buffer: Any) -> int | None:
        deadline: Deadline | None = getattr(_thread, "deadline", None)
        if deadline is not None and not getattr(self._socket, "pending", int)():  # TLS may hold what has arrived
            silent_until = time.monotonic() + READ_TIMEOUT
            while not wait_for_read(self._socket, min(POLL_INTERVAL, deadline.check())):
                if time.monotonic() > silent_until:
                    raise TimeoutError("timed out")
        return self._raw.readinto(buffer)

    def close(self) -> None:
        self._raw.close()
        super().close()
