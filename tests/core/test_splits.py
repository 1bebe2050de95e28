"""Split strings: TFDS' grammar and rounding, and errors that help."""

import pickle

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from idxhub.catalog.split_string import Range, parse, resolve
from idxhub.errors import ArgumentError, UnknownNameError

SIZES = {"train": 60_000, "test": 10_000}


def ranges(text, sizes=SIZES):
    return [tuple(each) for each in resolve(parse(text, sizes), sizes)]


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("train", [("train", 0, 60_000)]),
        ("test", [("test", 0, 10_000)]),
        ("train[:80%]", [("train", 0, 48_000)]),
        ("train[80%:]", [("train", 48_000, 60_000)]),
        ("train[10000:20000]", [("train", 10_000, 20_000)]),
        ("train[10_000:20_000]", [("train", 10_000, 20_000)]),
        ("train[-1000:]", [("train", 59_000, 60_000)]),
        ("train[:-1000]", [("train", 0, 59_000)]),
        ("train[-20%:-10%]", [("train", 48_000, 54_000)]),
        ("train[10%:-10%]", [("train", 6_000, 54_000)]),
        ("train[50%:40000]", [("train", 30_000, 40_000)]),
        ("train[:]", [("train", 0, 60_000)]),
        ("train[0:0]", [("train", 0, 0)]),
        ("train[60000:]", [("train", 60_000, 60_000)]),
        ("train[-60000:]", [("train", 0, 60_000)]),
        ("train[-100%:]", [("train", 0, 60_000)]),
        ("train[:100%]", [("train", 0, 60_000)]),
        ("train[-0%:]", [("train", 0, 60_000)]),
        ("train[:-0%]", [("train", 0, 0)]),
        ("train[-0:]", [("train", 0, 60_000)]),
        ("train+test", [("train", 0, 60_000), ("test", 0, 10_000)]),
        ("test+train", [("test", 0, 10_000), ("train", 0, 60_000)]),
        ("train+train", [("train", 0, 60_000), ("train", 0, 60_000)]),
        ("train[:10]+test[-10:]", [("train", 0, 10), ("test", 9_990, 10_000)]),
        (" train [ : 80% ] + test ", [("train", 0, 48_000), ("test", 0, 10_000)]),
        ("all", [("train", 0, 60_000), ("test", 0, 10_000)]),
        ("all+test", [("train", 0, 60_000), ("test", 0, 10_000), ("test", 0, 10_000)]),
    ],
)
def test_table(text, expected):
    assert ranges(text) == expected


@pytest.mark.parametrize(
    ("percent", "size", "position"),
    # round(percent * size / 100), halves to even, as Python and TFDS round
    [
        *[(50, 1, 0), (50, 3, 2), (50, 5, 2), (50, 7, 4), (25, 10, 2), (35, 10, 4)],
        *[(1, 150, 2), (1, 49, 0), (1, 50, 0), (99, 50, 50), (33, 999, 330), (33, 1000, 330)],
    ],
)
def test_percentages_round_as_tfds_does(percent, size, position):
    assert ranges(f"a[:{percent}%]", {"a": size}) == [("a", 0, position)]
    assert ranges(f"a[{percent}%:]", {"a": size}) == [("a", position, size)]
    backwards = size - position if position else 0  # what rounds to nothing is position 0 there too
    assert ranges(f"a[-{percent}%:]", {"a": size}) == [("a", backwards, size)]


def test_a_split_called_all_is_that_split():
    assert ranges("all", {"all": 5, "test": 2}) == [("all", 0, 5)]


def test_names_with_dots_and_dashes():
    assert ranges("train-v1.5[:1]", {"train-v1.5": 2}) == [("train-v1.5", 0, 1)]


NONSENSE = [
    "",
    " ",
    "+",
    "train+",
    "+train",
    "train++test",
    "train[:200%%]",
    "train[:200%]",
    "train[-101%:]",
    "train[]",
    "train[5]",
    "train[",
    "train]",
    "train[:10",
    "train:10]",
    "train[[:10]]",
    "train[:10][:5]",
    "train[::2]",
    "train[a:b]",
    "train[:1.5]",
    "train[:50.5%]",
    "train[:%]",
    "train[:- 5]",
    "train[--5:]",
    "train[+5:]",
    "train[:1e3]",
    "train[:0x10]",
    "train[:1__0]",
    "train[:1_]",
    "train[:_1]",
    "train[:\u0663]",  # ARABIC-INDIC DIGIT THREE
    "train[:\uff13%]",  # FULLWIDTH DIGIT THREE
    "train[:\u00b2]",
    "train[:" + "9" * 5000 + "]",
    "train[:" + "9" * 5000 + "%]",
    "train[:60001]",
    "train[-60001:]",
    "train[60001:]",
    "train[20:10]",
    "train[80%:20%]",
    "train[-10:-20]",
    "tran",
    "Train",
    "train test",
    "train,test",
    "train|test",
    "validation",
    "all[:10]",
    "train\0",
    "../train",
]


@pytest.mark.parametrize("text", NONSENSE, ids=lambda text: ascii(text[:24]))
def test_nonsense_names_the_choices(text):
    with pytest.raises(UnknownNameError) as caught:
        ranges(text)
    assert caught.value.kind == "split"
    assert "train" in caught.value.choices
    assert "Choices: " in str(caught.value)


@pytest.mark.parametrize(
    ("text", "nearest"),
    [("tran", "train"), ("Train", "train"), ("tset", "test"), ("tran[:80%]", "train"), ("TRAIN", "train")],
)
def test_the_nearest_match_is_offered(text, nearest):
    with pytest.raises(UnknownNameError, match=f"did you mean '{nearest}'"):
        ranges(text)


@pytest.mark.parametrize(
    ("text", "says"),
    [
        ("train[:200%]", "-100% to 100%"),
        ("train[:60001]", "60,000 examples"),
        ("train[20:10]", "end before it starts"),
        ("train[5]", "no colon"),
        ("train[a:]", "neither a number nor a percentage"),
        ("train++test", "cannot read"),
        ("all[:10%]", "'all' cannot be sliced, its splits can: train[:10%] + test[:10%]"),
        ("train[:99999]", "cannot use split 'train[:99999]': train has 60,000 examples"),
        ("train[-60001:]", "cannot use split 'train[-60001:]': train has 60,000 examples"),
        ("train+test[80%:20%]", "cannot use split 'test[80%:20%]': it would end before it starts: 8,000 to 2,000"),
    ],
)
def test_the_reason_is_given(text, says):
    with pytest.raises(UnknownNameError) as caught:
        ranges(text)
    assert says in str(caught.value)
    assert "did you mean" not in str(caught.value)


@pytest.mark.parametrize("wrong", [5, None, b"train", ["train"]], ids=repr)
def test_what_is_no_string_is_refused(wrong):
    with pytest.raises(ArgumentError, match="it must be a string"):
        parse(wrong, SIZES)


def test_size_of_a_range():
    assert Range("train", 10, 25).size == 15


@given(st.integers(0, 300), st.integers(-320, 320) | st.none(), st.integers(-320, 320) | st.none())
def test_bounds_in_examples_mean_what_python_means(n, start, stop):
    text = f"a[{'' if start is None else start}:{'' if stop is None else stop}]"
    expected = np.arange(n)[start:stop]
    try:
        (only,) = resolve(parse(text, ["a"]), {"a": n})
    except UnknownNameError:
        outside = any(bound is not None and abs(bound) > n for bound in (start, stop))
        assert outside or len(expected) == 0
    else:
        np.testing.assert_array_equal(np.arange(n)[only.start : only.stop], expected)


@given(st.integers(0, 100_000), st.integers(0, 100))
def test_the_two_parts_of_a_percentage_split_are_the_whole(n, percent):
    (first,) = ranges(f"a[:{percent}%]", {"a": n})
    (second,) = ranges(f"a[{percent}%:]", {"a": n})
    assert first[2] == second[1]
    assert (first[1], second[2]) == (0, n)


@given(st.text(max_size=20) | st.from_regex(r"\A(train|test|all)?\[?-?[0-9_]*%?:?-?[0-9_]*%?\]?\+?\Z"))
def test_arbitrary_text_is_read_or_refused(text):
    try:
        found = ranges(text)
    except UnknownNameError:
        return
    assert all(0 <= start <= stop <= SIZES[name] for name, start, stop in found)


@pytest.mark.parametrize("text", ["test[:501]", "test[5:4]", "test[:101%]", "test[3]", "test[a:]", "test["])
def test_a_split_with_bounds_that_cannot_be_is_not_called_unknown(text):
    sizes = {"train": 2000, "test": 500}
    with pytest.raises(UnknownNameError) as caught:
        resolve(parse(text, sizes), sizes)
    assert str(caught.value).startswith(f"cannot use split {text!r}: ")
    assert str(pickle.loads(pickle.dumps(caught.value))) == str(caught.value)  # noqa: S301
