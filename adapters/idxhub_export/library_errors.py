"""Errors of libraries that are written in C++ or Rust.

They give the system's error as text, without its number, and cannot write to every path.
"""

from __future__ import annotations

import contextlib
import errno
import os
import re
from collections.abc import Iterator
from pathlib import Path

from idxhub import errors

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


def library_path(path: Path) -> str:
    """The path as text. Raises `ArgumentError` for one that is not Unicode, or has control characters.

    The libraries raise a `TypeError` for the first; for the second, Lance writes into another folder.
    """
    if re.search(r"[\x00-\x1f\x7f\ud800-\udfff]", str(path)):
        must_be = "Unicode without control characters, for the library of this format"
        raise errors.ArgumentError("path", str(path), must_be)
    return str(path)
