"""`idxhub plot`: which files it writes, and what it refuses."""

from __future__ import annotations

import json
import os
import time

import pytest
from click.testing import CliRunner
from support.needs import need

need("PIL.Image")
need("matplotlib")

from PIL import Image  # noqa: E402 -- after the skip where they are absent

from idxhub.cli import commands  # noqa: E402 -- as above
from idxhub_plot import sprite  # noqa: E402 -- as above

SAMPLE = "fashion-mnist-sample"


@pytest.fixture
def plot(tmp_path, monkeypatch):
    """Runs `idxhub plot` in an empty folder."""
    folder = tmp_path / "here"
    folder.mkdir()
    monkeypatch.chdir(folder)
    return lambda *arguments: CliRunner().invoke(commands, ["plot", *map(str, arguments)])


def test_the_file_is_named_after_the_dataset_and_the_picture(plot):
    done = plot("sprite", SAMPLE)
    assert (done.exit_code, done.output) == (0, f"wrote {SAMPLE}-sprite.png\n")
    assert os.listdir() == [f"{SAMPLE}-sprite.png"]
    with Image.open(f"{SAMPLE}-sprite.png") as picture:
        assert picture.tobytes() == sprite(SAMPLE).tobytes()


def test_json_says_which_files_were_written(plot):
    done = plot("sprite", SAMPLE, "-o", "a.png", "--json")
    said = json.loads(done.stdout)
    assert said == {"picture": "sprite", "dataset": SAMPLE, "files": ["a.png"], "bytes": os.path.getsize("a.png")}


def test_a_file_that_exists_is_replaced_only_if_that_is_asked_for(plot, tmp_path):
    with open("a.png", "w") as file:
        file.write("mine")
    refused = plot("sprite", SAMPLE, "-o", "a.png")
    assert refused.exit_code == 2
    assert "a.png exists: name another file, or replace it with --force" in refused.stderr
    assert os.path.getsize("a.png") == 4
    assert plot("sprite", SAMPLE, "-o", "a.png", "--force").exit_code == 0
    assert os.path.getsize("a.png") > 1000
    assert os.listdir() == ["a.png"]


@pytest.mark.parametrize(
    ("arguments", "status", "said"),
    [
        (["sprit"], 2, "unknown picture 'sprit'; did you mean 'sprite'?"),
        (["sprite", "fasion-mnist"], 2, "did you mean 'fashion-mnist'?"),
        (["sprite", SAMPLE, "--split", "trian"], 2, "did you mean 'train'?"),
        (["sprite", SAMPLE, "-o", "a.pgn"], 2, "unknown ending of a picture's file '.pgn'; did you mean '.png'?"),
        (["sprite", SAMPLE, "-o", "a"], 2, "unknown ending of a picture's file ''. Choices: .png."),
        (["sprite", SAMPLE, "-o", "no/a.png"], 2, "there is no folder no for a.png: make it first"),
        (["sprite", SAMPLE, "--rows", "0"], 2, "0 is not in the range x>=1"),
    ],
)
def test_what_is_wrong_is_said_before_anything_is_written(arguments, status, said, plot):
    done = plot(*arguments)
    assert done.exit_code == status
    assert said in done.stderr
    assert os.listdir() == []


def test_an_error_is_json_too(plot):
    done = plot("sprit", "--json")
    assert done.exit_code == 2
    assert json.loads(done.stdout)["error"]["type"] == "UnknownNameError"


def test_a_write_that_fails_leaves_the_old_file_and_no_other(plot, monkeypatch):
    sprite(SAMPLE)  # into the cache
    with open("a.png", "w") as file:
        file.write("mine")

    def full(*_):
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(os, "fsync", full)
    done = plot("sprite", SAMPLE, "-o", "a.png", "--force")
    assert done.exit_code == 1
    assert "cannot write a.png: No space left on device" in done.stderr
    assert os.listdir() == ["a.png"]
    assert os.path.getsize("a.png") == 4


def test_what_a_killed_process_has_left_is_removed_by_the_next(plot):
    for name, age in ((".a.png.1-2.tmp", 120), (".a.png.3-4.tmp", 0), (".b.png.1-2.tmp", 120)):
        with open(name, "w"):
            os.utime(name, (time.time() - age,) * 2)
    assert plot("sprite", SAMPLE, "-o", "a.png").exit_code == 0
    assert sorted(os.listdir()) == [".a.png.3-4.tmp", ".b.png.1-2.tmp", "a.png"]
