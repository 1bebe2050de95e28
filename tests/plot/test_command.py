"""`idxhub plot`: which files it writes, and what it refuses."""

from __future__ import annotations

import json
import os
import re
import sys
import time
from pathlib import Path

import numpy as np
import pytest
from support import made
from support.needs import need

need("PIL.Image")
need("matplotlib")

from PIL import Image  # noqa: E402 -- after the skip where they are absent

from idxhub_plot import PROJECTOR_FILES, sprite  # noqa: E402 -- as above

SAMPLE = "fashion-mnist-sample"


def test_the_file_is_named_after_the_dataset_and_the_picture(plot):
    done = plot("sprite", SAMPLE)
    assert (done.exit_code, done.output) == (0, f"wrote {SAMPLE}-sprite.png\n")
    assert os.listdir() == [f"{SAMPLE}-sprite.png"]
    with Image.open(f"{SAMPLE}-sprite.png") as picture:
        assert picture.tobytes() == sprite(SAMPLE).tobytes()


def test_json_says_which_files_were_written(plot):
    done = plot("sprite", SAMPLE, "-o", "a.png", "--json")
    said = json.loads(done.stdout)
    file = {"path": "a.png", "bytes": os.path.getsize("a.png")}
    assert said == {"picture": "sprite", "datasets": [SAMPLE], "files": [file]}
    page = (Path(__file__).parents[2] / "docs" / "reference" / "json.md").read_text(encoding="utf-8")
    keys = re.findall(r"^\| `(.*?)` \|", page.partition("\n## plot\n")[2].partition("\n## ")[0], re.MULTILINE)
    assert keys == ["picture", "datasets[]", "files[].path", "files[].bytes"]


@pytest.mark.parametrize(
    ("command", "default"),
    [
        ("sprite", "NAME-sprite.png"),
        ("classes", "NAME-classes.png"),
        ("diff", "A-B-diff.png"),
        ("projector", "NAME-projector"),
        ("embed", "NAME-METHOD.png or .html"),
    ],
)
def test_the_help_says_how_the_file_is_called(plot, command, default):
    assert f"[default: {default}]" in re.sub(r"(-?)\n *", lambda cut: cut[1] or " ", plot(command, "--help").stdout)


@pytest.mark.parametrize(
    ("arguments", "file"),
    [
        (
            ["samples", SAMPLE, "--split", "test", "--rows", "1", "--columns", "3", "--seed", "4"],
            f"{SAMPLE}-samples.png",
        ),
        (["classes", SAMPLE, "--split", "train", "--split", "test", "-o", "a.svg"], "a.svg"),
        (["mean", SAMPLE, "-o", "a.PDF"], "a.PDF"),
        (["mistakes", SAMPLE, "--predictions", "../p.csv", "--count", "3"], f"{SAMPLE}-mistakes.png"),
        (["diff", SAMPLE, SAMPLE], f"{SAMPLE}-{SAMPLE}-diff.png"),
        (["diff", SAMPLE, "../older", "--seed", "1"], f"{SAMPLE}-older-diff.png"),
    ],
)
def test_each_picture_is_written_in_the_format_of_its_name(arguments, file, plot, tmp_path):
    (tmp_path / "p.csv").write_text("0\n" * 500)
    made.write(tmp_path / "older", "t10k-labels-idx1-ubyte.gz", np.zeros(500, np.uint8))
    done = plot(*arguments)
    assert (done.exit_code, done.output) == (0, f"wrote {file}\n")
    with open(file, "rb") as opened:
        assert opened.read(4) == {"png": b"\x89PNG", "svg": b"<?xm", "pdf": b"%PDF"}[file[-3:].lower()]


def test_options_reach_the_picture(plot):
    assert plot("sprite", SAMPLE, "--rows", 1, "--columns", 4, "--seed", 3, "--no-invert", "-o", "a.png").exit_code == 0
    with Image.open("a.png") as picture:
        assert picture.tobytes() == sprite(SAMPLE, rows=1, columns=4, seed=3, invert=False).tobytes()


def test_the_projector_has_a_folder(plot):
    done = plot("projector", SAMPLE, "--split", "test[:9]")
    folder = f"{SAMPLE}-projector"
    assert (done.exit_code, done.output.splitlines()) == (0, [f"wrote {folder}/{name}" for name in PROJECTOR_FILES])
    refused = plot("projector", SAMPLE, "--split", "test[:9]")
    assert refused.exit_code == 2
    assert f"{folder}/tensors.tsv exists" in refused.stderr
    with open(f"{folder}/events", "w"):
        assert plot("projector", SAMPLE, "--split", "test[:4]", "--force").exit_code == 0
    assert sorted(os.listdir(folder)) == sorted([*PROJECTOR_FILES, "events"])
    with open(f"{folder}/metadata.tsv") as file:
        assert len(file.readlines()) == 5


def test_a_folder_in_which_nothing_could_be_written_is_not_left(plot, monkeypatch):
    sprite(SAMPLE)  # into the cache

    def full(*_):
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(os, "fsync", full)
    done = plot("projector", SAMPLE, "-o", "a")
    assert done.exit_code == 1
    assert os.listdir() == []


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


@pytest.mark.skipif(sys.platform == "win32", reason="needs pipes with a name")
def test_a_pipe_is_not_replaced_by_a_file(plot):
    os.mkfifo("a.png")
    refused = plot("sprite", SAMPLE, "-o", "a.png", "--force")
    assert refused.exit_code == 2
    assert "a.png is a device, a pipe or a socket: name a file" in refused.stderr
    assert os.listdir() == ["a.png"]


@pytest.mark.parametrize(
    ("arguments", "status", "said"),
    [
        (["sprit"], 2, "unknown picture 'sprit'; did you mean 'sprite'?"),
        (["sprite", "fasion-mnist"], 2, "did you mean 'fashion-mnist'?"),
        (["sprite", SAMPLE, "--split", "trian"], 2, "did you mean 'train'?"),
        (["sprite", SAMPLE, "-o", "a.pgn"], 2, "unknown picture file ending '.pgn'; did you mean '.png'?"),
        (["sprite", SAMPLE, "-o", "a"], 2, "unknown picture file ending ''. Choices: .png."),
        (["sprite", SAMPLE, "-o", "no/a.png"], 2, "there is no folder no for a.png: make it first"),
        (["sprite", SAMPLE, "-o", "../here"], 2, "unknown picture file ending"),
        (["sprite", SAMPLE, "--rows", "0"], 2, "0 is not in the range x>=1"),
        (["mean", SAMPLE, "-o", "a.jpg"], 2, "Choices: .png, .svg, .pdf."),
        (["mistakes", SAMPLE], 2, "Missing option '--predictions'"),
        (["mistakes", SAMPLE, "--predictions", "absent.csv"], 2, "'absent.csv' does not exist"),
        (
            ["mistakes", SAMPLE, "--predictions", "../wrong.csv"],
            2,
            "row 1 of wrong.csv, counted from 0, is 12; it must be a class",
        ),
        (["diff", SAMPLE], 2, "Missing argument 'B'"),
        (["diff", SAMPLE, "./absent"], 2, "there is no folder ./absent"),
        (["diff", SAMPLE, "../here"], 2, "it must be one with at least one of these files"),
        (["diff", SAMPLE, "mnits"], 2, "did you mean 'mnist'?"),
        (["projector", SAMPLE, "-o", "no/a"], 2, "there is no folder no for a: make it first"),
    ],
)
def test_what_is_wrong_is_said_before_anything_is_written(arguments, status, said, plot, tmp_path):
    (tmp_path / "wrong.csv").write_text("0\n12\n" + "0\n" * 498)
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
