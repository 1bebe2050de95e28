"""A progress bar on the terminal that can neither fail a download nor hold one up."""

from __future__ import annotations

import os
import select
import sys
import threading
from collections.abc import Callable
from typing import Any, ClassVar
from weakref import WeakSet

from tqdm import tqdm


class ProgressBar:
    """The progress of one download, shown on stderr if that is a terminal."""

    def __init__(self, filename: str, total: int | None) -> None:
        self._bar: Any = None
        terminal = _Terminal(sys.stderr)
        if terminal.is_working:
            self._bar = _draw(
                lambda: _Bar(total=total, desc=filename, unit="B", unit_scale=True, leave=False, file=terminal)
            )

    def update(self, count: int) -> None:
        """Show that `count` more bytes have arrived."""
        if self._bar is not None:
            _draw(lambda: self._bar.update(count))

    def close(self) -> None:
        """Remove the bar from the terminal."""
        if self._bar is not None:
            _draw(self._bar.close)


class _NoLock:
    """In place of tqdm's lock, which stays locked for ever once drawing a bar has failed; see `_draw`."""

    def acquire(self, *_: object, **__: object) -> bool:
        return True

    def release(self) -> None: ...
    def __enter__(self) -> None: ...
    def __exit__(self, *_: object) -> None: ...


class _Bar(tqdm):  # type: ignore[type-arg]  # generic in its stubs alone
    _instances: ClassVar[WeakSet[Any]] = WeakSet()  # those of tqdm are protected by tqdm's lock
    monitor_interval = 0  # no thread that outlives the download


_Bar.set_lock(_NoLock())
_lock = threading.Lock()


def _renew_lock() -> None:
    global _lock  # noqa: PLW0603 -- a thread that does not exist in a forked child may hold the old one
    _lock = threading.Lock()


if hasattr(os, "register_at_fork"):
    os.register_at_fork(after_in_child=_renew_lock)


def _draw(action: Callable[[], Any]) -> Any:
    """Call a method of a bar, one thread at a time; what it raises (for a format in TQDM_BAR_FORMAT) is passed over."""
    with _lock:
        try:
            return action()
        except Exception:  # noqa: BLE001 -- a progress bar never fails a download
            return None


class _Terminal:
    """A stream that writes to a terminal alone, only while that takes text, and no more once writing has failed."""

    def __init__(self, stream: Any) -> None:
        self._stream = stream
        self.is_working = bool(self._call("isatty"))
        self.encoding = getattr(stream, "encoding", None) or "ascii"

    def write(self, text: str) -> None:
        if self.is_working and self._takes_text():
            self._call("write", text)

    def flush(self) -> None:
        if self.is_working:
            self._call("flush")

    def fileno(self) -> int:  # tqdm asks for the terminal's width
        return int(self._stream.fileno())

    def _call(self, method: str, *arguments: object) -> Any:
        try:
            return getattr(self._stream, method)(*arguments)
        except Exception:  # noqa: BLE001 -- stderr may be None, closed, or any object: the bar ends, the download does not
            self.is_working = False
            return None

    def _takes_text(self) -> bool:
        """Whether writing would not block, as it does while a terminal is stopped (Ctrl-S) or nobody reads from it."""
        try:
            poll = select.poll()
            poll.register(self._stream.fileno(), select.POLLOUT)
            return bool(poll.poll(0))
        except (AttributeError, OSError, ValueError):  # Windows has no poll; a stream may have no descriptor
            return True
