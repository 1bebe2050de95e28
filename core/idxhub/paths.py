"""Paths and files: absolute paths, opening regular files, and messages for `OSError`."""

from __future__ import annotations

import contextlib
import errno
import io
import os
import stat
import time
from pathlib import Path

BINARY = getattr(os, "O_BINARY", 0)  # Windows alone has it
KEEPS_OPEN_FILES = os.name == "nt"  # Windows neither renames, replaces nor removes a file that somebody has open
_RENAME_SECONDS = 2.0
_EXHAUSTION = {
    errno.EMFILE: "close files in this process, or raise its limit (ulimit -n)",
    errno.ENFILE: "the whole system has too many open files: close some programs",
    errno.ENOMEM: "there is not enough memory: close some programs",
}


def absolute_path(path: str | os.PathLike[str], *, expand_user: bool = True) -> str:
    """Make a path absolute; by default, a leading `~` is expanded first.

    If the path is relative and the working directory no longer exists, the result is relative.
    """
    text = os.path.expanduser(path) if expand_user else os.fspath(path)
    try:
        return os.path.abspath(text)
    except OSError:
        return text


def open_regular_file(path: str | os.PathLike[str]) -> io.BufferedReader:
    """Open a regular file for reading bytes.

    Raises `FileNotFoundError` for a pipe, a socket, a device or a folder, because reading from a pipe could block for
    ever.
    """
    descriptor = os.open(path, os.O_RDONLY | getattr(os, "O_NONBLOCK", 0) | getattr(os, "O_CLOEXEC", 0) | BINARY)
    if not stat.S_ISREG(os.fstat(descriptor).st_mode):
        os.close(descriptor)
        raise FileNotFoundError(errno.ENOENT, "is not a file")
    return open(descriptor, "rb")


def rename(source: Path, target: Path, *, replace: bool = False) -> None:
    """Rename a file or a folder as `os.rename` does, or as `os.replace` does. Raises `OSError`.

    On Windows it is tried again for two seconds, if somebody has the file, the target or a file in the folder open:
    another thread that writes the same file, for example, or a virus scanner.
    """
    call = os.replace if replace else os.rename
    deadline = time.monotonic() + _RENAME_SECONDS
    while True:
        try:
            call(source, target)
        except PermissionError as error:
            if not may_be_in_use(error) or time.monotonic() > deadline:
                raise
            time.sleep(0.01)
        else:
            return


def may_be_in_use(error: OSError) -> bool:
    """Whether a file was not renamed or removed perhaps because somebody has it open, which is an error on Windows."""
    return KEEPS_OPEN_FILES and isinstance(error, PermissionError)


def is_special_file(path: str | os.PathLike[str]) -> bool:
    """Whether a device, a pipe or a socket is at `path`, or a link to one: a file must not take its place."""
    try:
        mode = os.stat(path).st_mode
    except OSError:
        return False
    return not (stat.S_ISREG(mode) or stat.S_ISDIR(mode))


def format_os_error(path: Path, error: OSError) -> str:
    """A message for an error at `path`. It names a dangling link, for which the system only says "No such file"."""
    link = dangling_link(path)
    return describe_os_error(error) if link is None else f"{link} is a link to nothing"


def describe_os_error(error: OSError) -> str:
    """The system's text for an error, without its number and its path; if there is none, the error's own text."""
    return error.strerror or str(error)


def describe_exhaustion(error: OSError) -> str | None:
    """What to do if the process or the system has too many open files or too little memory; None for other errors."""
    return _EXHAUSTION.get(error.errno or 0)


def format_member(path: str, member: str | None) -> str:
    """The name of a file, or of a member of an archive, for a message: `path` or `path#member`."""
    return path if member is None else f"{path}#{member}"


def dangling_link(path: Path) -> Path | None:
    """The first of `path` and its parent folders that is a link without a target; None if there is none."""
    with contextlib.suppress(OSError):
        return next((p for p in (path, *path.parents) if os.path.islink(p) and not os.path.exists(p)), None)
    return None
