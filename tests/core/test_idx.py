"""The IDX codec: all types and dimensions both ways, and nothing but its own error for what is damaged."""

import struct
import tracemalloc
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from idxhub import idx
from idxhub.errors import ArgumentError, IdxFormatError

TYPES = {
    "uint8": (0x08, ">u1"),
    "int8": (0x09, ">i1"),
    "int16": (0x0B, ">i2"),
    "int32": (0x0C, ">i4"),
    "float32": (0x0D, ">f4"),
    "float64": (0x0E, ">f8"),
}


def by_hand(code: int, shape: tuple[int, ...], elements: bytes) -> bytes:
    """An IDX file written after the format's description, without the codec under test."""
    return bytes([0, 0, code, len(shape)]) + b"".join(n.to_bytes(4, "big") for n in shape) + elements


@pytest.mark.parametrize("dtype", TYPES)
@pytest.mark.parametrize("shape", [(7,), (3, 2), (2, 3, 4), (2, 1, 3, 2), (2, 2, 1, 2, 3)])
def test_every_type_and_dimension_both_ways(dtype, shape):
    code, stored = TYPES[dtype]
    array = (np.arange(np.prod(shape)) * 3 - 5).astype(dtype).reshape(shape)
    data = by_hand(code, shape, array.astype(stored).tobytes())

    decoded = idx.decode(data)

    assert decoded.dtype == np.dtype(dtype)
    assert decoded.dtype.isnative
    assert decoded.shape == shape
    np.testing.assert_array_equal(decoded, array)
    assert idx.encode(array) == data


@pytest.mark.parametrize("dtype", TYPES)
@pytest.mark.parametrize("order", ["<", ">"])
def test_any_byte_order_is_taken(dtype, order):
    array = np.arange(6).reshape(2, 3).astype(dtype)
    assert idx.encode(array.astype(array.dtype.newbyteorder(order))) == idx.encode(array)


@pytest.mark.parametrize(
    "make",
    [
        np.asfortranarray,
        lambda a: a[::-1],
        lambda a: a[:, ::2],
        lambda a: a.T,
    ],
)
def test_any_memory_layout_is_taken(make):
    array = make(np.arange(24, dtype=np.uint8).reshape(4, 6))
    np.testing.assert_array_equal(idx.decode(idx.encode(array)), array)


def test_known_bytes():
    # the header of MNIST's train images as its page prints it: 0x00000803, 60000, 28, 28
    assert idx.encode_header((60_000, 28, 28), "uint8").hex() == "000008030000ea600000001c0000001c"


def test_one_byte_types_are_a_view_and_cannot_be_written():
    data = idx.encode(np.arange(8, dtype=np.uint8))
    decoded = idx.decode(data)
    assert np.shares_memory(decoded, np.frombuffer(data, np.uint8))
    assert not decoded.flags.writeable


@pytest.mark.parametrize("shape", [(0,), (0, 28, 28), (3, 0), (0, 0, 0), (2, 0, 5)])
def test_empty_arrays(shape):
    decoded = idx.decode(idx.encode(np.empty(shape, np.int16)))
    assert decoded.shape == shape
    assert decoded.dtype == np.int16


@pytest.mark.parametrize(
    ("data", "says"),
    [
        (b"\0", "1 of 4 bytes"),
        (b"\0\0\x08", "3 of 4 bytes"),
        (b"\0\0\x08\x01\0\0\0\5" + bytes(3), r"too short: shape \(5,\) of uint8 needs 13 bytes, but there are 11"),
        (b"\0\1\x08\x01" + bytes(4), "not IDX: bytes 0-1 are 00 01, not 00 00$"),
        (b"\1\0\x08\x01" + bytes(4), "not IDX: bytes 0-1 are 01 00, not 00 00$"),
        (b"\0\0\x0f\x01" + bytes(8), "element type 0x0f at byte 2"),
        (b"\0\0\x08\0x", "^0 dimensions at byte 3"),
        (b"\0\0\x08\x41" + bytes(4 * 65), "^65 dimensions at byte 3"),
        (b"\0\0\x08\x02" + bytes(7), "^header cut short: 2 dimensions need 12 bytes, the data ends at byte 11$"),
        (b"<!DOCTYPE html><html>", "HTML page"),
        (b"  \n<html>", "HTML page"),
        (b"\x1f\x8b\x08\x00", "gzip: decompress it first"),
        (b"\xfd7zXZ\0", "xz: decompress it first"),
    ],
)
def test_the_error_says_what_is_wrong(data, says):
    """More of it is in tests/faults/test_files.py."""
    with pytest.raises(IdxFormatError, match=says):
        idx.decode(data)


@pytest.mark.parametrize("data", ["train-images-idx3-ubyte", "x", Path("train-images-idx3-ubyte"), 2051, None])
@pytest.mark.parametrize("read", [idx.decode, idx.read_header])
def test_what_is_no_bytes_is_refused(read, data):
    with pytest.raises(ArgumentError) as caught:
        read(data)
    assert (
        str(caught.value) == f"data is {data!r}; it must be the bytes of an IDX file, as Path.read_bytes returns them"
    )


@pytest.mark.parametrize("code", [code for code, _ in TYPES.values()])
def test_2_to_the_128_bytes_claimed_are_refused_before_allocating(code):
    data = by_hand(code, (2**32 - 1,) * 4, bytes(64))
    tracemalloc.start()
    with pytest.raises(IdxFormatError, match="too short"):
        idx.decode(data)
    peak = tracemalloc.get_traced_memory()[1]
    tracemalloc.stop()
    assert peak < 100_000


def test_empty_with_dimensions_beyond_an_address():
    with pytest.raises(IdxFormatError, match="cannot be an array"):
        idx.decode(by_hand(8, (0, *(2**32 - 1,) * 4), b""))


def test_64_dimensions_are_read_as_far_as_numpy_can():
    data = by_hand(8, (1,) * 64, b"x")
    assert idx.encode_header((1,) * 64, "uint8") == data[:-1]
    try:
        np.empty((1,) * 64)
    except ValueError:  # NumPy 1 stops at 32
        with pytest.raises(IdxFormatError):
            idx.decode(data)
    else:
        assert idx.decode(data).shape == (1,) * 64


@pytest.mark.parametrize("dtype", ["uint16", "int64", "float16", "bool", "complex64", "U3", "object", "datetime64[s]"])
def test_types_that_idx_lacks_are_refused(dtype):
    with pytest.raises(IdxFormatError, match="no element type"):
        idx.encode(np.zeros(2, dtype))


def test_a_scalar_is_refused():
    with pytest.raises(IdxFormatError, match="not 0"):
        idx.encode(np.uint8(3))


@pytest.mark.parametrize("shape", [(1,) * 65, (2**32,), (3, 2**40), (-1, 2)])
def test_shapes_that_do_not_fit_are_refused(shape):
    with pytest.raises(IdxFormatError):
        idx.encode_header(shape, "uint8")


def test_a_header_needs_no_elements():
    header = idx.read_header(by_hand(0x0E, (5, 7), b""))
    assert header.shape == (5, 7)
    assert (header.size, header.payload_size) == (12, 12 + 5 * 7 * 8)


@given(st.binary(max_size=64))
def test_arbitrary_bytes_are_refused_or_come_back(data):
    try:
        array = idx.decode(data)
    except IdxFormatError:
        return
    assert idx.encode(array) == data


@given(st.sampled_from(sorted(code for code, _ in TYPES.values())), st.lists(st.integers(0, 2**32 - 1), max_size=6))
def test_arbitrary_headers_are_refused_or_come_back(code, shape):
    data = struct.pack(f">BBBB{len(shape)}I", 0, 0, code, len(shape), *shape) + bytes(16)
    try:
        array = idx.decode(data)
    except IdxFormatError:
        return
    assert array.nbytes == 16
    assert idx.encode(array) == data
