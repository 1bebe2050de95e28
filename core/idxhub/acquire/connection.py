"""HTTP connections on which every part of an answer has a deadline, the headers, redirects and chunk sizes too."""

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
from idxhub.errors import STOPPED, DownloadError

CONNECT_TIMEOUT = 10.0  # seconds
READ_TIMEOUT = 30.0  # seconds between two arrivals
POLL_INTERVAL = 0.5  # seconds between two checks of the deadline while no bytes arrive


class Deadline:
    """The time when the attempts to download a file must end: after `total` seconds, or as soon as `stop` is set."""

    def __init__(self, total: float, stop: threading.Event, heartbeat: Callable[[], None]) -> None:
        self._total, self._stop, self._heartbeat = total, stop, heartbeat
        self._end = time.monotonic() + total
        self.received = 0  # bytes of the current body, for the error

    def check(self) -> float:
        """Call the heartbeat and return the seconds that are left. Raises `DownloadError` if none are left."""
        if self._stop.is_set():
            raise DownloadError(STOPPED)
        self._heartbeat()
        left = self._end - time.monotonic()
        if left <= 0:
            raise DownloadError(f"too slow: {self.received:,} bytes in {self._total:.0f} s")
        return left

    def sleep(self, seconds: float) -> None:
        """Wait for some seconds, and check the deadline while waiting."""
        end = time.monotonic() + seconds
        while (rest := end - time.monotonic()) > 0:
            self._stop.wait(min(POLL_INTERVAL, rest))
            self.check()


# http.client creates the objects that read from the socket, and no argument can be passed to them. Therefore they get
# the deadline from a thread-local variable.
_thread = threading.local()


@contextmanager
def enforce_deadline(deadline: Deadline) -> Iterator[None]:
    """A context in which `deadline` applies to everything that this thread reads from a `Session`'s connections."""
    _thread.deadline = deadline
    try:
        yield
    finally:
        _thread.deadline = None


class Session(requests.Session):
    """A session that asks for uncompressed transfers, observes deadlines, and does not read the body of a redirect."""

    def __init__(self) -> None:
        super().__init__()
        for scheme in ("http://", "https://"):
            self.mount(scheme, _DeadlineAdapter())
        # "identity": otherwise a .gz could be taken for a compressed transfer of another file
        self.headers.update({"Accept-Encoding": "identity", "User-Agent": f"idxhub/{__version__}"})

    def open(self, url: str) -> requests.Response:
        """Request a URL, and return the response with its headers. The body has not been read yet."""
        return self.get(url, stream=True, allow_redirects=False, timeout=(CONNECT_TIMEOUT, READ_TIMEOUT))

    def resolve_redirects(self, *_: Any, **__: Any) -> Any:
        """Resolve no redirects: requests would read a redirect's whole body, even without following it."""
        return iter(())


class _DeadlineAdapter(HTTPAdapter):
    """Makes connections that observe the deadline, also through an HTTP or SOCKS proxy."""

    def get_connection_with_tls_context(self, *arguments: Any, **options: Any) -> Any:
        pool: Any = super().get_connection_with_tls_context(*arguments, **options)
        if pool.ConnectionCls.response_class is not _DeadlineResponse:
            pool.ConnectionCls = _with_deadline(pool.ConnectionCls)
        return pool


@functools.cache
def _with_deadline(connection: type[Any]) -> type[Any]:
    """A subclass of a class of connections, whose responses observe the deadline."""
    return type(connection.__name__, (connection,), {"response_class": _DeadlineResponse})


class _DeadlineResponse(http.client.HTTPResponse):
    def __init__(self, sock: socket.socket, *arguments: Any, **options: Any) -> None:
        super().__init__(sock, *arguments, **options)
        self.fp = io.BufferedReader(_DeadlineReader(self.fp.detach(), sock))


class _DeadlineReader(io.RawIOBase):
    """Reads from a socket, and checks the thread's deadline while no bytes arrive."""

    def __init__(self, raw: io.RawIOBase, sock: socket.socket) -> None:
        self._raw, self._socket = raw, sock

    def readable(self) -> bool:
        return True

    def fileno(self) -> int:
        return self._raw.fileno()

    def readinto(self, buffer: Any) -> int | None:
        deadline: Deadline | None = getattr(_thread, "deadline", None)
        if deadline is not None and not getattr(self._socket, "pending", int)():  # TLS may have buffered bytes
            silent_until = time.monotonic() + READ_TIMEOUT
            while not wait_for_read(self._socket, min(POLL_INTERVAL, deadline.check())):
                if time.monotonic() > silent_until:
                    raise TimeoutError("timed out")
        return self._raw.readinto(buffer)

    def close(self) -> None:
        self._raw.close()
        super().close()
