"""`python -m idxhub_board.child [--accelerate]`: fits one job after the other in a process that may be killed.

Jobs come on standard input, one JSON line each, and one JSON line goes back for each. The process ends when its
standard input does, which is when its parent ends.
"""

from __future__ import annotations

import json
import os
import signal
import sys
import threading
from queue import SimpleQueue
from typing import Any

from idxhub_board.fitting import fit, job_from_json


def main() -> None:
    """Fit jobs until standard input ends."""
    signal.signal(signal.SIGINT, signal.SIG_IGN)  # Ctrl-C is for the parent, which ends this process
    answers = os.fdopen(os.dup(1), "w", encoding="utf-8")
    os.dup2(2, 1)  # what an estimator prints is no answer
    if "--accelerate" in sys.argv[1:]:
        from sklearnex import patch_sklearn  # noqa: PLC0415 -- before scikit-learn's own classes are imported

        patch_sklearn(verbose=False)
    jobs: SimpleQueue[str] = SimpleQueue()
    threading.Thread(target=_read, args=(jobs,), daemon=True).start()
    while True:
        print(json.dumps(_answer(json.loads(jobs.get()))), file=answers, flush=True)


def _read(jobs: SimpleQueue[str]) -> None:
    for line in sys.stdin:
        jobs.put(line)
    os._exit(0)  # even in the middle of a job: nobody waits for its result


def _answer(data: dict[str, Any]) -> dict[str, Any]:
    job = job_from_json(data)
    try:
        return fit(job)
    except MemoryError as error:
        return {"status": "out of memory", "error": _readable(str(error) or "MemoryError")}
    except Exception as error:  # noqa: BLE001 -- whatever an estimator raises is the result of its job
        return {"status": "failed", "error": _readable(f"{type(error).__name__}: {error}"[:1000])}


def _readable(text: str) -> str:
    """Text that can be encoded: a path may contain bytes that are not UTF-8."""
    return text.encode(errors="backslashreplace").decode()


if __name__ == "__main__":
    main()
