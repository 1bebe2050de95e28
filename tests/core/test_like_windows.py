"""What Windows does otherwise, imitated on every system: files in use stay, and parts of Python are absent."""

from __future__ import annotations

import mmap
import os
import sys

import filelock
import numpy as np
import pytest
from support.processes import python

from idxhub import load, paths
from idxhub.cache import mapping
from idxhub.cache.atomic import write_atomically
from idxhub.cache.layout import remove_all
from idxhub.errors import CacheError
from idxhub.exporting import write_target


@pytest.fixture
def in_use(monkeypatch):
    """Called with the name of a function of `os` and a number: as many calls fail as for a file in use."""
    monkeypatch.setattr(paths, "KEEPS_OPEN_FILES", True)
    monkeypatch.setattr(paths, "_RENAME_SECONDS", 0.2)

    def fail(name, times):
        function, left = getattr(os, name), iter(range(times))

        def failing(*arguments, **options):
            if next(left, None) is not None:
                raise PermissionError(13, "Access is denied")
            return function(*arguments, **options)

        monkeypatch.setattr(os, name, failing)

    return fail


def test_a_file_in_use_is_replaced_as_soon_as_it_is_not(tmp_path, in_use):
    path = tmp_path / "file"
    in_use("replace", 3)
    write_atomically(path, b"new")
    assert path.read_bytes() == b"new"


def test_a_file_that_stays_in_use_is_an_error(tmp_path, in_use):
    path = tmp_path / "file"
    path.write_bytes(b"old")
    in_use("replace", 1_000_000)
    with pytest.raises(CacheError, match="Access is denied; if a program has the file open, close that program; other"):
        write_atomically(path, b"new")
    assert [each.name for each in tmp_path.iterdir()] == ["file"]
    assert path.read_bytes() == b"old"


def test_elsewhere_a_file_without_permission_is_an_error_at_once(tmp_path, in_use, monkeypatch):
    monkeypatch.setattr(paths, "KEEPS_OPEN_FILES", False)
    in_use("replace", 1)
    with pytest.raises(CacheError, match="Access is denied; set IDXHUB_CACHE"):
        write_atomically(tmp_path / "file", b"new")


@pytest.fixture
def cache(tmp_path):
    load("fashion-mnist-sample", cache_dir=tmp_path)
    return tmp_path


def test_a_cache_in_use_is_removed_as_soon_as_it_is_not(cache, in_use):
    in_use("unlink", 2)
    assert remove_all(cache) > 0
    assert not [*cache.iterdir()]


def test_a_cache_that_stays_in_use_is_an_error_that_says_so(cache, in_use, monkeypatch):
    monkeypatch.setattr("idxhub.cache.layout._PAUSE", 0.0001)
    in_use("unlink", 1_000_000)
    with pytest.raises(
        CacheError, match=r"^cannot remove .*: other processes use it; try again when they have finished$"
    ):
        remove_all(cache)


def test_the_times_of_a_link_cannot_be_set(tmp_path):
    code = """
        import os, sys

        def without_links(path, times=None, *, follow_symlinks=True):
            if not follow_symlinks:
                raise NotImplementedError("utime: follow_symlinks unavailable on this platform")
            called.append(path)
            utime(path, times)

        called, utime = [], os.utime
        os.utime = without_links
        from idxhub import load

        print(len(load("fashion-mnist-sample", cache_dir=sys.argv[1])), len(called) > 0)
    """
    assert python(code, tmp_path).stdout == "2000 True\n"


def test_mmap_has_no_trackfd(tmp_path, monkeypatch):
    def without_trackfd(fileno, length, access):
        return mapped(fileno, length, access=access)

    mapped = mmap.mmap
    path = tmp_path / "file"
    path.write_bytes(bytes(range(200)))
    with path.open("rb") as file, monkeypatch.context() as patched:
        patched.setattr(mapping, "_LIBC", None)
        patched.setattr(sys, "platform", "win32")
        patched.setattr(mmap, "mmap", without_trackfd)
        array = mapping.map_copy_on_write(file)
    array[0] = 255
    np.testing.assert_array_equal(array[1:], np.arange(1, 200))
    assert path.read_bytes()[0] == 0


def test_filelock_removes_its_file(tmp_path, monkeypatch):
    """Of an export nothing is left but the export."""
    release = filelock.FileLock.release

    def and_removed(lock, *arguments, **options):
        release(lock, *arguments, **options)
        if os.path.exists(lock.lock_file):
            os.unlink(lock.lock_file)

    monkeypatch.setattr(filelock.FileLock, "release", and_removed)
    with write_target(tmp_path / "file", is_folder=False, force=False) as path:
        path.write_bytes(b"x")
    assert [each.name for each in tmp_path.iterdir()] == ["file"]
