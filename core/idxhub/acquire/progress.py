"""A progress bar on the terminal. It can neither make a download or an export fail nor delay it."""

from __future__ import annotations

import functools
import os
import select
import sys
import threading
from collections.abc import Callable
from typing import Any, ClassVar
from weakref import WeakSet


class ProgressBar:
    """Shows the progress of one download or export on stderr, if stderr is a terminal."""

    def __init__(self, title: str, total: int | None, unit: str = "B") -> None:
        self._bar: Any = None
        terminal = _Terminal(sys.stderr)
        if terminal.is_working:
            self._bar = _draw(
                lambda: _bar_class()(total=total, desc=title, unit=unit, unit_scale=True, leave=False, file=terminal)
            )

    def update(self, count: int) -> None:
        """Show that there are `count` more bytes, or whatever the unit is."""
        if self._bar is not None:
            _draw(lambda: self._bar.update(count))

    def close(self) -> None:
        """Remove the bar from the terminal."""
        if self._bar is not None:
            _draw(self._bar.close)


class _NoLock:
    """Replaces tqdm's lock, which stays locked for ever if drawing a bar fails; `_draw` locks instead."""

    def acquire(self, *_: object, **__: object) -> bool:
        return True

    def release(self) -> None: ...
    def __enter__(self) -> None: ...
    def __exit__(self, *_: object) -> None: ...


@functools.cache
def _bar_class() -> Any:
    """The class of bars. Importing tqdm raises an error if a variable such as TQDM_MININTERVAL has a wrong value."""
    from tqdm import tqdm  # noqa: PLC0415 -- see the docstring

    class Bar(tqdm):  # type: ignore[type-arg]  # tqdm is generic in its stubs, but not at run time
        _instances: ClassVar[WeakSet[Any]] = WeakSet()  # not tqdm's own set, which tqdm's lock protects
        monitor_interval = 0  # start no monitor thread, which would run longer than the download

    Bar.set_lock(_NoLock())
    return Bar


_lock = threading.Lock()


def _renew_lock() -> None:
    global _lock  # noqa: PLW0603 -- in a forked child, the old lock may be held by a thread that does not exist there
    _lock = threading.Lock()


if hasattr(os, "register_at_fork"):
    os.register_at_fork(after_in_child=_renew_lock)


def _draw(action: Callable[[], Any]) -> Any:
    """Call a method of a bar, in one thread at a time, and ignore its errors (a wrong TQDM_BAR_FORMAT raises one)."""
    with _lock:
        try:
            return action()
        except Exception:  # noqa: BLE001 -- a progress bar must not make a download fail
            return None


class _Terminal:
    """A stream that writes only if it is a terminal that accepts text, and that stops once writing has failed."""

    def __init__(self, stream: Any) -> None:
        self._stream = stream
        self.is_working = bool(self._call("isatty"))
        self.encoding = getattr(stream, "encoding", None) or "ascii"

    def write(self, text: str) -> None:
        if self.is_working and self._accepts_text():
            self._call("write", text)

    def flush(self) -> None:
        if self.is_working:
            self._call("flush")

    def fileno(self) -> int:  # tqdm asks for the terminal's width
        return int(self._stream.fileno())

    def _call(self, method: str, *arguments: object) -> Any:
        try:
            return getattr(self._stream, method)(*arguments)
        except Exception:  # noqa: BLE001 -- stderr may be None, closed, or any object: only the bar ends
            self.is_working = False
            return None

    def _accepts_text(self) -> bool:
        """Whether writing would return at once. It blocks if a terminal is stopped (Ctrl-S) or nobody reads from it."""
        try:
            poll = select.poll()
            poll.register(self._stream.fileno(), select.POLLOUT)
            return bool(poll.poll(0))
        except (AttributeError, OSError, ValueError):  # Windows has no poll; a stream may have no descriptor
            return True
