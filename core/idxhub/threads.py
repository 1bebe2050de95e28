"""A pool of threads. If no thread can be started, the work is done in the calling thread."""

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
    """A pool of threads. If it cannot start a thread, `submit` does the work itself before it returns.

    No thread can be started if the process has reached its limit on threads, and while Python shuts down (in a function
    of `atexit`, for example).
    """

    def __init__(self, workers: int, name: str = "") -> None:
        try:
            # imported only when a pool is needed, because it imports logging; the import fails while Python shuts down
            from concurrent.futures import ThreadPoolExecutor  # noqa: PLC0415

            self._pool: ThreadPoolExecutor | None = ThreadPoolExecutor(workers, name)
        except RuntimeError:  # can't register atexit after shutdown
            self._pool = None

    def submit(self, call: Callable[P, T], /, *args: P.args, **kwargs: P.kwargs) -> Future[T]:
        """Return a future of the result of `call(*args, **kwargs)`."""
        work = _SingleCall(functools.partial(call, *args, **kwargs))
        if self._pool is not None:
            try:
                return self._pool.submit(work)
            except RuntimeError:  # can't start new thread, or cannot schedule new futures after interpreter shutdown
                pass
        done: Future[T] = Future()
        try:
            done.set_result(work())
        except Exception as error:  # noqa: BLE001 -- `result()` raises it, as for work that a thread did
            done.set_exception(error)
        work.forget()
        return done

    def shutdown(self, *, wait: bool = True, cancel_futures: bool = False) -> None:
        """Accept no more work. The arguments are those of `concurrent.futures.Executor.shutdown`."""
        if self._pool is not None:
            self._pool.shutdown(wait=wait, cancel_futures=cancel_futures)

    def __enter__(self) -> Threads:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, traceback: TracebackType | None
    ) -> None:
        self.shutdown()


class _SingleCall(Generic[T]):
    """A call that is made once, even if two threads ask for it: the second one gets the result of the first.

    This can happen if no thread can be started: the pool puts the work into its queue before it raises the error, and
    `submit` does the work, but a thread that was started earlier may find it in the queue.
    """

    def __init__(self, call: Callable[[], T]) -> None:
        self._call: Callable[[], T] | None = call
        self._lock = threading.Lock()
        self._result: Any = None
        self._error: BaseException | None = None

    def __call__(self) -> T:
        with self._lock:
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
        """Drop the result, because this object may stay in the pool's queue for a long time."""
        self._result = self._error = None
