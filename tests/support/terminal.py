"""Programs on a pseudo-terminal."""

from __future__ import annotations

import contextlib
import os
import subprocess
from typing import Any

from support.processes import without

try:
    import pty
    import termios
except ImportError:  # Windows
    pty = termios = None  # type: ignore[assignment]


def shown_on_a_terminal(
    command: list[str], *, columns: int = 80, read: bool = True, full: bool = False, **options: Any
) -> str:
    """What a program writes to a terminal that is its standard output and error, unless `options` name others.

    It must end well. The terminal is not `read` if that is False, and can take nothing more if it is `full` already.
    """
    if pty is None:
        without("a pseudo-terminal (POSIX)")
    ours, theirs = pty.openpty()
    termios.tcsetwinsize(theirs, (50, columns))
    if full:
        os.set_blocking(theirs, False)
        with contextlib.suppress(BlockingIOError):
            while os.write(theirs, bytes(100)):
                pass
        os.set_blocking(theirs, True)
    seen = b""
    with os.fdopen(ours, "rb", buffering=0) as terminal:
        with subprocess.Popen(command, **{"stdout": theirs, "stderr": theirs} | options) as child:
            os.close(theirs)
            try:
                with contextlib.suppress(OSError):  # Linux's word for the end of a terminal
                    while read and (block := terminal.read(65_536)):
                        seen += block
                child.wait(60)
            finally:
                child.kill()
        assert child.returncode == 0
    return seen.decode()
