"""A backend of joblib that runs each job as a task of Ray.

Ray's own backend (`ray.util.joblib`) assigns jobs to its actors in turn, whether they are busy or not, and returns all
results at the end. Tasks go to whoever is free, are tried again if their process dies, and each result comes at once.
"""

from __future__ import annotations

from collections.abc import Callable
from concurrent.futures import Future
from queue import Empty, SimpleQueue
from threading import Thread
from typing import Any

import ray
from joblib.parallel import ParallelBackendBase

from idxhub_board.backends import answers

# After a minute without an answer, Ray would end the whole program, and say nothing of its jobs.
_LOOK = 5.0  # seconds between two looks at the cluster while no task ends
_WAIT = 2.0  # seconds for an answer
_PATIENCE = 4  # looks without an answer until the cluster is given up


class RayTasks(ParallelBackendBase):  # type: ignore[misc]  # joblib has no types
    """Runs as many tasks at a time as `n_jobs` says; Ray must be initialized.

    The callbacks run in a thread of their own: they submit more tasks, and Ray's client waits for ever if its own
    thread does that. If the cluster goes away, the tasks that were running fail.
    """

    supports_retrieve_callback = True

    def __init__(self, **options: Any) -> None:
        super().__init__(**options)
        self._running: dict[Future[Any], Callable[[Any], None]] = {}
        self._done: SimpleQueue[Future[Any] | None] = SimpleQueue()

    def effective_n_jobs(self, n_jobs: int) -> int:
        """The number of tasks that joblib submits before it has a result."""
        return n_jobs

    def start_call(self) -> None:
        """Start the thread of the callbacks."""
        self._task = ray.remote(_run)  # once: Ray sends each one to the cluster, and waits for that
        Thread(target=self._call_back, daemon=True).start()

    def stop_call(self) -> None:
        """End the thread of the callbacks."""
        self._done.put(None)

    def submit(self, func: Callable[[], Any], callback: Callable[[Any], None] | None = None) -> Any:
        """Start a task; `callback` is called with a future that is done, also if the task cannot be started."""
        try:
            future = self._task.remote(func).future()
        except Exception as error:  # noqa: BLE001 -- joblib learns it from the future, and would wait for ever without one
            future = _failed(error)
        if callback is not None:
            self._running[future] = callback
            future.add_done_callback(self._done.put)
        return future

    def retrieve_result_callback(self, out: Any) -> Any:
        """The result of a task. Raises an error of Ray if its process died too often, or the cluster went away."""
        return out.result()

    def _call_back(self) -> None:
        address, missed = _address(), 0
        while True:
            try:
                future = self._done.get(timeout=_LOOK)
            except Empty:
                missed = 0 if address is None or answers(*address, _WAIT) else missed + 1
                if missed == _PATIENCE:
                    lost = _failed(ConnectionError("Ray's cluster went away"))
                    for callback in list(self._running.values()):
                        callback(lost)
            else:
                if future is None:
                    return
                self._running.pop(future)(future)


def _run(func: Callable[[], Any]) -> Any:
    return func()


def _failed(error: Exception) -> Future[Any]:
    future: Future[Any] = Future()
    future.set_exception(error)
    return future


def _address() -> tuple[str, int] | None:
    """Where the cluster listens; None with Ray's client, which looks after its connection by itself."""
    if ray.util.client.ray.is_connected():
        return None
    host, _, port = ray.get_runtime_context().gcs_address.rpartition(":")
    return host, int(port)
