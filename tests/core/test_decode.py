"""Blocks of an IDX file are decoded to the same elements, and the same errors, as the whole file."""

import contextlib
import itertools
import time

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from idxhub import Resource, idx
from idxhub.acquire.decode import decode_blocks
from idxhub.catalog.spec import ArraySpec
from idxhub.errors import IdxFormatError

STEPS = st.sampled_from(
    [
        (dtype, shape, options)
        for dtype in ("uint8", "int8", "int16", "int32", "float32", "float64")
        for shape, options in [
            ((7,), {}),
            ((0,), {}),
            ((5, 3), {}),
            ((4, 3, 2), {}),
            ((4, 3, 2), {"transposed": True}),
            ((0, 3, 2), {"transposed": True}),
            ((5, 3), {"column": 1}),
            ((5, 3), {"column": 2, "offset": 1}),
            ((7,), {"offset": 2}),
        ]
    ]
)


def pieces(data, cuts):
    ends = [*sorted(cut % (len(data) + 1) for cut in cuts), len(data)]
    return [data[begin:end] for begin, end in itertools.pairwise([0, *ends])]


def expected(array, options):
    if "column" in options:
        array = array[:, options["column"]]
    if "offset" in options:
        array = array.astype(np.int64) - options["offset"]
    return array.swapaxes(1, 2) if "transposed" in options else array


@given(STEPS, st.lists(st.integers(0, 1000), max_size=8), st.integers(0, 99), st.integers(1, 64))
def test_blocks_of_any_size_decode_as_the_whole(steps, cuts, seed, part):
    dtype, shape, options = steps
    array = np.random.default_rng(seed).integers(0, 100, shape).astype(dtype)
    whole = expected(array, options)
    resource = Resource("x", "0" * 32, shape, dtype)
    with pytest.MonkeyPatch.context() as patched:
        patched.setattr("idxhub.acquire.decode._PART", part)
        parts = list(decode_blocks(ArraySpec(resource, whole.dtype.name, **options), pieces(idx.encode(array), cuts)))
    joined = np.concatenate([np.empty(0, whole.dtype), *parts])
    assert joined.dtype == whole.dtype
    np.testing.assert_array_equal(joined, whole.reshape(-1))


def test_images_far_larger_than_a_block_are_joined_once():
    """The time grows with the size; joining each block to those before it copied 34 GB for this image of 8 MiB."""
    shape = (1, 4096, 2048)
    array_spec = ArraySpec(Resource("x", "0" * 32, shape), "uint8", transposed=True)
    content = idx.encode(np.zeros(shape, np.uint8))
    blocks = (content[begin : begin + 2048] for begin in range(0, len(content), 2048))
    start = time.process_time()
    assert [len(part) for part in decode_blocks(array_spec, blocks)] == [8 << 20]
    assert time.process_time() - start < 1


@given(STEPS, st.lists(st.integers(0, 1000), max_size=8), st.data())
def test_a_wrong_size_or_header_is_the_error_of_the_whole(steps, cuts, data):
    dtype, shape, options = steps
    content = idx.encode(np.zeros(shape, dtype))
    damaged = data.draw(
        st.one_of(
            st.integers(0, max(0, len(content) - 1)).map(lambda length: content[:length]),
            st.binary(min_size=1, max_size=20).map(lambda more: content + more),
            st.integers(0, 3).map(lambda at: content[:at] + b"\x77" + content[at + 1 :]),
        )
    )
    with contextlib.suppress(IdxFormatError):
        idx.decode(damaged)
        return  # the change did no harm
    with pytest.raises(IdxFormatError) as whole:
        idx.decode(damaged)
    array_spec = ArraySpec(Resource("x", "0" * 32, shape, dtype), dtype, **options)
    with pytest.raises(IdxFormatError) as caught:
        list(decode_blocks(array_spec, pieces(damaged, cuts)))
    assert str(caught.value) == str(whole.value)
