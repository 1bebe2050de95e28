"""Mapped arrays hold no file descriptors, and go when nobody holds them any more."""

from __future__ import annotations

import gc
import sys

import numpy as np
import pytest
from support.processes import python

from idxhub.cache.mapping import map_copy_on_write
from idxhub.paths import open_regular_file

MANY_UNDER_A_LOW_LIMIT = """
    import resource, sys
    resource.setrlimit(resource.RLIMIT_NOFILE, (64, 64))
    from idxhub import load

    splits = [load("fashion-mnist-sample", f"train[{i}:]", cache_dir=sys.argv[1]) for i in range(200)]
    print(sum(len(split) for split in splits))
"""
EVERY_LIMIT = """
    import os, resource, shutil, sys
    from idxhub import load
    from idxhub.errors import CacheError, IdxHubError

    load("fashion-mnist-sample", cache_dir=sys.argv[2])  # what is imported for a cold load is imported
    open_now = len(os.listdir("/proc/self/fd")) - 1
    hard = resource.getrlimit(resource.RLIMIT_NOFILE)[1]
    failed = loaded = 0
    for more in range(12):
        resource.setrlimit(resource.RLIMIT_NOFILE, (open_now + more, hard))
        try:
            split = load("fashion-mnist-sample", cache_dir=f"{sys.argv[1]}-{more}")
            assert (len(split), int(split.labels.sum())) == (2000, 9000), split
            loaded += 1
        except IdxHubError as error:
            assert "too many open files" in str(error).lower() and "ulimit -n" in str(error), error
            failed += 1
    print(failed > 0, loaded > 0)
"""
UNTIL_THE_END = """
    import builtins, gc, sys
    from idxhub import load

    class InACycle:
        def __init__(self, split):
            self.split, self.itself = split, self

        def __del__(self):
            print(int(self.split.labels.sum()), end=" ")

    InACycle(load("fashion-mnist-sample", cache_dir=sys.argv[1]))
    gc.collect()
    InACycle(load("fashion-mnist-sample", cache_dir=sys.argv[1]))  # collected when Python ends
    builtins.kept = load("fashion-mnist-sample", cache_dir=sys.argv[1])  # deleted after the modules
"""
posix = pytest.mark.skipif(sys.platform == "win32", reason="Windows has no limit of this kind")
linux = pytest.mark.skipif(sys.platform != "linux", reason="counts descriptors in /proc")


@pytest.fixture
def mapped(tmp_path):
    path = tmp_path / "x"
    path.write_bytes(np.arange(100_000, dtype="<u4").tobytes())
    with open_regular_file(path) as file:
        return map_copy_on_write(file)


def test_a_mapping_is_written_into_privately(mapped, tmp_path):
    with open_regular_file(tmp_path / "x") as file:
        other = map_copy_on_write(file)
    one, two = (np.frombuffer(each, "<u4") for each in (mapped, other))
    one[:] = 7
    assert (two == np.arange(100_000)).all()
    assert (np.fromfile(tmp_path / "x", "<u4") == np.arange(100_000)).all()


def test_an_empty_file_cannot_be_mapped(tmp_path):
    (tmp_path / "empty").touch()
    with open_regular_file(tmp_path / "empty") as file, pytest.raises((OSError, ValueError)):
        map_copy_on_write(file)


@linux
def test_a_mapping_ends_with_the_last_array_over_it(tmp_path):
    np.arange(100, dtype="<u4").tofile(tmp_path / "x")

    def is_mapped():
        gc.collect()
        with open("/proc/self/maps", encoding="utf-8") as maps:
            return any(line.rstrip().endswith(str(tmp_path / "x")) for line in maps)

    with open_regular_file(tmp_path / "x") as file:
        view = np.frombuffer(map_copy_on_write(file), "<u4")[10:20]
    assert is_mapped()
    assert view.tolist() == list(range(10, 20))
    del view
    assert not is_mapped()


@posix
def test_many_arrays_are_open_under_a_low_limit(tmp_path):
    assert python(MANY_UNDER_A_LOW_LIMIT, tmp_path / "cache").stdout.strip() == str(sum(range(1801, 2001)))


@linux
def test_under_every_limit_the_data_are_right_or_the_limit_is_named(tmp_path):
    assert python(EVERY_LIMIT, tmp_path / "cache", tmp_path / "warm").stdout.strip() == "True True"


def test_a_mapping_stays_while_anything_can_read_it_even_when_python_ends(tmp_path):
    done = python(UNTIL_THE_END, tmp_path / "cache")
    assert (done.stdout.split(), done.stderr) == (["9000", "9000"], "")
