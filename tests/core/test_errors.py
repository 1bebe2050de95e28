"""Every error: picklable, caught by the root and by its standard-library parent, and readable."""

import copy
import inspect
import pickle

import pytest

from idxhub import errors
from idxhub.errors import (
    AdapterError,
    ArgumentError,
    CacheError,
    ChecksumError,
    DownloadError,
    ExportError,
    Failure,
    IdxFormatError,
    IdxHubError,
    MissingFrameworkError,
    SpecError,
    StateError,
    UnknownNameError,
)

FAILURES = [Failure("http://a/x.gz", "HTTP 404 Not Found"), Failure("/b/x.gz", "is empty")]

# the error, its standard-library parent, what str() must hold
EXAMPLES = [
    (UnknownNameError("split", "tran", ["train", "test"]), LookupError, ["split", "'tran'", "'train'?", "train, test"]),
    (UnknownNameError("dtype", None, ["uint8"], why="just so"), LookupError, ["None", "just so", "uint8"]),
    (UnknownNameError("option", "x", []), LookupError, ["'x'", "none"]),
    (ArgumentError("seed", -1, "an integer of 0 or more"), ValueError, ["seed is -1; it must be an integer of 0 or"]),
    (MissingFrameworkError("install it with: pip install x", name="x"), ImportError, ["pip install x"]),
    (AdapterError("adapter 'x': no"), Exception, ["adapter 'x': no"]),
    (
        DownloadError("x.gz was not found", FAILURES),
        OSError,
        ["x.gz was", "http://a/x.gz: HTTP 404", "/b/x.gz: is empty"],
    ),
    (DownloadError("HTTP 404"), OSError, ["HTTP 404"]),
    (ChecksumError("x.gz is not it", FAILURES), Exception, ["x.gz is not it", "/b/x.gz: is empty"]),
    (CacheError("cannot use the cache"), OSError, ["cannot use the cache"]),
    (ExportError("x exists; name another path"), OSError, ["x exists"]),
    (SpecError("toy has no splits"), ValueError, ["toy has no splits"]),
    (StateError("another loader's"), ValueError, ["another loader's"]),
    (IdxFormatError("at byte 3"), ValueError, ["at byte 3"]),
]


class Broken:
    def __repr__(self):
        raise ZeroDivisionError


@pytest.mark.parametrize(
    ("error", "says"),
    [
        (UnknownNameError("dtype", object(), ["uint8"]), "unknown dtype an object of type object. Choices: uint8."),
        (ArgumentError("seed", object(), "an integer"), "seed is an object of type object; it must be an integer"),
        (ArgumentError("seed", len, "an integer"), "seed is <built-in function len>; it must be an integer"),
        (ArgumentError("seed", "x" * 1000, "an integer"), f"seed is '{'x' * 399}...; it must be an integer"),
        (ArgumentError("seed", 10**5000, "8 or less"), "seed is an object of type int; it must be 8 or less"),
        (UnknownNameError("split", Broken(), ["train"]), "unknown split an object of type Broken. Choices: train."),
        (UnknownNameError("csv option", "x", []), "unknown csv option 'x'. There are none."),
    ],
    ids=["an object", "one of an argument", "a function", "long", "without a text", "broken", "no choices"],
)
def test_a_message_shows_no_address_in_memory_and_not_all_of_a_long_value(error, says):
    assert str(error) == says


@pytest.mark.parametrize(("error", "parent", "says"), EXAMPLES)
def test_errors_are_readable_and_caught_by_the_root_and_by_the_second_parent(error, parent, says):
    for each in says:
        assert each in str(error)
    assert "idxhub.errors" not in str(error)
    assert isinstance(error, IdxHubError)
    assert isinstance(error, parent)


@pytest.mark.parametrize(("error", "parent", "says"), EXAMPLES)
@pytest.mark.parametrize("travel", [*(lambda e, p=p: pickle.loads(pickle.dumps(e, p)) for p in range(6)), copy.copy])  # noqa: S301
def test_errors_travel(error, parent, says, travel):
    arrived = travel(error)
    assert type(arrived) is type(error)
    assert str(arrived) == str(error)
    public = {k: v for k, v in vars(error).items() if not k.startswith("_")}
    assert {k: getattr(arrived, k) for k in public} == public


def test_every_error_has_an_example():
    tree = {
        each
        for _, each in inspect.getmembers(errors, inspect.isclass)
        if issubclass(each, IdxHubError) and not each.__name__.startswith("_")
    }
    assert tree - {type(error) for error, _, _ in EXAMPLES} == {IdxHubError}


def test_the_tree_drawn_is_the_tree_there_is():
    for name, each in inspect.getmembers(errors, inspect.isclass):
        if issubclass(each, IdxHubError) and not name.startswith("_"):
            assert name in errors.__doc__
            second = [base.__name__ for base in each.__bases__ if not issubclass(base, IdxHubError)]
            if each is not IdxHubError and second:
                (line,) = (line for line in errors.__doc__.splitlines() if f" {name} " in line)
                assert f"(+ {second[0]})" in line


@pytest.mark.parametrize(
    ("name", "choices", "nearest"),
    [
        ("tran", ["train", "test"], "train"),
        ("tran[:10]", ["train", "test"], "train"),
        ("torhc", ["jax", "torch"], "torch"),
        ("fashion_mnist", ["fashion-mnist", "mnist"], "fashion-mnist"),
        ("zzz", ["train"], None),
        ("", ["train"], None),
        (7, ["train"], None),
        (None, ["None of these"], None),
        ("TRAIN", ["train", "test"], "train"),
        ("hwc", ["HW", "CHW", "HWC"], "HWC"),
        ("train[:99999]", ["train", "test"], None),
        ("train", ["train"], None),  # the name itself is no advice
        ("x", [], None),
    ],
)
def test_nearest(name, choices, nearest):
    assert UnknownNameError("thing", name, choices).nearest() == nearest


def test_choices_have_an_order():
    assert UnknownNameError("thing", "x", {"c", "a", "b"}).choices == ("a", "b", "c")
    assert UnknownNameError("thing", "x", ["c", "a", "b"]).choices == ("c", "a", "b")


def test_a_download_error_has_no_errno_of_its_own():
    error = DownloadError("x.gz was not found", FAILURES)
    assert (error.errno, error.strerror, error.filename) == (None, None, None)
    assert error.failures == tuple(FAILURES)
