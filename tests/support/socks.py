"""A small real SOCKS5 proxy on 127.0.0.1, as RFC 1928 and 1929 have it: CONNECT to a name or an IPv4 address.

with Socks("user:secret") as proxy:
    os.environ["http_proxy"] = proxy.url_for("user:secret")
    ...
    proxy.asked  # where to, such as "127.0.0.1:4321"
"""

from __future__ import annotations

import contextlib
import select
import socket
import threading
from socketserver import StreamRequestHandler, ThreadingTCPServer
from typing import Self

_FREELY, _WITH_PASSWORD, _IN_NO_WAY = 0, 2, 255
_IPV4 = 1


class Socks:
    """Serves in threads of its own until the `with` block ends, and only whoever has the `credentials`, if any."""

    def __init__(self, credentials: str | None = None) -> None:
        self.asked: list[str] = []
        self.closing = threading.Event()
        self.wanted = credentials
        self._server = _Server(("127.0.0.1", 0), _Handler)
        self._server.owner = self
        self._thread = threading.Thread(target=self._server.serve_forever, args=(0.02,), daemon=True)

    def url_for(self, credentials: str) -> str:
        return f"socks5h://{credentials}@127.0.0.1:{self._server.server_address[1]}"

    def __enter__(self) -> Self:
        self._thread.start()
        return self

    def __exit__(self, *error: object) -> None:
        self.closing.set()
        self._server.shutdown()
        self._server.server_close()
        self._thread.join()


class _Server(ThreadingTCPServer):
    daemon_threads = True
    request_queue_size = 64
    owner: Socks


class _Handler(StreamRequestHandler):
    server: _Server

    def handle(self) -> None:
        with contextlib.suppress(OSError):
            if not self._may_pass():
                return
            _, _, _, kind = self.rfile.read(4)
            host = socket.inet_ntoa(self.rfile.read(4)) if kind == _IPV4 else self._counted()
            port = int.from_bytes(self.rfile.read(2))
            self.server.owner.asked.append(f"{host}:{port}")
            with socket.create_connection((host, port), timeout=30) as upstream:
                self.wfile.write(bytes([5, 0, 0, _IPV4, 0, 0, 0, 0, 0, 0]))
                self._carry(upstream)

    def _may_pass(self) -> bool:
        wanted = self.server.owner.wanted
        way = _FREELY if wanted is None else _WITH_PASSWORD
        _, count = self.rfile.read(2)
        offered = self.rfile.read(count)
        self.wfile.write(bytes([5, way if way in offered else _IN_NO_WAY]))
        if way not in offered or wanted is None:
            return way in offered
        self.rfile.read(1)
        right = f"{self._counted()}:{self._counted()}" == wanted
        self.wfile.write(bytes([1, not right]))
        return right

    def _counted(self) -> str:
        return self.rfile.read(self.rfile.read(1)[0]).decode()

    def _carry(self, upstream: socket.socket) -> None:
        others = {self.connection: upstream, upstream: self.connection}
        while not self.server.owner.closing.is_set():
            for side in select.select(list(others), [], [], 0.1)[0]:
                block = side.recv(1 << 16)
                if not block:
                    return
                others[side].sendall(block)
