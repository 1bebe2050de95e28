"""The invariant and the count of rows: each is tried on something that it must report."""

import json
import re
import subprocess
import sys
import textwrap
from pathlib import Path

import pytest
from support import invariant as shared
from support.processes import python, python_traced
from support.streaming import STREAM_ALL

from idxhub.cache.store import Cache
from idxhub.errors import CacheError, ChecksumError, DownloadError, Failure

WRONG = {
    "an array cut": ("npy", lambda data: data[:-1]),
    "an array's last bit": ("npy", lambda data: data[:-1] + bytes([data[-1] ^ 1])),
    "an array of another type": ("npy", lambda data: data.replace(b"|u1", b"|i1", 1)),
    "a kept file emptied": ("gz", lambda data: b""),
    "a record's checksum": ("json", lambda data: json.dumps(json.loads(data) | {"xxh3": ["0" * 16]}).encode()),
    "a record's digest": ("json", lambda data: json.dumps(json.loads(data) | {"md5": "0" * 32}).encode()),
}


@pytest.fixture
def full(toy, cache_dir):
    """The toy's cache, full, with its files kept."""
    shared.load_all(toy, cache_dir)
    here = Cache(cache_dir, toy.spec)
    for resource in toy.spec.resources:
        here.keep_file(resource, toy.bytes(resource), "https://mirror.example/")
    shared.check(toy, cache_dir)
    return here


@pytest.mark.parametrize("wrong", WRONG)
def test_a_wrong_file_under_a_final_name_is_seen(toy, cache_dir, full, wrong):
    ending, change = WRONG[wrong]
    path = full.folder / f"{toy.train_images.stem}.{ending}"
    spoiled = change(path.read_bytes())
    path.write_bytes(spoiled)
    with pytest.raises((AssertionError, ValueError)):
        shared.check(toy, cache_dir)
    with pytest.raises((AssertionError, ValueError)):  # excused is what the test has written, not all under the name
        shared.check(toy, cache_dir, spoiled={path: spoiled + b"x"})
    shared.check(toy, cache_dir, spoiled={path: spoiled})


@pytest.mark.parametrize("name", ["labels.npy.part", "x", "sub/x.npy", ".hidden"])
def test_a_file_that_does_not_belong_is_seen(toy, cache_dir, full, name):
    (full.folder / name).parent.mkdir(exist_ok=True)
    (full.folder / name).write_bytes(b"")
    with pytest.raises(AssertionError, match="does not belong"):
        shared.check(toy, cache_dir)


@pytest.mark.parametrize(
    "raised",
    [
        OSError(28, "No space left on device: train-images-idx3-ubyte"),
        CacheError("cannot use the cache"),
        DownloadError("train-images-idx3-ubyte.gz was not found", [Failure("http://another", "HTTP 404")]),
    ],
    ids=["not idxhub's own", "names no file", "leaves out a place"],
)
def test_an_error_that_says_too_little_is_seen(toy, cache_dir, raised):
    with pytest.raises(AssertionError):
        shared.check(toy, cache_dir, raised, places=["http://mirror"])


@pytest.mark.parametrize("kind", [DownloadError, ChecksumError])
def test_a_test_that_names_no_place_is_seen(toy, cache_dir, kind):
    raised = kind("train-images-idx3-ubyte.gz", [Failure("http://mirror", "HTTP 404")])
    shared.check(toy, cache_dir, raised, places=["http://mirror"])
    with pytest.raises(AssertionError, match="names no place"):
        shared.check(toy, cache_dir, raised)
    with pytest.raises(AssertionError, match="lists no place"):
        shared.check(toy, cache_dir, kind("train-images-idx3-ubyte.gz, http://mirror"), places=["http://mirror"])


def test_a_next_call_that_gives_something_else_is_seen(toy, cache_dir):
    split = shared.load_all(toy, cache_dir)[0]
    split.labels[0] ^= 1
    with pytest.raises(AssertionError):
        shared.check(toy, cache_dir, healthy=lambda: [split])
    with pytest.raises(AssertionError):
        shared.check(toy, cache_dir, healthy=list)


IN_PLACE = """
    import os, runpy, sys
    from idxhub.cache import store as cache

    def in_place(path, parts):
        if path.suffix != ".npy" or not path.exists():
            return well(path, parts)
        descriptor = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_TRUNC)
        for part in parts:
            os.write(descriptor, part)
        os.close(descriptor)

    well, cache.write_parts_atomically = cache.write_parts_atomically, in_place
    sys.argv.pop(0)
    runpy.run_path(sys.argv[0], run_name="__main__")
"""


def test_arrays_that_are_written_in_their_place_are_seen_by_killing(run_kill_points):
    done = run_kill_points(300, "-c", textwrap.dedent(IN_PLACE))
    assert done.returncode == 1, done.stdout
    assert re.search(r"killed .* of (again|mend): see above", done.stderr), done.stderr


@pytest.mark.parametrize("given", [None, "something"])
@pytest.mark.parametrize("streamed", [False, True])
def test_files_are_streams_in_the_processes_of_the_tests_too(monkeypatch, streamed, given):
    monkeypatch.setenv(STREAM_ALL, "1" if streamed else "")
    code = "from idxhub.acquire import find; print(find.LARGEST_IN_MEMORY < 0)"
    assert python(code, given=given).stdout == f"{streamed}\n"


@pytest.mark.parametrize(("ci", "outcome"), [("true", pytest.fail.Exception), ("", pytest.skip.Exception)])
def test_a_tracer_that_is_missing_is_red_in_continuous_integration(tmp_path, monkeypatch, ci, outcome):
    monkeypatch.setenv("PATH", str(tmp_path))
    monkeypatch.setenv("CI", ci)
    with pytest.raises(outcome, match=r"needs?.* strace"):
        python_traced("write:error=EIO", "")


def test_a_row_that_nothing_proves_fails_the_run():
    here = Path(__file__).parent
    done = subprocess.run(
        [sys.executable, "-m", "pytest", here / "test_offline.py", "--all-rows", "-q", "-p", "no:cacheprovider"],
        cwd=here.parents[1],
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 1, done.stdout + done.stderr
    assert "row 38 has no test" in done.stdout
    assert "row 39 has" not in done.stdout
