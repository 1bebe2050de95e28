"""`idxhub export`: its arguments, what it prints, and how it ends."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
import time

import numpy as np
import pytest
from click.testing import CliRunner
from support.processes import python, running

from idxhub import Plugins
from idxhub.cli import commands, output

SAMPLE = "fashion-mnist-sample"
# arguments of `idxhub.export`, which are no options of a format
ARGUMENTS_OF_PYTHON = (
    *("force=true", "splits=x", "name=mnist", "download=false", "path=1", "format=csv", "verify=false"),
    *("cache_dir=/x", "progress=true", "data_dir=/x", "plugins=null"),
)


@pytest.fixture
def here(tmp_path, monkeypatch):
    folder = tmp_path / "here"
    folder.mkdir()
    monkeypatch.chdir(folder)
    return folder


@pytest.fixture
def run(here):
    """Runs `idxhub export` in an empty folder."""
    return lambda *arguments: CliRunner().invoke(commands, ["export", *map(str, arguments)])


def test_a_file_is_written(run, here):
    done = run("npz", SAMPLE, "sample.npz")
    assert (done.exit_code, done.output) == (0, f"wrote {here / 'sample.npz'}\n")
    assert np.load("sample.npz")["x_train"].shape == (2000, 28, 28)


def test_the_name_may_be_left_out(run, here, full_data_dir):
    done = run("idx.gz", "out", "--data-dir", full_data_dir, "--offline", "--json")
    assert done.exit_code == 0
    assert json.loads(done.output) == {"format": "idx.gz", "dataset": "fashion-mnist", "path": str(here / "out")}


def test_splits_and_options(run):
    splits = ("--split", "a=train[:3]", "--split", "test")
    assert run("npz", SAMPLE, "out", *splits, "--option", "compress=true").exit_code == 0
    with np.load("out") as arrays:
        assert {name: len(arrays[name]) for name in arrays} == {"x_a": 3, "y_a": 3, "x_test": 500, "y_test": 500}
    assert run("idx", SAMPLE, "named", "--option", "names=mnist").exit_code == 0


@pytest.mark.parametrize(("text", "compressed"), [("true", True), ("True", True), ("false", False), ("False", False)])
def test_a_boolean_is_written_as_in_json_or_as_in_python(run, here, text, compressed):
    assert run("npz", SAMPLE, "out", "--split", "test", "--option", f"compress={text}").exit_code == 0
    assert ((here / "out").stat().st_size < 500 * 28 * 28) == compressed


@pytest.mark.skipif(sys.platform != "linux", reason="other systems have no such name")
def test_a_path_that_cannot_be_printed(here):
    """Its name is not UTF-8; what is printed must be."""
    path = here / os.fsdecode(b"\xff.npz")
    code = """
        import sys
        from idxhub.cli import main

        sys.stdout.reconfigure(encoding="utf-8", errors="strict")
        sys.argv = ["idxhub", "export", "npz", "fashion-mnist-sample", sys.argv[1], "--split", "test[:2]"]
        main()
    """
    assert python(code, path).stdout == f"wrote {here}/\N{REPLACEMENT CHARACTER}.npz\n"
    assert path.exists()


def test_the_choices_are_the_options_of_the_format(run):
    error = json.loads(run("npz", SAMPLE, "out", "--option", "force=true", "--json").stdout)["error"]
    assert (error["name"], error["choices"]) == ("force", [*Plugins().exporter("npz").format.options])


def test_what_exists_is_replaced_by_force_alone(run, here):
    (here / "out").write_bytes(b"mine")
    done = run("npz", SAMPLE, "out")
    assert done.exit_code == 1
    assert done.stderr.endswith("exists; name another path, or replace it with --force\n")
    assert (here / "out").read_bytes() == b"mine"
    assert run("npz", SAMPLE, "out", "--force").exit_code == 0


@pytest.mark.parametrize(
    ("arguments", "says"),
    [
        (("npy", SAMPLE, "out"), "unknown export format 'npy'; did you mean 'npz'"),
        (("npz", "fasion-mnist", "out"), "did you mean 'fashion-mnist'"),
        (("npz", SAMPLE, "out", "--split", "tran"), "did you mean 'train'"),
        (("npz", SAMPLE, "out", "--split", "train[:3]", "--split", "train[3:]"), "both would be called 'train'"),
        (("npz", SAMPLE, "out", "--split", "a=train", "--split", "a=test"), "--split a=test: another split"),
        (("npz", SAMPLE, "out", "--split", "a=test", "--split", "test", "--split", "test"), "--split test: another"),
        (("npz", SAMPLE, "out", "--option", "compres=true"), "did you mean 'compress'"),
        (("npz", SAMPLE, "out", "--option", "compress=yes"), "compress is 'yes'; it must be True or False"),
        (("npz", SAMPLE, "out", "--option", "compress"), "the form is KEY=VALUE"),
        *((("npz", SAMPLE, "out", "--option", text), "unknown npz option '") for text in ARGUMENTS_OF_PYTHON),
        (("npz",), "FORMAT and PATH are needed"),
        *((("npz", name), f"{name} is a dataset: name the PATH too") for name in ("mnist", "QMNIST", "emnist_letters")),
        ((), "FORMAT and PATH are needed"),
    ],
)
def test_wrong_usage(run, here, arguments, says):
    done = run(*arguments)
    assert done.exit_code == 2
    assert says in done.stderr
    as_json = run(*arguments, "--json")
    assert as_json.exit_code == 2
    assert says in json.loads(as_json.stdout)["error"]["message"]
    assert list(here.iterdir()) == []


def test_the_list(run):
    done = run("--list")
    assert done.exit_code == 0
    head, *rows = done.output.splitlines()
    assert head.split() == ["FORMAT", "TO", "INSTALL", "WRITES"]
    assert [row.split()[:2] for row in rows if row.startswith("npz ")] == [["npz", "nothing"]]
    assert [row.split()[0] for row in rows] == [each["name"] for each in json.loads(run("--list", "--json").output)]
    assert {"idx", "idx.gz", "npz", "csv"} <= {row.split()[0] for row in rows}


def test_the_list_fits_a_narrow_terminal(run, monkeypatch):
    monkeypatch.setattr(output, "is_terminal", lambda stream: True)
    monkeypatch.setenv("COLUMNS", "60")
    assert [line for line in run("--list").output.splitlines() if len(line) > 60] == []


def test_the_list_says_what_installs_a_format(tmp_path):
    """Of another distribution, whose package is not installed."""
    info = tmp_path / "idxhub_other-1.0.dist-info"
    info.mkdir()
    (info / "METADATA").write_text(
        "Metadata-Version: 2.1\nName: idxhub-other\nVersion: 1.0\nProvides-Extra: other\n"
        "Requires-Dist: package-that-is-not-there>=2; extra == 'other'\n"
    )
    (info / "entry_points.txt").write_text("[idxhub.exporters]\nother = other_exporter\n")
    (tmp_path / "other_exporter.py").write_text('"""What it writes."""\n\nimport package_that_is_not_there\n')
    code = f"""
        import sys
        sys.path.insert(0, {str(tmp_path)!r})
        sys.argv = ["idxhub", "export", "--list"]
        from idxhub.cli import main
        try:
            main()
        finally:
            assert not {{"other_exporter", "h5py", "zarr", "idxhub_export.npz"}} & sys.modules.keys()
    """
    rows = python(code).stdout.splitlines()
    assert "other pip install package-that-is-not-there What it writes." in [" ".join(row.split()) for row in rows]


ENDED = """
    import signal, sys
    import idxhub_export.npz as npz
    from idxhub.cli import main

    signal.signal(signal.SIGINT, signal.default_int_handler)
    read = npz.blocks

    def blocks(split):
        print("there", flush=True)
        sys.stdin.readline()
        return read(split)

    npz.blocks = blocks
    sys.argv = ["idxhub", "export", "npz", "fashion-mnist-sample", sys.argv[1]]
    main()
"""


@pytest.mark.parametrize(("number", "status"), [(signal.SIGTERM, 128 + signal.SIGTERM), (signal.SIGINT, 1)])
def test_a_signal_ends_it_cleanly(here, number, status):
    with running(ENDED, here / "out", stderr=subprocess.PIPE) as child:
        assert child.stdout.readline() == "there\n", child.stderr.read()
        assert len(list(here.iterdir())) == 1
        child.send_signal(number)
        time.sleep(0.05)
        _, said = child.communicate("go on\n", timeout=60)
    assert child.returncode == status, said
    assert "Traceback" not in said
    assert list(here.iterdir()) == []
