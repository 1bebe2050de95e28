"""What a backend's worker runs: a job in a child process, so that it can be stopped, or die, without the worker."""

from __future__ import annotations

import contextlib
import json
import os
import platform
import subprocess
import sys
import threading
import time
from dataclasses import replace
from datetime import UTC, datetime
from functools import cache
from queue import Empty, Queue
from typing import IO, Any

from idxhub import __version__
from idxhub_board.fitting import Job, job_from_json
from idxhub_board.records import Record

_POLL = 0.5  # seconds between two looks at the parent
_THREAD_VARIABLES = ("OMP_NUM_THREADS", "OPENBLAS_NUM_THREADS", "MKL_NUM_THREADS", "NUMEXPR_NUM_THREADS")
_local = threading.local()  # a worker of dask may run several jobs, each in a thread


def run_job(data: dict[str, Any], timeout: float | None, threads: int, runner: int | None = None) -> Record:
    """Run a job, and return its record whatever happens to it. The child process is kept for the next job.

    `runner` is the process that asks for the job: if this one was started by it, both end together.
    """
    if runner == os.getppid():
        _end_with_parent()
    job = replace(job_from_json(data), threads=threads)
    child: _Child | None = getattr(_local, "child", None)
    kind = threads, job.accelerated
    if child is not None and child.kind != kind:
        child.stop()
    if child is None or not child.is_running():
        child = _local.child = _Child(*kind)
    outcome = child.run(job, timeout)
    more = {
        "threads": threads,
        "python": platform.python_version(),
        "machine": platform.machine(),
        "idxhub": __version__,
        "finished": datetime.now(UTC).isoformat(timespec="seconds"),
    }
    return {**job.identity, **outcome, **more}


@cache
def _end_with_parent() -> None:
    """End this process when its parent ends, even if that was killed; then the child's standard input ends too."""

    def watch(parent: int) -> None:
        while os.getppid() == parent:
            time.sleep(_POLL)
        os._exit(1)

    threading.Thread(target=watch, args=(os.getppid(),), daemon=True).start()


class _Child:
    """The process `python -m idxhub_board.child`, and a thread that reads its answers."""

    def __init__(self, threads: int, accelerated: bool) -> None:
        self.kind = threads, accelerated
        environment = os.environ | dict.fromkeys(_THREAD_VARIABLES, str(threads))
        self._process = subprocess.Popen(  # noqa: S603 -- this interpreter, with words of our own
            [sys.executable, "-m", "idxhub_board.child", *(["--accelerate"] if accelerated else [])],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            env=environment,
            text=True,
        )
        self._answers: Queue[str] = Queue()
        threading.Thread(target=self._read, daemon=True).start()

    def is_running(self) -> bool:
        """Whether it can take a job."""
        return self._process.poll() is None

    def run(self, job: Job, timeout: float | None) -> dict[str, Any]:
        """The fields of a record that the job adds, whether it succeeds or not."""
        with contextlib.suppress(BrokenPipeError):  # then there is no answer either
            print(json.dumps(job.as_json()), file=self._pipe(self._process.stdin), flush=True)
        try:
            answer = self._answers.get(timeout=timeout)
        except Empty:
            self.stop()
            return {"status": "timeout", "error": f"stopped after {timeout:g} seconds"}
        if not answer:
            return {"status": "killed", "error": self._why_ended()}
        found: dict[str, Any] = json.loads(answer)
        return found

    def _read(self) -> None:
        with self._pipe(self._process.stdout) as answers:
            for line in answers:
                self._answers.put(line)
        self._answers.put("")

    @staticmethod
    def _pipe(pipe: IO[str] | None) -> IO[str]:
        if pipe is None:
            raise AssertionError("the child has a pipe for this")
        return pipe

    def stop(self) -> None:
        """End the process, whatever it does."""
        self._process.kill()
        self._wait()

    def _wait(self) -> int:
        with contextlib.suppress(OSError):  # what could not be written is for a process that has ended
            self._pipe(self._process.stdin).close()
        return self._process.wait()

    def _why_ended(self) -> str:
        status = self._wait()
        if status >= 0:
            return f"its process ended with status {status}"
        memory = "; the system does this when memory runs out" if status == -9 else ""
        return f"its process was ended by signal {-status}{memory}"
