"""The IDX format: decoding bytes to arrays, and encoding arrays to bytes.

A file begins with two zero bytes, one byte for the element type and one byte for the number of dimensions. The length
of each dimension follows as a big-endian uint32. Then come the elements, big-endian, with the last dimension varying
fastest. Source: "The IDX file format", on the MNIST page of Y. LeCun, C. Cortes and C. Burges.
"""

from __future__ import annotations

import math
import struct
from typing import TYPE_CHECKING, Any, NamedTuple

import numpy as np

from idxhub.errors import ArgumentError, IdxFormatError

if TYPE_CHECKING:  # importing numpy.typing takes 0.7 ms
    from numpy.typing import NDArray

_DTYPES: dict[int, np.dtype[Any]] = {
    0x08: np.dtype(">u1"),
    0x09: np.dtype(">i1"),
    0x0B: np.dtype(">i2"),
    0x0C: np.dtype(">i4"),
    0x0D: np.dtype(">f4"),
    0x0E: np.dtype(">f8"),
}
_CODES = {dtype: code for code, dtype in _DTYPES.items()}
_MAX_DIMENSIONS = 64  # the limit of NumPy; older releases have a limit of 32, and raise an error of their own
MAX_HEADER_SIZE = 4 + 4 * 255


class Header(NamedTuple):
    """The header of an IDX file: its `dtype` as stored (big-endian), its `shape`, and the header's `size` in bytes."""

    dtype: np.dtype[Any]
    shape: tuple[int, ...]
    size: int

    @property
    def payload_size(self) -> int:
        """The size of the whole file in bytes, with the header."""
        return self.size + math.prod(self.shape) * self.dtype.itemsize

    def check(self, size: int) -> None:
        """Raise `IdxFormatError` unless a file with this header has `size` bytes, and an array can have its shape."""
        if self.payload_size != size:
            more = "too short" if size < self.payload_size else "too long"
            raise IdxFormatError(
                f"{more}: shape {self.shape} of {self.dtype.name} needs {self.payload_size:,} bytes, "
                f"but there are {size:,}"
            )
        try:
            np.broadcast_to(np.empty((), self.dtype), self.shape)  # takes no memory
        except ValueError as error:  # an empty array whose other dimensions are too large for NumPy
            raise IdxFormatError(f"shape {self.shape} cannot be an array: {error}") from error


def read_header(data: bytes | memoryview) -> Header:
    """Parse the header of an IDX file.

    Raises an `IdxFormatError` that names the wrong byte, and an `ArgumentError` if `data` are no bytes.
    """
    try:
        memoryview(data)
    except TypeError:  # a path, for example, or an open file
        raise ArgumentError("data", data, "the bytes of an IDX file, as Path.read_bytes returns them") from None
    if len(data) < 4:
        raise IdxFormatError(f"too short for an IDX magic number: {len(data)} of 4 bytes")
    if data[0] or data[1]:
        raise IdxFormatError(f"not IDX: bytes 0-1 are {data[0]:02x} {data[1]:02x}, not 00 00{_guess_format(data)}")
    code, ndim = data[2], data[3]
    if code not in _DTYPES:
        known = ", ".join(f"{known:#04x}" for known in _DTYPES)
        raise IdxFormatError(f"unknown IDX element type {code:#04x} at byte 2; known: {known}")
    if not 1 <= ndim <= _MAX_DIMENSIONS:
        raise IdxFormatError(f"{ndim} dimensions at byte 3; idxhub reads arrays of 1 to {_MAX_DIMENSIONS}")
    size = 4 + 4 * ndim
    if len(data) < size:
        raise IdxFormatError(
            f"header cut short: {ndim} dimensions need {size} bytes, the data ends at byte {len(data)}"
        )
    return Header(_DTYPES[code], struct.unpack_from(f">{ndim}I", data, 4), size)


def decode(data: bytes | memoryview) -> NDArray[Any]:
    """Decode the bytes of an IDX file to an array in native byte order.

    If the elements have one byte each, the array is a read-only view of `data`; otherwise it is a copy. The size that
    the header says is compared with the size of `data` before memory is allocated. Raises `IdxFormatError`, and
    `ArgumentError` if `data` are no bytes.
    """
    header = read_header(data)
    header.check(len(data))
    elements = np.frombuffer(data, header.dtype, offset=header.size).reshape(header.shape)
    return elements.astype(header.dtype.newbyteorder("="), copy=False)


def encode(array: NDArray[Any]) -> bytes:
    """Encode an array as an IDX file. `decode(encode(a))` equals `a`, and has its dtype and shape.

    `array` has the dtype uint8, int8, int16, int32, float32 or float64, in any byte order, and at least one dimension.
    Raises `IdxFormatError` for other arrays.
    """
    array = np.asarray(array)
    return encode_header(array.shape, array.dtype) + array.astype(array.dtype.newbyteorder(">"), copy=False).tobytes(
        "C"
    )


def encode_header(shape: tuple[int, ...], dtype: np.dtype[Any] | str) -> bytes:
    """Encode only the header: 4 bytes, and 4 more for each dimension. Raises `IdxFormatError` as `encode` does."""
    stored = np.dtype(dtype).newbyteorder(">")
    if stored not in _CODES:
        names = ", ".join(known.name for known in _CODES)
        raise IdxFormatError(f"IDX has no element type for {np.dtype(dtype).name}; it has {names}")
    if not 1 <= len(shape) <= _MAX_DIMENSIONS:
        raise IdxFormatError(f"IDX takes 1 to {_MAX_DIMENSIONS} dimensions, not {len(shape)}")
    for length in shape:
        if not 0 <= length < 2**32:
            raise IdxFormatError(f"a dimension of {length:,} does not fit IDX's 32 bits")
    return struct.pack(f">BBBB{len(shape)}I", 0, 0, _CODES[stored], len(shape), *shape)


def is_html(data: bytes | memoryview) -> bool:
    """Whether `data` starts like an HTML page. Servers and captive portals may send one instead of the file."""
    return bytes(data[:512]).lstrip().lower().startswith((b"<!doctype", b"<html"))


def _guess_format(data: bytes | memoryview) -> str:
    """The format of data that are not IDX, for an error message; empty if it is not recognised."""
    data = bytes(data[:512])
    if is_html(data):
        return " (this is an HTML page)"
    if data.startswith(b"\x1f\x8b"):
        return " (this is gzip: decompress it first)"
    if data.startswith(b"\xfd7zXZ"):
        return " (this is xz: decompress it first)"
    return ""
