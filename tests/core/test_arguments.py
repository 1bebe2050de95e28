"""The checks that the core and its adapters share."""

from __future__ import annotations

import numpy as np
import pytest

from idxhub import arguments
from idxhub.errors import ArgumentError


class Tensor:
    """A tensor that makes an index of all it can, as torch's do: of one element in any shape, of booleans too."""

    def __init__(self, values, dtype="somewhere.int64"):
        self.array, self.dtype = np.array(values), dtype

    def __repr__(self):
        return f"Tensor({self.array.tolist()}, {self.dtype})"

    @property
    def ndim(self):
        return self.array.ndim

    @property
    def shape(self):
        return self.array.shape

    def __index__(self):
        return int(self.array.item())


class Raises:
    """A value whose index is an error of its own kind, as that of TensorFlow's boolean tensors is."""

    def __init__(self, error):
        self.error = error

    def __repr__(self):
        return f"Raises({self.error.__name__})"

    def __index__(self):
        raise self.error("no index")


@pytest.mark.parametrize(
    ("check", "value", "expected"),
    [
        (arguments.integer, 0, 0),
        (arguments.integer, np.uint8(3), 3),
        (arguments.integer, np.int64(128), 128),
        (arguments.integer, np.array(128), 128),
        (arguments.integer, Tensor(128), 128),
        (arguments.boolean, False, False),
        (arguments.boolean, np.True_, True),
        (arguments.function, None, None),
        (arguments.function, abs, abs),
    ],
    ids=lambda value: getattr(value, "__name__", repr(value)),
)
def test_right_values_are_returned(check, value, expected):
    seen = check("x", value)
    assert seen is expected or seen == expected
    assert type(seen) is type(expected)


@pytest.mark.parametrize(
    ("check", "value", "must_be"),
    [
        *[(arguments.integer, value, "an integer of 0 or more") for value in (-1, 1.0, "1", None, True, np.True_, [1])],
        *[
            (arguments.integer, value, "an integer of 0 or more")
            for value in (np.array(True), np.array([128]), np.array([[128]]), np.array([True]), np.array(1.0))
        ],
        *[
            (arguments.integer, value, "an integer of 0 or more")
            for value in (Tensor(True, "somewhere.bool"), Tensor(True, "<dtype: 'bool'>"), Tensor([128]), Tensor([[1]]))
        ],
        *[
            (arguments.integer, Raises(error), "an integer of 0 or more")
            for error in (AttributeError, NotImplementedError, RuntimeError, TypeError, ValueError)
        ],
        *[(arguments.boolean, value, "True or False") for value in (0, 1, "no", None, [], np.array(True))],
        *[(arguments.function, value, "a callable, or None") for value in (3, "abs", [abs])],
    ],
    ids=lambda value: getattr(value, "__name__", repr(value)),
)
def test_wrong_values_are_named_in_the_error(check, value, must_be):
    with pytest.raises(ArgumentError) as caught:
        check("x", value)
    assert (caught.value.kind, caught.value.must_be) == ("x", must_be)


def test_bounds():
    assert arguments.integer("x", 5, 5, 5) == 5
    with pytest.raises(ArgumentError, match=r"^x is 4; it must be an integer of 5 or more$"):
        arguments.integer("x", 4, 5)
    with pytest.raises(ArgumentError, match=r"^x is 6; it must be an integer of 5 or less$"):
        arguments.integer("x", 6, 5, 5)


def test_sound_options_of_batches():
    for options in ({}, {"batch_size": None, "drop_last": False}, {"shuffle": True, "seed": 3}):
        arguments.batching(options)
    arguments.batching(
        {"batch_size": 1, "shuffle": True, "drop_last": True, "seed": 0}, need_batches=("shuffle", "drop_last")
    )


@pytest.mark.parametrize(
    ("options", "wrong", "must_be"),
    [
        ({"batch_size": 0}, "batch_size", "an integer of 1 or more"),
        ({"batch_size": 8, "shuffle": 1}, "shuffle", "True or False"),
        ({"drop_last": "yes"}, "drop_last", "True or False"),
        ({"drop_last": True}, "drop_last", "False if batch_size is not given"),
        ({"batch_size": None, "drop_last": True}, "drop_last", "False if batch_size is not given"),
        ({"seed": -1}, "seed", "an integer of 0 or more"),
    ],
    ids=lambda value: str(value) if isinstance(value, dict) else "",
)
def test_wrong_options_of_batches(options, wrong, must_be):
    with pytest.raises(ArgumentError) as caught:
        arguments.batching(options)
    assert (caught.value.kind, caught.value.must_be) == (wrong, must_be)


def test_what_needs_batches():
    with pytest.raises(ArgumentError, match=r"^shuffle is True; it must be False if batch_size is not given$"):
        arguments.batching({"shuffle": True}, need_batches=("shuffle", "drop_last"))


@pytest.mark.parametrize("kind", [list, tuple, set, iter, np.array, dict.fromkeys], ids=lambda kind: kind.__name__)
def test_indices_may_be_any_iterable_of_integers(kind):
    rows = arguments.indices(kind([1, 2, 5]))
    assert (rows.dtype, rows.tolist()) == (np.int64, [1, 2, 5])
    assert arguments.indices(kind([])).shape == (0,)


@pytest.mark.parametrize("values", [[0.6, 1.9], [True, False], np.array([False]), ["1"], [[1, 2], [3, 4]], iter([0.5])])
def test_a_mask_or_other_numbers_are_no_indices(values):
    with pytest.raises(
        TypeError, match=r"^indices are integers, \(n,\), not .*; of a mask, take numpy.flatnonzero\(mask\)$"
    ):
        arguments.indices(values)
