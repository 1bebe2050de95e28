"""Split strings: TFDS' grammar and rounding, and errors that help."""

import pickle
import re

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from idxhub.catalog.split_string import Range, parse, resolve
from idxhub.errors import ArgumentError, UnknownNameError, describe_value

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


UNUSABLE = {
    ": it is empty": ["", " "],
    "the name of a split is missing before or after a +": ["+", "train+", "+train", "train++test"],
    "is malformed": [
        *("train " * 500, "train test", "train,test", "train|test", "train\0"),
        *("train[", "train]", "train[:10", "train:10]", "train[[:10]]", "train[:10][:5]", "train[+5:]", "../train"),
    ],
    "'[]' has no colon": ["train[]"],
    "'[5]' has no colon": ["train[5]"],
    "'[::2]' has a step; write name[start:stop]": ["train[::2]"],
    "'[1:2:3:4]' has a step": ["train[1:2:3:4]"],
    "is neither a whole number nor a whole percentage": [
        *("train[a:b]", "train[a:]", "train[:1.5]", "train[:50.5%]", "train[:%]", "train[:200%%]"),
        *("train[:- 5]", "train[--5:]", "train[:1e3]", "train[:0x10]", "train[:1__0]", "train[:1_]", "train[:_1]"),
        # ARABIC-INDIC DIGIT THREE, FULLWIDTH DIGIT THREE, SUPERSCRIPT TWO
        *("train[:\u0663]", "train[:\uff13%]", "train[:\u00b2]"),
        *("train[:" + "9" * 5000 + "]", "train[:" + "9" * 5000 + "%]"),
    ],
    "is not between -100% and 100%": ["train[:200%]", "train[-101%:]", "test[:101%]"],
    "train has only 60,000 examples": ["train[:60001]", "train[-60001:]", "train[60001:]", "train[:99999]"],
    "the start, 20, is after the stop, 10": ["train[20:10]"],
    "the start, 48,000, is after the stop, 12,000": ["train[80%:20%]"],
    "the start, 59,990, is after the stop, 59,980": ["train[-10:-20]"],
    "'all' cannot be sliced; slice each of its splits: train[:10%] + test[:10%]": ["all[:10%]"],
}


@pytest.mark.parametrize(
    ("text", "reason"),
    [(text, reason) for reason, texts in UNUSABLE.items() for text in texts],
    ids=lambda value: ascii(value[:24]),
)
def test_a_split_that_cannot_be_used_is_refused_with_the_reason(text, reason):
    with pytest.raises(UnknownNameError) as caught:
        ranges(text)
    message = str(caught.value)
    assert message.startswith(f"cannot use split {describe_value(text)}: ")
    assert len(message) < 1000
    assert reason in message
    assert "did you mean" not in message or "malformed" in reason or "missing" in reason
    assert "Choices: train, test" in message
    assert (caught.value.kind, caught.value.choices) == ("split", ("train", "test"))
    assert str(pickle.loads(pickle.dumps(caught.value))) == message  # noqa: S301


@pytest.mark.parametrize(
    ("text", "says"),
    [
        *[(text, "did you mean 'train'") for text in ("tran", "Train", "TRAIN", "tran[:80%]")],
        ("tset", "did you mean 'test'"),
        ("validation", "unknown split 'validation'. Choices: train, test"),
    ],
)
def test_a_name_that_does_not_exist_is_answered_with_the_nearest_or_all(text, says):
    with pytest.raises(UnknownNameError, match=re.escape(says)):
        ranges(text)


def test_of_several_pieces_the_wrong_one_is_named():
    with pytest.raises(UnknownNameError, match=re.escape("cannot use split 'test[80%:20%]': the start, ")):
        ranges("train+test[80%:20%]")


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
