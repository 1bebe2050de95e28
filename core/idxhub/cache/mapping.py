"""Mapping a file copy-on-write without keeping a file descriptor open.

Before Python 3.13, each `mmap.mmap` keeps a duplicate of the descriptor that it was made from. A thousand arrays would
then need a thousand descriptors, which is the usual limit of a process. Therefore the system's own mmap(2) is called
there. On Windows, `mmap.mmap` keeps a handle, of which a process may have millions.
"""

from __future__ import annotations

import ctypes
import io
import mmap
import os
import sys
from typing import TYPE_CHECKING, Any

import numpy as np

if TYPE_CHECKING:  # importing numpy.typing takes 0.7 ms
    from numpy.typing import NDArray


def map_copy_on_write(file: io.BufferedReader) -> NDArray[np.uint8]:
    """The bytes of a file as a writable array. Writing into it changes neither the file nor any other mapping.

    The file stays mapped until no array refers to the mapping any more. Raises `OSError`; an empty file is an error, as
    for `mmap.mmap`.
    """
    if sys.version_info >= (3, 13) and sys.platform != "win32":
        return np.frombuffer(mmap.mmap(file.fileno(), 0, access=mmap.ACCESS_COPY, trackfd=False), np.uint8)
    if _LIBC is None:
        return np.frombuffer(mmap.mmap(file.fileno(), 0, access=mmap.ACCESS_COPY), np.uint8)
    size = os.fstat(file.fileno()).st_size
    address = _LIBC.mmap(None, size, mmap.PROT_READ | mmap.PROT_WRITE, mmap.MAP_PRIVATE, file.fileno(), 0)
    if address == _FAILED:
        raise OSError(ctypes.get_errno(), os.strerror(ctypes.get_errno()))
    return np.asarray(_Mapping(address, size, _LIBC.munmap))


class _Mapping:
    """A writable mapping. An array that is made of it refers to it, and it is unmapped when nothing does any more."""

    def __init__(self, address: int, size: int, munmap: Any) -> None:
        self._address, self._size = address, size
        self._munmap = munmap  # the module's variables may be gone when Python ends
        self.__array_interface__ = {"version": 3, "data": (address, False), "shape": (size,), "typestr": "|u1"}

    def __del__(self) -> None:
        self._munmap(self._address, self._size)


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
