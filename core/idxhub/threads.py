"""Threads to work in, and what is done where none can be started, as under a limit on them."""

from __future__ import annotations

import functools
import threading
from collections.abc import Callable
from concurrent.futures import Future, ThreadPoolExecutor
from typing import Any, Generic, ParamSpec, TypeVar

P = ParamSpec("P")
T = TypeVar("T")


class Threads(ThreadPoolExecutor):
    """A pool that does the work in line, before `submit` returns, where it cannot start a thread for it."""

    def submit(self, fn: Callable[P, T], /, *args: P.args, **kwargs: P.kwargs) -> Future[T]:
        """The result of `fn(*args, **kwargs)`, to come."""
        work = _Work(functools.partial(fn, *args, **kwargs))
        try:
            return super().submit(work)
        except RuntimeError:  # can't start new thread
            done: Future[T] = Future()
            try:
                done.set_result(work())
            except Exception as error:  # noqa: BLE001 -- raised where the result is asked for, as from a thread
                done.set_exception(error)
            work.forget()
            return done


class _Work(Generic[T]):
    """A call that is made once. When no thread can be started, the pool has it in its queue already, and another one of
    its threads may come upon it, at once or later: whoever is second has the first one's result.
    """

    def __init__(self, call: Callable[[], T]) -> None:
        self._call: Callable[[], T] | None = call
        self._turn = threading.Lock()
        self._result: Any = None
        self._error: BaseException | None = None

    def __call__(self) -> T:
        with self._turn:
            if self._call is not None:
                call, self._call = self._call, None
                try:
                    self._result = call()
                except BaseException as error:  # noqa: BLE001 -- raised below
                    self._error = error
        if self._error is not None:
            raise self._error
        result: T = self._result
        return result

    def forget(self) -> None:
        """Keep no result alive: the pool's queue may hold this for long."""
        self._result = self._error = None
