"""A real HTTP server on 127.0.0.1 that answers each path as it is told to, and remembers what it was asked.

    with Server() as server:
        server.route("/a.gz", status(500), ok(body))   # the first request, then every later one
        get(server.url + "/a.gz")
        server.count("/a.gz")

An answer is a function of a `Handler`; the ready-made ones are below. What has no route is 404.
"""

from __future__ import annotations

import contextlib
import socket
import ssl
import struct
import threading
import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any

from support.serving import Serving

Answer = Callable[["Handler"], None]


@dataclass(frozen=True)
class Request:
    """One request as it arrived; `at` is on the monotonic clock."""

    method: str
    path: str
    headers: dict[str, str]
    at: float


class Server(Serving):
    """Serves in threads of its own until the `with` block ends; answers still under way are cut off then."""

    def __init__(self, context: ssl.SSLContext | None = None) -> None:
        self.requests: list[Request] = []
        self.bytes_sent = 0
        self._routes: dict[str, list[Answer]] = {}
        self._guard = threading.Lock()
        self._httpd = _Httpd(("127.0.0.1", 0), Handler)
        self._httpd.owner, self._httpd.context = self, context
        self._scheme = "http" if context is None else "https"
        super().__init__(self._httpd)

    @property
    def url(self) -> str:
        return self.url_for("127.0.0.1")

    def url_for(self, host: str) -> str:
        return f"{self._scheme}://{host}:{self.port}"

    def route(self, path: str, *answers: Answer) -> None:
        """Give these answers to the requests for `path`, in turn; the last one stays."""
        self._routes[path] = list(answers)

    def serve(self, folder: Path, prefix: str = "") -> None:
        """Answer with each of the folder's files under its name."""
        for file in folder.iterdir():
            self.route(f"{prefix}/{file.name}", ok(file.read_bytes()))

    def count(self, path: str | None = None) -> int:
        """How many requests there were, for this path or in all."""
        return sum(path in (None, request.path) for request in self.requests)

    def _answer(self, request: Request) -> Answer:
        with self._guard:
            self.requests.append(request)
            answers = self._routes.get(request.path, [status(404)])
            return answers.pop(0) if len(answers) > 1 else answers[0]


class Handler(BaseHTTPRequestHandler):
    """What an answer writes to."""

    protocol_version = "HTTP/1.1"
    disable_nagle_algorithm = True  # a small write need not wait for the last one's acknowledgement
    server: _Httpd

    @property
    def closing(self) -> threading.Event:
        """Set when the server stops; an answer that waits, waits on this."""
        return self.server.owner.closing

    def do_GET(self) -> None:
        owner = self.server.owner
        request = Request(self.command, self.path, dict(self.headers.items()), time.monotonic())
        answer = owner._answer(request)
        # the client hangs up on much of what is sent here, as it should
        with contextlib.suppress(ConnectionError, ssl.SSLError, _NoMoreError):
            answer(self)

    def head(self, code: int, headers: Mapping[str, str]) -> None:
        self.send_response(code)
        for name, value in headers.items():
            self.send_header(name, value)
        self.end_headers()
        if self.command == "HEAD":
            raise _NoMoreError

    def do_HEAD(self) -> None:
        self.do_GET()  # `head` ends it

    def body(self, data: bytes) -> None:
        self.wfile.write(data)
        self.wfile.flush()
        with self.server.owner._guard:
            self.server.owner.bytes_sent += len(data)

    def hang_up(self, *, reset: bool = False) -> None:
        """Close the connection: in order, or with an RST."""
        if reset:
            self.connection.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
            self.connection.close()
        self.close_connection = True

    def log_message(self, *arguments: Any) -> None:
        pass


class _NoMoreError(Exception):
    """Ends an answer at its headers, which is all that HEAD asks for."""


class _Httpd(ThreadingHTTPServer):
    daemon_threads = True
    request_queue_size = 64
    owner: Server
    context: ssl.SSLContext | None

    def finish_request(self, request: Any, client_address: Any) -> None:
        if self.context is not None:
            # in the connection's own thread, so that a client that refuses the certificate holds up nobody
            try:
                request = self.context.wrap_socket(request, server_side=True)
            except OSError:
                return
        with contextlib.closing(request), contextlib.suppress(ConnectionError):
            super().finish_request(request, client_address)


def ok(body: bytes, **headers: str) -> Answer:
    """200 and the body; keyword `content_type` becomes the header Content-Type, and so on."""
    return status(200, body, **headers)


def status(code: int, body: bytes = b"", **headers: str) -> Answer:
    """Any status with a whole body."""

    def answer(handler: Handler) -> None:
        handler.head(code, {"Content-Length": str(len(body))} | _named(headers))
        handler.body(body)

    return answer


def redirect(url: str, code: int = 302) -> Answer:
    """To another place."""
    return status(code, location=url)


def page(text: str = "<!DOCTYPE html><html><body>Please log in</body></html>") -> Answer:
    """200 with a page, as from a captive portal."""
    return ok(text.encode(), content_type="text/html; charset=utf-8")


def short(body: bytes, sent: int, *, reset: bool = False) -> Answer:
    """Promise the whole body, send the first `sent` bytes and hang up."""

    def answer(handler: Handler) -> None:
        handler.head(200, {"Content-Length": str(len(body))})
        handler.body(body[:sent])
        handler.hang_up(reset=reset)

    return answer


def unsized(body: bytes) -> Answer:
    """No Content-Length: the end of the connection is the end of the body."""

    def answer(handler: Handler) -> None:
        handler.head(200, {"Connection": "close"})
        handler.body(body)
        handler.hang_up()

    return answer


def chunked(body: bytes, *, step: int = 1000, cut: int | None = None) -> Answer:
    """In chunks; with `cut`, reset after that many of them."""

    def answer(handler: Handler) -> None:
        handler.head(200, {"Transfer-Encoding": "chunked"})
        for sent, start in enumerate(range(0, len(body), step)):
            if sent == cut:
                handler.hang_up(reset=True)
                return
            block = body[start : start + step]
            handler.body(f"{len(block):x}\r\n".encode() + block + b"\r\n")
        handler.body(b"0\r\n\r\n")

    return answer


def endless(body: bytes, *, step: int = 1 << 16, most: int = 1 << 26, pause: float = 0) -> Answer:
    """The body, then zeros for as long as the client takes them (`most` bytes, so that a test ends)."""

    def answer(handler: Handler) -> None:
        handler.head(200, {"Connection": "close"})
        handler.body(body)
        for _ in range(most // step):
            if handler.closing.wait(pause):
                break
            handler.body(bytes(step))
        handler.hang_up()

    return answer


def silent() -> Answer:
    """Accept, read the request, and never answer."""

    def answer(handler: Handler) -> None:
        handler.closing.wait()
        handler.hang_up()

    return answer


def stall(body: bytes, sent: int) -> Answer:
    """Promise the whole body, send the first `sent` bytes, and then nothing."""

    def answer(handler: Handler) -> None:
        handler.head(200, {"Content-Length": str(len(body))})
        handler.body(body[:sent])
        handler.closing.wait()
        handler.hang_up()

    return answer


def trickle(body: bytes, pause: float, *, step: int = 1) -> Answer:
    """The whole body, `step` bytes every `pause` seconds."""

    def answer(handler: Handler) -> None:
        handler.head(200, {"Content-Length": str(len(body))})
        for start in range(0, len(body), step):
            handler.body(body[start : start + step])
            if handler.closing.wait(pause):
                break
        handler.hang_up()

    return answer


def raw(data: bytes) -> Answer:
    """These bytes in place of an answer, whatever they are."""

    def answer(handler: Handler) -> None:
        handler.body(data)
        handler.hang_up()

    return answer


def slow(answer: Answer, seconds: float) -> Answer:
    """Another answer, later."""

    def later(handler: Handler) -> None:
        if not handler.closing.wait(seconds):
            answer(handler)

    return later


def closed_port() -> int:
    """A port of 127.0.0.1 on which nobody listens."""
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])


def _named(headers: Mapping[str, str]) -> dict[str, str]:
    return {name.replace("_", "-").title(): value for name, value in headers.items()}
