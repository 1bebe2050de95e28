"""Processes: many at once, and those that are ended or stopped while they work."""

from __future__ import annotations

import contextlib
import os
import select
import shutil
import signal
import socket
import subprocess
import threading
import time
from collections import Counter
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import NamedTuple

from faults.peers.acts.base import Found, NotApplicableError, SetUpError, half, preloaded, warm_up
from faults.peers.stage import Attempt, Stage, kill, worst
from support.server import Answer, Handler

_SMALL = 1000  # bytes: locks, marks and records are not more


def sixteen(stage: Stage) -> Found:
    """Sixteen processes at one moment; the worst of them is judged. They are to ask for no file twice."""
    found = _at_once(stage)
    twice = [
        path for path, count in Counter(r.path for r in stage.server.requests if r.method == "GET").items() if count > 1
    ]
    return found._replace(unmet=f"{len(twice)} files were asked for more than once" if twice else "")


def _at_once(stage: Stage) -> Found:
    gate = stage.home.parent / "go"
    children = [stage.start(wait=str(gate)) for _ in range(16)]
    for child, out in children:
        _wait_until_ready(stage, child, out)
    gate.touch()
    attempts = [stage.finish(child, out) for child, out in children]
    return Found(worst(attempts), _told(stage, sum(attempt.kind != "right" for attempt in attempts)))


def without_locks(stage: Stage) -> Found:
    """The same, and the C library's locks do nothing."""
    with preloaded(stage, FAULTS_LOCKS="1") as done:
        found = _at_once(stage)
        return found if done() else found._replace(note=f"{found.note}; takes no lock")


def threads(stage: Stage) -> Found:
    """Sixteen threads of one process."""
    attempt = stage.call(threads=16)
    return Found(attempt, _told(stage, attempt.failed))


def forked(stage: Stage) -> Found:
    """A process loads and forks; its child calls again, and judges what both calls gave."""
    return Found(stage.call(fork=True))


def holder(number: int) -> Callable[[Stage], Found]:
    """The first of two processes is killed or stopped half-way; the second, which may wait for it, is judged."""

    def act(stage: Stage) -> Found:
        with _half_way(stage) as first:
            second, out = stage.start(wait=os.devnull)
            _wait_until_ready(stage, second, out)
            time.sleep(3.0)  # it has come to where it waits, if it is to
            waits = second.poll() is None
            os.killpg(first.process.pid, number)
            attempt = stage.finish(second, out)
            if number == signal.SIGSTOP:  # it goes on, is sent the rest, and ends by itself before the next call
                os.killpg(first.process.pid, signal.SIGCONT)
                first.resume.set()
                stage.finish(first.process, first.out)
            return Found(attempt, "" if waits else "did not wait for the first")

    return act


def signalled(number: signal.Signals) -> Callable[[Stage], Found]:
    """A signal when half of the file is on the disk: it ends the process, and half a file is not left."""

    def act(stage: Stage) -> Found:
        whole = _sizes(stage)
        with _half_written(stage) as first:
            os.killpg(first.process.pid, number)
            os.killpg(first.process.pid, signal.SIGCONT)
            attempt = stage.finish(first.process, first.out, limit=30.0)
        if attempt.kind == "crash" and first.process.returncode == -number:
            attempt = Attempt("raised", f"ended by {number.name}", "", attempt.seconds, printed=attempt.printed)
        left = {path: size for path, size in _lying(stage).items() if whole.get(path) != size}
        under_its_name = any(path in whole for path in left)
        where = " under the name of a whole one" if under_its_name else ""
        return Found(attempt, unmet=f"{sum(left.values()) / 1e6:.1f} MB of a file left{where}" if left else "")

    return act


def killed(stage: Stage) -> Found:
    """SIGKILL when half of the file is on the disk; the next call is judged."""
    with _half_written(stage) as first:
        kill(first.process)
    stage.serve()
    return Found(stage.call())


def orphaned(stage: Stage) -> Found:
    """The same; what the dead process left is two days old when the next call comes."""
    whole = _sizes(stage)
    with _half_written(stage) as first:
        kill(first.process)
    before = time.time() - 2 * 86_400
    left = [stage.home / path for path in _lying(stage) if path not in whole]
    if not left:
        raise NotApplicableError("the half of a file that it leaves has the file's own name: see row 26")
    for path in left:
        os.utime(path, (before, before))
    stage.serve()
    attempt = stage.call()
    still = [path for path in left if path.exists() and path.stat().st_mtime < before + 60]
    return Found(attempt, unmet=f"{sum(p.stat().st_size for p in still) / 1e6:.1f} MB left" if still else "")


class _First(NamedTuple):
    """A process that has come half-way; with `resume` set it is sent the rest."""

    process: subprocess.Popen[str]
    out: Path
    resume: threading.Event


@contextlib.contextmanager
def _half_way(stage: Stage) -> Iterator[_First]:
    """A process that has half of the file and waits for the rest; whoever asks later gets all of it."""
    reached, opened, resume = threading.Event(), threading.Event(), threading.Event()
    stage.serve(_pausing(stage.body(), reached, opened, resume))
    first = _First(*stage.start(), resume)
    try:
        if not reached.wait(stage.limit):
            raise SetUpError("the file was not asked for")
        time.sleep(0.5)  # what was sent is written by now
        opened.set()
        yield first
    finally:
        kill(first.process)
        first.process.communicate()


@contextlib.contextmanager
def _half_written(stage: Stage) -> Iterator[_First]:
    """A process that stops when half as many bytes as the file has are on the disk; those after it do not."""
    with preloaded(stage, FAULTS_STOP=str(half(stage.body()))) as done:
        first = _First(*stage.start(), threading.Event())
        stage.environment = {}
        try:
            _wait(lambda: _state(first.process.pid) == "T" or first.process.poll() is not None, stage.limit)
            if not done():
                raise SetUpError("half of the file was never written")
            yield first
        finally:
            kill(first.process)
            first.process.communicate()


def _state(pid: int) -> str:
    """Of a process, as the kernel says it: T is stopped."""
    return Path(f"/proc/{pid}/stat").read_text(encoding="utf-8").rpartition(")")[2].split()[0]


def _wait(ended: Callable[[], bool], limit: float) -> None:
    deadline = time.monotonic() + limit
    while not ended():
        if time.monotonic() > deadline:
            raise SetUpError(f"it did not happen within {limit:.0f} s")
        time.sleep(0.05)


def _wait_until_ready(stage: Stage, child: subprocess.Popen[str], out: Path) -> None:
    """Until a child that was told to `wait` has made its imports, or has ended."""
    _wait(lambda: Path(f"{out}.ready").exists() or child.poll() is not None, stage.limit)


def _pausing(body: bytes, reached: threading.Event, opened: threading.Event, resume: threading.Event) -> Answer:
    """Half of the body until `opened`; `reached` is set once somebody waits for the rest of it, till `resume` is."""

    def answer(handler: Handler) -> None:
        pauses = handler.command == "GET" and not opened.is_set()
        handler.head(200, {"Content-Length": str(len(body))})
        handler.body(body[: half(body)])
        if not pauses:
            handler.body(body[half(body) :])
            return
        if not handler.closing.wait(0.5) and not _has_left(handler):
            reached.set()
        while not handler.closing.is_set():
            if resume.wait(0.1):
                handler.body(body[half(body) :])
                return
        handler.hang_up()

    return answer


def _has_left(handler: Handler) -> bool:
    """torchvision, for one, looks at an answer's head before it asks again for the file."""
    readable, _, _ = select.select([handler.connection], [], [], 0)
    return bool(readable) and not handler.connection.recv(1, socket.MSG_PEEK)


def _sizes(stage: Stage) -> dict[Path, int]:
    """The files of a call that goes well, which is then as if it had not been."""
    warm_up(stage)
    sizes = _lying(stage)
    shutil.rmtree(stage.home)
    stage.home.mkdir()
    return sizes


def _lying(stage: Stage) -> dict[Path, int]:
    """The files below the home and their sizes, without those too small to hold data."""
    files = (path for path in stage.home.rglob("*") if path.is_file() and not path.is_symlink())
    return {path.relative_to(stage.home): path.stat().st_size for path in files if path.stat().st_size > _SMALL}


def _told(stage: Stage, failed: int) -> str:
    return f"{stage.server.count()} requests" + (f"; {failed} of 16 failed" if failed else "")
