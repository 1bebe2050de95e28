"""Memory and processor time of this process and of those below it, as Linux counts them."""

from __future__ import annotations

import os
import time

_TICK = os.sysconf("SC_CLK_TCK") if hasattr(os, "sysconf") else 100


def available() -> bool:
    """Whether this system counts memory in the way that is needed."""
    return os.path.exists("/proc/self/clear_refs") and os.path.exists("/proc/self/smaps_rollup")


def forget_peak() -> None:
    """Let the highest resident memory so far be the present one."""
    with open("/proc/self/clear_refs", "w", encoding="ascii") as file:
        file.write("5")  # the kernel's word for it


def status(field: str) -> int:
    """Bytes of a field of /proc/self/status."""
    return _field("/proc/self/status", field)


def pss() -> int:
    """Bytes of memory of this process and of those below it, a page shared by n of them counted 1/n in each."""
    return sum(_field(f"/proc/{pid}/smaps_rollup", "Pss") for pid in (os.getpid(), *_below(os.getpid())))


def cpu_seconds() -> float:
    """Seconds of processor time of this process, of those below it that live, and of those that have ended."""
    ended = os.times()
    living = sum(_ticks(pid) for pid in _below(os.getpid())) / _TICK
    return time.process_time() + ended.children_user + ended.children_system + living


def _below(parent: int) -> list[int]:
    """The processes that this one has started, and those that these have."""
    if not available():
        return []
    children: dict[int, list[int]] = {}
    for pid in (int(name) for name in os.listdir("/proc") if name.isdigit()):
        if fields := _stat(pid):
            children.setdefault(int(fields[1]), []).append(pid)
    found = list(children.get(parent, ()))
    for pid in found:  # which grows
        found += children.get(pid, ())
    return found


def _ticks(pid: int) -> int:
    return sum(map(int, _stat(pid)[11:15]))  # its own time and that of its children that have ended


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
