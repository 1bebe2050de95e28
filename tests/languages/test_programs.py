"""Each program prints the digests of idxhub's own arrays, and refuses files that are wrong."""

from __future__ import annotations

import gzip
import shutil
from pathlib import Path

import pytest
from support.languages import LANGUAGES, digests

pytestmark = pytest.mark.parametrize("language", LANGUAGES, ids=lambda language: language.folder)


def shorter(labels):
    """Labels without the last one, in a file that is right."""
    count = int.from_bytes(labels[4:8], "big") - 1
    return labels[:4] + count.to_bytes(4, "big") + labels[8:-1]


# the file that is changed, and how its decompressed content is changed
CONTENTS = {
    "a wrong magic number": ("t10k-images-idx3-ubyte", lambda content: b"\0\0\x08\1" + content[4:]),
    "the last element is missing": ("train-labels-idx1-ubyte", lambda content: content[:-1]),
    "one byte too many": ("train-labels-idx1-ubyte", lambda content: content + b"\0"),
    "more images than a file can hold": ("train-images-idx3-ubyte", lambda c: c[:4] + b"\xff" * 4 + c[8:]),
    "a label for each image but one": ("t10k-labels-idx1-ubyte", shorter),
    "an end in the header": ("train-images-idx3-ubyte", lambda content: content[:6]),
}


@pytest.fixture(autouse=True)
def installed(request, language):
    """Skips a test that runs a program, before anything else, if the language is not installed."""
    if "run" in request.fixturenames:
        language.need()


@pytest.fixture
def files(language, lay_down, tmp_path):
    """The sample, in a folder for the test alone."""
    return Path(shutil.copytree(lay_down("fashion-mnist-sample", raw=language.raw), tmp_path / "files"))


def test_the_sample(language, run, files):
    result = run(language, files)
    assert result.printed == digests("fashion-mnist-sample"), result.message
    assert not result.failed


def test_fashion_mnist_whole(language, run, lay_down, full_data_dir):
    result = run(language, lay_down("fashion-mnist", full_data_dir, raw=language.raw))
    assert result.printed == digests("fashion-mnist", data_dir=full_data_dir), result.message
    assert not result.failed


def assert_refused(result, filename):
    assert result.failed
    assert filename in result.message
    assert "images" not in result.printed.split()


@pytest.mark.parametrize("wrong", CONTENTS)
def test_wrong_content(language, wrong, run, files):
    filename, change = CONTENTS[wrong]
    if language.raw:
        path = files / filename
        path.write_bytes(change(path.read_bytes()))
    else:
        path = files / f"{filename}.gz"
        path.write_bytes(gzip.compress(change(gzip.decompress(path.read_bytes()))))
    # whether the images or the labels are wrong, if their numbers differ, no program knows
    assert_refused(run(language, files), "t10k" if wrong == "a label for each image but one" else path.name)


def test_a_file_that_was_cut(language, run, files):
    (path,) = files.glob("train-images-*")
    path.write_bytes(path.read_bytes()[: path.stat().st_size // 2])
    assert_refused(run(language, files), path.name)


def test_a_file_that_is_missing(language, run, files):
    (path,) = files.glob("t10k-labels-*")
    path.unlink()
    assert_refused(run(language, files), path.name)


def test_the_program_is_short(language):
    assert len(language.path.read_text(encoding="utf-8").splitlines()) <= 60
    assert language.commands
