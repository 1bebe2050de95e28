"""The shared order: the same everywhere, for ever."""

import hashlib

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from idxhub import order
from idxhub.errors import ArgumentError

# of the little-endian int64 bytes; a change here is a change for every user's experiments
GOLDEN = {
    (0, 0, 0): "e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855",
    (1, 0, 0): "af5570f5a1810b7af78caf4bc70a660f0df51e42baf91d4de5b2328de0e83dfc",
    (10, 0, 0): "4e1379dab346532239547eabb46f218d6ccdeb0465ddcafd41cfe4902d0d200e",
    (10, 0, 1): "52d4a99b586aeb89acd8983413a314d793aa07ad448169e90eb3605f4a0cabac",
    (10, 1, 0): "a5fb2804c5de466cd4632c69e12f281eed8f0b8ccea7915d27741a7e103c5f42",
    (1000, 42, 7): "73741f5501ec96ff1ac9109ffaa0bbaf00751edbb4fe4dae6497fb53a85316cb",
    (60000, 0, 0): "3ea54aa30999d5c951d4b32469e1bf71a0c5f9b7318f9e47b592bfc7b64d7ec5",
    (60000, 0, 1): "e0bfa6728220bad23016209dc76e715f737ba7a5709737299d453c5576d41028",
    (10000, 1099511627776, 3): "dfed041831eb3f73b81dae3ca3a8437fe8d90dbbd742f172a470d3341f03bbab",
}


@pytest.mark.parametrize(("arguments", "digest"), GOLDEN.items())
def test_golden_digests(arguments, digest):
    assert hashlib.sha256(order(*arguments).astype("<i8").tobytes()).hexdigest() == digest


def test_the_promised_formula():
    bits = np.random.MT19937(np.random.SeedSequence([7, 3]))
    np.testing.assert_array_equal(order(1000, 7, 3), np.random.RandomState(bits).permutation(1000))


@given(st.integers(0, 2000), st.integers(0, 2**64), st.integers(0, 10_000))
def test_is_a_permutation(n, seed, epoch):
    permutation = order(n, seed, epoch)
    assert permutation.dtype == np.int64
    np.testing.assert_array_equal(np.sort(permutation), np.arange(n))
    np.testing.assert_array_equal(permutation, order(n, seed, epoch))


def test_seed_and_epoch_both_matter():
    assert len({order(100, seed, epoch).tobytes() for seed in range(5) for epoch in range(5)}) == 25


def test_the_global_random_state_is_neither_read_nor_changed():
    np.random.seed(1)  # noqa: NPY002 -- the state under test
    before = np.random.get_state()  # noqa: NPY002
    first = order(50, 1, 2)
    after = np.random.get_state()  # noqa: NPY002
    assert before[0] == after[0]
    np.testing.assert_array_equal(before[1], after[1])
    assert before[2:] == after[2:]
    np.random.seed(2)  # noqa: NPY002
    np.testing.assert_array_equal(order(50, 1, 2), first)


@pytest.mark.parametrize("wrong", [-1, 1.5, "1", None, True], ids=repr)
@pytest.mark.parametrize("name", ["n", "seed", "epoch"])
def test_numbers_that_are_no_counts_are_refused(name, wrong):
    with pytest.raises(ArgumentError, match=f"^{name} is {wrong!r}; it must be an integer of 0 or more$"):
        order(**{"n": 1, "seed": 0, "epoch": 0, name: wrong})


@pytest.mark.parametrize("arguments", [(np.int64(10), np.uint8(1), np.int32(2))])
def test_numpy_integers_will_do(arguments):
    np.testing.assert_array_equal(order(*arguments), order(10, 1, 2))


def test_more_than_an_array_can_hold_is_refused():
    with pytest.raises(ArgumentError, match=f"^n is {2**60}; it must be an integer of {2**60 - 1} or less$"):
        order(2**60, 0, 0)
