"""`idxhub demo`: the same bytes in every framework, and what it says where they differ or cannot be read."""

from __future__ import annotations

import hashlib
import json
import os
import re
import subprocess
import sys
from types import ModuleType

import numpy as np
import pytest
from support.command import COMMAND, SAMPLE, started
from support.installed import entry, install
from support.processes import python
from support.terminal import shown_on_a_terminal

import idxhub
from idxhub import Plugins, errors
from idxhub.cli import demo


@pytest.mark.parametrize("verbose", [False, True])
def test_demo_without_the_full_data_says_so_in_one_line_and_why_if_asked(verbose, run, nowhere):
    result = run("demo", *(["-v"] if verbose else []))
    assert result.exit_code == 0
    assert result.stderr.startswith(
        "Using the sample of 2,000 images, because Fashion-MNIST is not on this machine and "
    )
    assert ("train-images-idx3-ubyte.gz of fashion-mnist was not found" in result.stderr) == verbose
    assert verbose or len(result.stderr.splitlines()) == 1


@pytest.mark.parametrize(
    ("error", "offline", "setting", "why"),
    [
        (errors.DownloadError("x"), True, "", "Fashion-MNIST is not on this machine and downloads are switched off"),
        (errors.DownloadError("x"), False, "1", "Fashion-MNIST is not on this machine and downloads are switched off"),
        (errors.DownloadError("x"), False, "", "Fashion-MNIST is not on this machine and no mirror could be reached"),
        (errors.DownloadError("x"), False, "0", "Fashion-MNIST is not on this machine and no mirror could be reached"),
        (errors.ChecksumError("x"), False, "", "Fashion-MNIST could not be read"),
    ],
)
def test_demo_says_why_it_uses_the_sample(error, offline, setting, why, run, monkeypatch):
    def load(name, *_, **options):
        if name == "fashion-mnist":
            raise error
        return idxhub.load(name, "train", **options)

    monkeypatch.setattr(demo, "load", load)
    monkeypatch.setenv("IDXHUB_OFFLINE", setting)
    result = run("demo", *(["--offline"] if offline else []))
    assert result.stderr == f"Using the sample of 2,000 images, because {why}; -v shows what was tried.\n"


def test_demo_reads_the_sample_without_the_full_data(run, nowhere):
    data = json.loads(run("demo", "--json").stdout)
    assert data["dataset"] == SAMPLE
    assert data["same"]
    numpy = next(row for row in data["frameworks"] if row["framework"] == "numpy")
    assert numpy["examples"] == 2000
    assert numpy["batch"] == "ndarray uint8 (128, 28, 28), ndarray int64 (128,)"
    assert numpy["images_per_second"] > 0
    assert (data["epochs"], data["batch_size"]) == (1, 128)


def test_demo_where_nothing_can_be_read_gives_the_cause_once(run, tmp_path, monkeypatch):
    (tmp_path / "file").write_text("")
    monkeypatch.setenv("IDXHUB_CACHE", str(tmp_path / "file"))
    result = run("demo")
    assert result.exit_code == 1
    assert result.stdout.count("Not a directory") == 1
    assert result.stdout.splitlines()[-1].startswith("no framework could be read: CacheError: cannot use the cache at ")
    assert "DIFFER" not in result.stdout
    assert result.stderr == ""
    told = run("demo", "--json")
    assert told.exit_code == 1
    assert json.loads(told.stdout)["same"] is None


@pytest.mark.parametrize(
    ("causes", "same", "says"),
    [
        ([None, "E: x"], True, ["b is broken: E: x"]),
        ([None, None, "E: x", "E: x"], True, ["c and d are broken: E: x", "Both frameworks give the same bytes"]),
        (["E: x", "E: x"], None, ["no framework could be read: E: x"]),
        (["E: x", "E: y"], None, ["a is broken: E: x", "b is broken: E: y", "No framework could be read"]),
        ([], None, ["No framework could be read"]),
    ],
)
def test_demo_says_each_cause_once(causes, same, says, capsys):
    read = {"type": "t", "batch": "b", "digest": "d", "shuffled_digest": "s", "examples": 1, "images_per_second": 1}
    found = [
        {"framework": name} | (read if cause is None else {"broken": cause})
        for name, cause in zip("abcd", causes, strict=False)
    ]
    demo._print("name", 1, found, same=same)
    lines = capsys.readouterr().out.splitlines()[-len(says) :]
    assert all(line.startswith(said) for line, said in zip(lines, says, strict=True)), lines


@pytest.mark.parametrize("terminal", [True, False])
def test_demo_names_on_a_terminal_what_it_reads(terminal):
    if terminal:
        offline = os.environ | {"IDXHUB_OFFLINE": "1"}
        said = shown_on_a_terminal([*COMMAND, "demo", "--json"], stdout=subprocess.DEVNULL, env=offline)
    else:
        said = started(["demo", "--json"], stdout=subprocess.DEVNULL).stderr
    assert ("reading with numpy" in said) == terminal


def test_demo_digests_are_those_of_the_arrays_and_the_shared_order(run, nowhere):
    rows = json.loads(run("demo", "--json", "--epochs", "2", "--batch-size", "600").stdout)["frameworks"]
    images, labels = idxhub.get_dataset(SAMPLE)

    def digest(*orders):
        found = hashlib.sha256()
        for indices in orders:
            for start in range(0, 2000, 600):
                found.update(images[indices[start : start + 600]])
                found.update(labels[indices[start : start + 600]])
        return found.hexdigest()

    for row in rows:
        if "missing" not in row:
            assert row["digest"] == digest(np.arange(2000))
            assert row["shuffled_digest"] == digest(*(idxhub.order(2000, 0, epoch) for epoch in range(2)))


@pytest.fixture
def crooked(tmp_path):
    """Install an adapter called crooked, and its conformance subject; returns the environment that has them."""

    def install_it(code):
        groups = "[idxhub.adapters]\ncrooked = crooked\n[idxhub.conformance]\ncrooked = crooked:SUBJECT\n"
        install(tmp_path, "crooked", entry_points=groups, modules={"crooked": code})
        return os.environ | {"PYTHONPATH": str(tmp_path), "HOME": str(tmp_path)}

    return install_it


@pytest.mark.parametrize(
    ("order", "shuffled", "says"),
    [
        (
            "",
            "",
            r"0 (Both|All \d) frameworks give the same bytes, in the order .* and in 1 shuffled epoch\.",
        ),
        ("", "[::-1]", r"1 The frameworks differ\."),
        ("[::-1]", "", r"1 The frameworks differ\."),
    ],
    ids=["right", "loader reversed", "dataset reversed"],
)
def test_demo_shows_a_framework_that_differs(order, shuffled, says, crooked):
    environment = crooked(
        "from idxhub import Arrays, hookimpl\n"
        "from idxhub.conformance import Subject\n"
        "@hookimpl\n"
        f"def idxhub_dataset(split): return Arrays(split.images, split.labels{order})\n"
        "@hookimpl\n"
        f"def idxhub_batch(images, labels): return images, labels{shuffled}\n"
        "SUBJECT = Subject('crooked', lambda native, size: [native])\n",
    )
    code = """
        import click.testing, idxhub.cli
        result = click.testing.CliRunner().invoke(idxhub.cli.commands, ["demo", "--offline", "--batch-size", "60000"])
        print(result.exit_code, result.stdout.splitlines()[-1])
    """
    seen = python(code, env=environment).stdout
    assert re.fullmatch(says, seen.strip())


def test_one_framework_alone_is_not_compared(capsys):
    read = {"type": "t", "batch": "b", "digest": "d", "shuffled_digest": "s", "examples": 1, "images_per_second": 1}
    demo._print("name", 1, [{"framework": "a"} | read], same=True)
    assert "same bytes" not in capsys.readouterr().out


@pytest.mark.parametrize("verbose", [False, True])
def test_what_is_not_installed_is_one_line_with_the_commands(verbose, capsys):
    messages = {name: f"{name!r} needs the package {name!r}; install it with: pip install {name}" for name in "ab"}
    demo._print_missing(messages, verbose=verbose)
    shown = capsys.readouterr().out.splitlines()
    assert shown == (list(messages.values()) if verbose else ["Not installed: a (pip install a), b (pip install b)."])


def test_of_many_frameworks_that_are_not_installed_only_the_names_are_shown(capsys):
    messages = {name: f"{name!r} needs the package {name!r}; install it with: pip install {name}" for name in "abcde"}
    demo._print_missing(messages, verbose=False)
    says = "Not installed: a, b, c, d, e. The command `idxhub doctor` shows how to install each.\n"
    assert capsys.readouterr().out == says


def test_a_framework_without_an_install_command_has_its_own_line(capsys):
    demo._print_missing({"a": "install it with: pip install a", "b": "the plugin 'b' needs: c"}, verbose=False)
    assert capsys.readouterr().out == "Not installed: a (pip install a).\nthe plugin 'b' needs: c\n"


def test_nothing_is_read_with_a_framework_that_is_missing(monkeypatch, capsys):
    monkeypatch.setattr(sys.stderr, "isatty", lambda: True)
    plugins = Plugins([entry("absent", "no_such_framework")])
    monkeypatch.setattr(demo, "installed", lambda: plugins)
    assert "no_such_framework" in demo._try_framework("absent", SAMPLE, None, 128, 1)["missing"]
    assert "reading with" not in capsys.readouterr().err


class Public:
    """Shown by this module, which stands for a framework's public one."""


class _Step(Public):
    """What a framework makes for each step of a pipeline."""


def test_a_private_class_is_named_by_its_public_base(monkeypatch):
    package = ModuleType("bigframe")
    package.data = ModuleType("bigframe.data")
    package.data.Dataset = Public
    monkeypatch.setitem(sys.modules, "bigframe", package)
    for kind in (Public, _Step):
        monkeypatch.setattr(kind, "__module__", "bigframe.inner.ops")
        assert demo._public_name(kind) == "bigframe.data.Dataset"
    assert demo._public_name(idxhub.Arrays) == "idxhub.Arrays"


@pytest.mark.parametrize(
    ("code", "says"),
    [
        ("raise OSError('libcudart.so.12: cannot open')", "OSError: libcudart.so.12"),
        ("def idxhub_dataset(split): return 1 / 0\n", "ZeroDivisionError"),
        (
            "def idxhub_dataset(split):\n    class Odd(Exception):\n        __str__ = exit\n    raise Odd\n",
            "Odd",
        ),
    ],
    ids=["does not import", "fails on data", "fails without a text"],
)
def test_a_broken_adapter_hides_no_other(code, says, crooked):
    environment = crooked(
        "from idxhub import hookimpl\nfrom idxhub.conformance import Subject\n"
        "@hookimpl\ndef idxhub_batch(images, labels): return images, labels\n"
        "SUBJECT = Subject('crooked', lambda native, size: [native])\n"
        f"@hookimpl\n{code}\n"
        if code.startswith("def")
        else code,
    )
    show = """
        import click.testing, idxhub.cli, json
        for arguments in (["demo", "--offline", "--json"], ["demo", "--offline"], ["doctor"]):
            result = click.testing.CliRunner().invoke(idxhub.cli.commands, arguments)
            print(json.dumps([result.exit_code, result.stdout]))
    """
    seen = python(show, env=environment).stdout
    (status, rows), (shown_status, shown), (doctor_status, doctor) = map(json.loads, seen.splitlines())
    assert (status, shown_status) == (1, 1)
    by_name = {row["framework"]: row for row in json.loads(rows)["frameworks"]}
    assert says in by_name["crooked"]["broken"]
    assert "digest" in by_name["numpy"]
    assert "crooked is broken: " in shown
    assert "numpy " in doctor
    if not code.startswith("def"):
        assert doctor_status == 1
        assert says in doctor.partition("PROBLEM: crooked: ")[2]


def test_demo_names_every_adapter_installed_or_not(run):
    data = json.loads(run("demo", "--json").stdout)
    assert {row["framework"] for row in data["frameworks"]} == set(idxhub.adapters())
    for row in data["frameworks"]:
        assert "digest" in row or "pip install" in row["missing"]


def test_demo_with_the_full_data(run, full_data_dir):
    result = run("demo", "--data-dir", str(full_data_dir))
    assert result.exit_code == 0
    assert result.stderr == ""
    assert result.stdout.startswith("fashion-mnist, train, 60,000 images\n")
