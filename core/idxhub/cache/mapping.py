"""Mapping a file copy-on-write without keeping a file descriptor open.

Before Python 3.13, each `mmap.mmap` keeps a duplicate of the descriptor that it was made from. A thousand arrays would
then need a thousand descriptors, which is the usual limit of a process. Therefore the system's own mmap(2) is called
there.
"""

from __future__ import annotations

import ctypes
import io
import mmap
import os
import sys
import weakref
from typing import Any


def map_copy_on_write(file: io.BufferedReader) -> Any:
    """A writable buffer with the content of a file. Writing into it changes neither the file nor any other mapping.

    The file stays mapped until nothing refers to the buffer any more. Raises `OSError`; an empty file is an error, as
    for `mmap.mmap`.
    """
    if sys.version_info >= (3, 13):
        return mmap.mmap(file.fileno(), 0, access=mmap.ACCESS_COPY, trackfd=False)
    if _LIBC is None:
        return mmap.mmap(file.fileno(), 0, access=mmap.ACCESS_COPY)
    size = os.fstat(file.fileno()).st_size
    address = _LIBC.mmap(None, size, mmap.PROT_READ | mmap.PROT_WRITE, mmap.MAP_PRIVATE, file.fileno(), 0)
    if address == _FAILED:
        raise OSError(ctypes.get_errno(), os.strerror(ctypes.get_errno()))
    mapped = (ctypes.c_ubyte * size).from_address(address)
    # not at exit: arrays may still be in use then, and the system unmaps them when the process ends
    weakref.finalize(mapped, _LIBC.munmap, address, size).atexit = False
    return mapped


def _libc() -> Any:
    """The C library, if its mmap can be called with the signature of 64-bit Linux and macOS; otherwise None."""
    if sys.version_info >= (3, 13) or sys.platform not in ("linux", "darwin") or ctypes.sizeof(ctypes.c_long) != 8:
        return None
    library = ctypes.CDLL(None, use_errno=True)
    pointer, size, number = ctypes.c_void_p, ctypes.c_size_t, ctypes.c_int
    library.mmap.restype, library.mmap.argtypes = pointer, [pointer, size, number, number, number, ctypes.c_int64]
    library.munmap.argtypes = [pointer, size]
    return library


_LIBC = _libc()
_FAILED = ctypes.c_void_p(-1).value
