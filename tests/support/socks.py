"""A small real SOCKS5 proxy on 127.0.0.1, as RFC 1928 and 1929 have it: CONNECT to a name or an IPv4 address.

with Socks("user:secret") as proxy:
    os.environ["http_proxy"] = proxy.url_for("user:secret")
    ...
    proxy.asked  # where to, such as "127.0.0.1:4321"
"""

from __future__ import annotations

import contextlib
import socket
from socketserver import StreamRequestHandler, ThreadingTCPServer

from support.serving import Serving

_FREELY, _WITH_PASSWORD, _IN_NO_WAY = 0, 2, 255
_IPV4 = 1


class Socks(Serving):
    """Serves until the `with` block ends; with `credentials`, it serves only clients that send them."""

    def __init__(self, credentials: str | None = None) -> None:
        self.asked: list[str] = []
        self.wanted = credentials
        server = _Server(("127.0.0.1", 0), _Handler)
        server.owner = self
        super().__init__(server)

    def url_for(self, credentials: str) -> str:
        return f"socks5h://{credentials}@127.0.0.1:{self.port}"


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
                self.server.owner.carry(self.connection, upstream)

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
