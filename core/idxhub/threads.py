"""Threads to work in. Where none can be started, as under a limit on them, the work is done in line."""

from __future__ import annotations

import functools
import threading
from collections.abc import Callable
from concurrent.futures import Future
from types import TracebackType
from typing import Any, Generic, ParamSpec, TypeVar

P = ParamSpec("P")
T = TypeVar("T")


class Threads:
    """A pool of threads, which does the work in line, before `submit` returns, if it cannot start a thread for it.

    That is so under a limit on threads, and while Python ends: in a function of `atexit`, say.
    """

    def __init__(self, workers: int, name: str = "") -> None:
        try:
            # imported when it is needed, since it imports logging; while Python ends its import fails
            from concurrent.futures import ThreadPoolExecutor  # noqa: PLC0415

            self._pool: ThreadPoolExecutor | None = ThreadPoolExecutor(workers, name)
        except RuntimeError:  # can't register atexit after shutdown
            self._pool = None

    def submit(self, call: Callable[P, T], /, *args: P.args, **kwargs: P.kwargs) -> Future[T]:
        """A future of the result of `call(*args, **kwargs)`."""
        work = _Work(functools.partial(call, *args, **kwargs))
        if self._pool is not None:
            try:
                return self._pool.submit(work)
            except RuntimeError:  # can't start new thread, or cannot schedule new futures after interpreter shutdown
                pass
        done: Future[T] = Future()
        try:
            done.set_result(work())
        except Exception as error:  # noqa: BLE001 -- raised where the result is asked for, as from a thread
            done.set_exception(error)
        work.forget()
        return done

    def shutdown(self, *, wait: bool = True, cancel_futures: bool = False) -> None:
        """Take no more work; as for `concurrent.futures.Executor.shutdown`."""
        if self._pool is not None:
            self._pool.shutdown(wait=wait, cancel_futures=cancel_futures)

    def __enter__(self) -> Threads:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, traceback: TracebackType | None
    ) -> None:
        self.shutdown()


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
