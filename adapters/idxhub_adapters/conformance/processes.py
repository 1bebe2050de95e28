"""Worker processes of frameworks whose loaders leave it to `multiprocessing` how a process is started."""

from __future__ import annotations

import contextlib
import multiprocessing
import signal
from collections.abc import Iterator


@contextlib.contextmanager
def started_by(method: str) -> Iterator[None]:
    """A context in which `multiprocessing` starts processes by `method`, and SIGTERM ends these processes at once.

    The command `idxhub` has a handler for SIGTERM. Forked workers would inherit it, and a pool that ends them with
    SIGTERM would sometimes wait forever.
    """
    before, handler = multiprocessing.get_start_method(), signal.signal(signal.SIGTERM, signal.SIG_DFL)
    multiprocessing.set_start_method(method, force=True)
    try:
        yield
    finally:
        multiprocessing.set_start_method(before, force=True)
        signal.signal(signal.SIGTERM, handler)
