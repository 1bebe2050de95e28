"""A small real proxy on 127.0.0.1: passes requests on and tunnels CONNECT, with credentials if it is told to want them.

with Proxy(credentials="user:secret") as proxy:
    os.environ["http_proxy"] = proxy.url_for("user:secret")
    ...
    proxy.asked  # the request lines, such as "GET http://127.0.0.1:4321/a.gz"
"""

from __future__ import annotations

import base64
import contextlib
import http.client
import socket
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any
from urllib.parse import urlsplit

from support.serving import Serving


class Proxy(Serving):
    """Serves in threads of its own until the `with` block ends. Without the `credentials` it wants, it answers 407."""

    def __init__(self, credentials: str | None = None) -> None:
        self.asked: list[str] = []
        self.wanted = None if credentials is None else f"Basic {base64.b64encode(credentials.encode()).decode()}"
        server = _Httpd(("127.0.0.1", 0), _Handler)
        server.owner = self
        super().__init__(server)

    @property
    def url(self) -> str:
        return f"http://127.0.0.1:{self.port}"

    def url_for(self, credentials: str) -> str:
        """With a user name and a password, as such addresses carry them."""
        return self.url.replace("//", f"//{credentials}@")


class _Httpd(ThreadingHTTPServer):
    daemon_threads = True
    request_queue_size = 64
    owner: Proxy


class _Handler(BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"
    server: _Httpd

    def do_GET(self) -> None:
        """One request passed on; the answer's end is the connection's."""
        if not self._may_pass():
            return
        target = urlsplit(self.path)
        headers = {name: value for name, value in self.headers.items() if not name.lower().startswith("proxy-")}
        upstream = http.client.HTTPConnection(target.hostname or "", target.port or 80, timeout=30)
        with contextlib.closing(upstream), contextlib.suppress(OSError):
            upstream.request(self.command, target.path, headers=headers | {"Connection": "close"})
            answer = upstream.getresponse()
            self.send_response(answer.status, answer.reason)
            for name, value in answer.getheaders():
                if name.lower() not in ("connection", "transfer-encoding"):
                    self.send_header(name, value)
            self.send_header("Connection", "close")
            self.end_headers()
            while block := answer.read(1 << 16):
                self.wfile.write(block)
        self.close_connection = True

    def do_HEAD(self) -> None:
        self.do_GET()

    def do_CONNECT(self) -> None:
        if not self._may_pass():
            return
        host, _, port = self.path.rpartition(":")
        with contextlib.suppress(OSError), socket.create_connection((host, int(port)), timeout=30) as upstream:
            self.send_response(200)
            self.end_headers()
            self.server.owner.carry(self.connection, upstream)
        self.close_connection = True

    def _may_pass(self) -> bool:
        owner = self.server.owner
        owner.asked.append(f"{self.command} {self.path}")
        if owner.wanted in (None, self.headers.get("Proxy-Authorization")):
            return True
        self.send_response(407)
        self.send_header("Proxy-Authenticate", 'Basic realm="proxy"')
        self.send_header("Content-Length", "0")
        self.end_headers()
        return False

    def log_message(self, *arguments: Any) -> None:
        pass
