"""The command where the cache is closed, is no folder, or is named from a folder that is gone."""

from __future__ import annotations

import json
import os

import pytest
from support.processes import NOBODY, python, python_as_nobody

import idxhub

SAMPLE = "fashion-mnist-sample"
FOLDER = f"{SAMPLE}-{idxhub.Plugins([]).dataset(SAMPLE).fingerprint}"
IMPORTS = "click.testing, email.parser, email.message, email.policy, idxhub.cli, idxhub_adapters.numpy"
CLOSED = "Permission denied"
# prints, for each command, its exit status and its output as a JSON list
COMMANDS = """
    import json, os, sys
    from click.testing import CliRunner
    from idxhub.cli import commands

    os.environ["IDXHUB_CACHE"], os.environ["IDXHUB_OFFLINE"] = sys.argv[1], "1"
    for command in sys.argv[2:]:
        done = CliRunner().invoke(commands, command.split())
        print(json.dumps([done.exit_code, done.output]))
        assert done.exception is None or isinstance(done.exception, SystemExit), repr(done.exception)
"""


NOT_WRITABLE = f"cannot be written: {CLOSED}"


def outcomes(as_nobody, cache, *asked):
    """(exit status, output) of each command."""
    run = python_as_nobody if as_nobody else python
    options = {"imports": IMPORTS} if as_nobody else {}
    return [json.loads(line) for line in run(COMMANDS, cache, *asked, **options).stdout.splitlines()]


@pytest.fixture
def filled(open_dir, monkeypatch):
    """A cache with the sample in it, that belongs to the user to whom permission bits apply."""
    cache = open_dir / "c"
    idxhub.load(SAMPLE, cache_dir=cache)
    if os.geteuid() == 0:
        for path in (cache, *cache.rglob("*")):
            os.chown(path, NOBODY, NOBODY)
    yield cache
    for path in (cache, cache / FOLDER):
        path.chmod(0o755)


@pytest.mark.parametrize(
    ("closed", "below", "says"),
    [
        (".", "", {"verify": CLOSED, "doctor": f"c {NOT_WRITABLE}; set", "cache": CLOSED}),
        (".", "sub", {"verify": CLOSED, "doctor": f"c/sub {NOT_WRITABLE} (", "cache": CLOSED}),
        (
            FOLDER,
            "",
            {"verify": CLOSED, "doctor": f"{FOLDER} in the cache {NOT_WRITABLE};", "cache": CLOSED},
        ),
    ],
    ids=["the cache", "the folder above", "the dataset's folder"],
)
def test_a_folder_that_is_closed_is_a_problem(filled, closed, below, says):
    (filled / closed).chmod(0)
    asked = (f"verify {SAMPLE}", "doctor", "cache", "cache --remove --yes")
    for command, (status, output) in zip(asked, outcomes(True, filled / below, *asked), strict=True):
        assert status == 1, (command, output)
        assert says[command.split()[0]] in output, command
        assert "no problems found" not in output
        assert "freed" not in output


@pytest.mark.parametrize("file", ["train-images-idx3-ubyte.npy", "train-images-idx3-ubyte.json"])
def test_doctor_finds_an_array_that_cannot_be_read(filled, file):
    (filled / FOLDER / file).chmod(0)
    ((status, output),) = outcomes(True, filled, "doctor")
    assert status == 1
    assert f"PROBLEM: cannot use the cache at {filled / FOLDER / file}: {CLOSED}; " in output


def test_doctor_shows_a_known_folder_that_is_out_of_reach(open_dir):
    closed = open_dir / "closed"
    closed.mkdir(mode=0)
    code = f"import os; os.environ['IDXHUB_MIRRORS'] = {str(closed / 'files')!r}\n" + COMMANDS.replace("\n    ", "\n")
    done = python_as_nobody(code, "/nowhere/at/all", "doctor", imports=IMPORTS)
    assert f"{closed / 'files'} (does not exist)" in json.loads(done.stdout)[1]


@pytest.mark.parametrize(
    ("there", "says"),
    [
        (lambda path: path.write_text(""), "Not a directory; remove what is in its place"),
        (lambda path: path.symlink_to("nowhere"), "is a link to nothing; remove what is in its place"),
    ],
    ids=["a file", "a link to nothing"],
)
def test_a_cache_that_is_no_folder_is_a_problem_with_its_cause(there, says, tmp_path, monkeypatch):
    cache = tmp_path / "c"
    there(cache)
    asked = ("cache", "cache --json", "cache --remove --yes", f"get {SAMPLE}")
    for command, (status, output) in zip(asked, outcomes(False, cache, *asked), strict=True):
        assert status == 1, command
        assert says in output, command
        assert str(cache) in output
    ((status, output),) = outcomes(False, cache, "doctor")
    assert status == 1
    assert f"PROBLEM: the cache at {cache} cannot be written: " in output
    assert says.partition(";")[0] in output


# without the working directory in sys.path: otherwise Python 3.13.0 to 3.13.2 cannot import NumPy if that directory is
# gone (python/cpython#130932)
SAFE = os.environ | {"PYTHONSAFEPATH": "1"}
GONE = """
    import os, sys, tempfile
    folder = tempfile.mkdtemp()
    os.chdir(folder)
    os.rmdir(folder)
"""


@pytest.mark.parametrize("command", [f"get {SAMPLE}", f"verify {SAMPLE}", "cache", "doctor", f"info {SAMPLE}"])
def test_a_relative_cache_where_the_working_directory_is_gone(command):
    status, output = json.loads(python(GONE + COMMANDS, "c5", command, env=SAFE).stdout)
    assert (status, output) == (
        1,
        "Error: IDXHUB_CACHE is 'c5'; it must be an absolute path, because the working directory no longer exists\n",
    )


@pytest.mark.parametrize("argument", ["data_dir", "cache_dir"])
def test_a_relative_argument_where_the_working_directory_is_gone(argument, tmp_path):
    code = f"""
        import idxhub
        try:
            idxhub.get_dataset({SAMPLE!r}, {argument}="x")
        except idxhub.errors.ArgumentError as error:
            print(error)
    """
    said = python(GONE + code.replace("\n    ", "\n"), env=SAFE | {"IDXHUB_CACHE": str(tmp_path)}).stdout
    assert said == f"{argument} is 'x'; it must be an absolute path, because the working directory no longer exists\n"
