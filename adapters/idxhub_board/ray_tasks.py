"""A backend of joblib that runs each job as a task of Ray.

Ray's own backend (`ray.util.joblib`) assigns jobs to its actors in turn, whether they are busy or not, and returns all
results at the end. Tasks go to whoever is free, are tried again if their process dies, and each result comes at once.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import ray
from joblib.parallel import ParallelBackendBase


class RayTasks(ParallelBackendBase):  # type: ignore[misc]  # joblib has no types
    """Runs as many tasks at a time as `n_jobs` says; Ray must be initialized."""

    supports_retrieve_callback = True

    def effective_n_jobs(self, n_jobs: int) -> int:
        """The number of tasks that joblib submits before it has a result."""
        return n_jobs

    def submit(self, func: Callable[[], Any], callback: Callable[[Any], None] | None = None) -> Any:
        """Start a task; `callback` is called with a future that is done."""
        future = ray.remote(_run).remote(func).future()
        if callback is not None:
            future.add_done_callback(callback)
        return future

    def retrieve_result_callback(self, out: Any) -> Any:
        """The result of a task. Raises an error of Ray if its process died too often."""
        return out.result()


def _run(func: Callable[[], Any]) -> Any:
    return func()
