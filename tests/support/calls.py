"""The calls by which files get onto a disk, made to fail or to end the process at a boundary of one's choice.

The calls are Python's own, wrapped; what happens at a boundary is real: a SIGKILL from the kernel, an `OSError` from
the place where the kernel's would come. It needs nothing from the system, and does what `strace -e inject` does.
"""

from __future__ import annotations

import contextlib
import os
import signal
import threading
from collections.abc import Callable, Iterator
from typing import Any, NamedTuple

try:
    import fcntl
except ImportError:  # Windows
    fcntl = None  # type: ignore[assignment]  # asked for below


class Boundary(NamedTuple):
    """A moment "before", "half-way through" (writes alone) or "after" a call, by its number since the start."""

    number: int
    call: str
    moment: str


Deed = Callable[[Boundary], None]
CALLS = ("mkdir", "open", "write", "fsync", "replace", "rename", "link", "unlink", "rmdir", "flock")


@contextlib.contextmanager
def wrapped(deed: Deed) -> Iterator[None]:
    """Do something at each boundary of each call that changes a file system, in every thread of this process."""
    guard, counted = threading.Lock(), 0

    def at(call: str, moment: str) -> None:
        nonlocal counted
        with guard:
            counted += 1
            number = counted
        deed(Boundary(number, call, moment))

    real: dict[str, Any] = {call: getattr(os, call) for call in CALLS if hasattr(os, call)}

    def make(call: str) -> Callable[..., Any]:
        def plain(*arguments: Any, **options: Any) -> Any:
            if call == "open" and not arguments[1] & os.O_CREAT:
                return real[call](*arguments, **options)
            at(call, "before")
            result = real[call](*arguments, **options)
            at(call, "after")
            return result

        return plain

    def write(descriptor: int, data: Any) -> int:
        at("write", "before")
        with memoryview(data) as view, view[: len(view) // 2] as first, view[len(view) // 2 :] as second:
            written: int = real["write"](descriptor, first)
            at("write", "half-way through")
            written += real["write"](descriptor, second)
        at("write", "after")
        return written

    def flock(descriptor: int, operation: int) -> None:
        at("flock", "before")
        real["flock"](descriptor, operation)
        at("flock", "after")

    with contextlib.ExitStack() as undo:
        for call, own in tuple(real.items()):
            undo.callback(setattr, os, call, own)
            setattr(os, call, write if call == "write" else make(call))
        if fcntl is not None:
            real["flock"] = fcntl.flock
            undo.callback(setattr, fcntl, "flock", fcntl.flock)
            fcntl.flock = flock
        yield


def kill(number: int) -> Deed:
    """SIGKILL to this process at the boundary with that number."""

    def deed(boundary: Boundary) -> None:
        if boundary.number == number:
            os.kill(os.getpid(), signal.SIGKILL)

    return deed


def fail(error: int, call: str, number: int = 1, failed: list[Boundary] | None = None) -> Deed:
    """The error `errno.E...` from a call, the nth time that it is made and each time after it; noted in `failed`."""
    made = 0

    def deed(boundary: Boundary) -> None:
        nonlocal made
        if boundary.call == call and boundary.moment == "before":
            made += 1
            if made >= number:
                if failed is not None:
                    failed.append(boundary)
                raise OSError(error, os.strerror(error))

    return deed


def boundaries(action: Callable[[], object]) -> list[Boundary]:
    """The boundaries that an action passes."""
    passed: list[Boundary] = []
    with wrapped(passed.append):
        action()
    return passed
