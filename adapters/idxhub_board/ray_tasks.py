"""A backend of joblib that runs each job as a task of Ray.

Ray's own backend (`ray.util.joblib`) assigns jobs to its actors in turn, whether they are busy or not, and returns all
results at the end. Tasks go to whoever is free, are tried again if their process dies, and each result comes at once.
"""

from __future__ import annotations

from collections.abc import Callable
from concurrent.futures import Future, ThreadPoolExecutor
from typing import Any

import ray
from joblib.parallel import ParallelBackendBase


class RayTasks(ParallelBackendBase):  # type: ignore[misc]  # joblib has no types
    """Runs as many tasks at a time as `n_jobs` says; Ray must be initialized."""

    supports_retrieve_callback = True

    def __init__(self, **options: Any) -> None:
        super().__init__(**options)
        # for the callbacks, which submit more: Ray's client waits for ever if its own thread does that
        self._thread = ThreadPoolExecutor(1)

    def effective_n_jobs(self, n_jobs: int) -> int:
        """The number of tasks that joblib submits before it has a result."""
        return n_jobs

    def submit(self, func: Callable[[], Any], callback: Callable[[Any], None] | None = None) -> Any:
        """Start a task; `callback` is called with a future that is done, also if the task cannot be started."""
        try:
            future = ray.remote(_run).remote(func).future()
        except Exception as error:  # noqa: BLE001 -- joblib learns it from the future, and would wait for ever without one
            future = Future()
            future.set_exception(error)
        if callback is not None:
            future.add_done_callback(lambda done: self._thread.submit(callback, done))
        return future

    def retrieve_result_callback(self, out: Any) -> Any:
        """The result of a task. Raises an error of Ray if its process died too often."""
        return out.result()


def _run(func: Callable[[], Any]) -> Any:
    return func()
