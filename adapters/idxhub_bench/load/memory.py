"""Memory and processor time of this process and of its descendants, as Linux counts them."""

from __future__ import annotations

import os
import time
from typing import NamedTuple

_TICK = os.sysconf("SC_CLK_TCK") if hasattr(os, "sysconf") else 100


def available() -> bool:
    """Whether this system has the files of /proc that are needed."""
    return os.path.exists("/proc/self/clear_refs") and os.path.exists("/proc/self/smaps_rollup")


def forget_peak() -> None:
    """Set the peak of resident memory to the present value."""
    with open("/proc/self/clear_refs", "w", encoding="ascii") as file:
        file.write("5")  # see proc(5)


def status(field: str) -> int:
    """Bytes of a field of /proc/self/status."""
    return _field("/proc/self/status", field)


def pss() -> int:
    """Bytes of memory of this process and its descendants; a page that n processes share counts 1/n in each."""
    return sum(_field(f"/proc/{pid}/smaps_rollup", "Pss") for pid in (os.getpid(), *_descendants(os.getpid())))


class Clock:
    """Processor time since the clock was made: of this process, its descendants, and descendants that end meanwhile.

    The kernel counts a process that ends when its parent waits for it. If the parent ignores its children, as Ray's
    does, the time that such a process used after the clock was made is lost, but it is not subtracted from others.
    """

    def __init__(self) -> None:
        self._own, self._descendants = _own(), _spent_by_descendants()

    def seconds(self) -> float:
        """Seconds of all processors until now."""
        now = _spent_by_descendants()
        ended = _ended_before(self._descendants, now)
        own = _own()
        spent = own[0] - self._own[0] + max(0.0, own[1] - self._own[1] - ended.get(os.getpid(), 0.0))
        for process, after in now.items():
            before = self._descendants.get(process, _Spent(after.parent, 0.0, 0.0))
            spent += after.own - before.own
            spent += max(0.0, after.children - before.children - ended.get(process[0], 0.0))
        return spent


class _Spent(NamedTuple):
    """Seconds of a process, and of its children that have ended and that it has waited for."""

    parent: int
    own: float
    children: float


_Process = tuple[int, int]  # number and start time: the kernel uses numbers again


def _own() -> tuple[float, float]:
    ended = os.times()
    return time.process_time(), ended.children_user + ended.children_system


def _spent_by_descendants() -> dict[_Process, _Spent]:
    found = {}
    for pid in _descendants(os.getpid()):
        if fields := _stat(pid):
            user, system, *children = (int(ticks) / _TICK for ticks in fields[11:15])
            found[pid, int(fields[19])] = _Spent(int(fields[1]), user + system, sum(children))
    return found


def _ended_before(earlier: dict[_Process, _Spent], now: dict[_Process, _Spent]) -> dict[int, float]:
    """For each parent, the time that its children had used earlier which have ended since."""
    gone: dict[int, float] = {}
    for process, spent in earlier.items():
        if process not in now:
            gone[spent.parent] = gone.get(spent.parent, 0.0) + spent.own + spent.children
    return gone


def _descendants(parent: int) -> list[int]:
    """The descendants of a process."""
    if not available():
        return []
    children: dict[int, list[int]] = {}
    for pid in (int(name) for name in os.listdir("/proc") if name.isdigit()):
        if fields := _stat(pid):
            children.setdefault(int(fields[1]), []).append(pid)
    found = list(children.get(parent, ()))
    for pid in found:  # the list grows in the loop
        found += children.get(pid, ())
    return found


def _stat(pid: int) -> list[str]:
    """The fields of /proc/PID/stat after the name; none if the process has ended."""
    try:
        with open(f"/proc/{pid}/stat", encoding="utf-8", errors="replace") as file:
            return file.read().rpartition(")")[2].split()
    except OSError:
        return []


def _field(path: str, field: str) -> int:
    try:
        with open(path, encoding="ascii") as file:
            for line in file:
                if line.startswith(f"{field}:"):
                    return int(line.split()[1]) * 1024
    except (FileNotFoundError, ProcessLookupError):  # it has just ended
        return 0
    raise LookupError(f"{path} has no {field}")
