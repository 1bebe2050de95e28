"""What the server and the proxies of the tests share: they serve in threads until a `with` block ends."""

from __future__ import annotations

import select
import socket
import threading
from socketserver import BaseServer
from typing import Self


class Serving:
    """Serves in threads of its own until the `with` block ends; `closing` is set then, for what still waits."""

    def __init__(self, server: BaseServer) -> None:
        self.closing = threading.Event()
        self.port: int = server.server_address[1]
        self._server = server
        self._thread = threading.Thread(target=server.serve_forever, args=(0.02,), daemon=True)

    def __enter__(self) -> Self:
        self._thread.start()
        return self

    def __exit__(self, *error: object) -> None:
        self.closing.set()
        self._server.shutdown()
        self._server.server_close()
        self._thread.join()

    def carry(self, one: socket.socket, other: socket.socket) -> None:
        """Carry bytes both ways, unread, until one side hangs up."""
        others = {one: other, other: one}
        while not self.closing.is_set():
            for side in select.select(list(others), [], [], 0.1)[0]:
                block = side.recv(1 << 16)
                if not block:
                    return
                others[side].sendall(block)
