"""Errors of libraries that are written in C++ or Rust: they give the system's error as text, without its number."""

from __future__ import annotations

import contextlib
import errno
import os
from collections.abc import Iterator

# the errors of writing; not every system has each of them
_NAMES = ("ENOSPC", "EDQUOT", "EFBIG", "EIO", "EROFS", "EACCES")


@contextlib.contextmanager
def system_errors() -> Iterator[None]:
    """A context in which a library's error that contains the text of a system's error is raised as this `OSError`."""
    try:
        yield
    except (OSError, RuntimeError) as error:
        text = str(error)
        for number in (getattr(errno, name) for name in _NAMES if hasattr(errno, name)):
            if os.strerror(number) in text and getattr(error, "errno", None) is None:
                raise OSError(number, os.strerror(number)) from error
        raise
