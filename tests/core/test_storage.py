"""Files appear whole or not at all; the lock saves work and never decides correctness.

Links in the way and folders that cannot be written are in tests/faults.
"""

import contextlib
import errno
import os
import stat
import threading
import time
from functools import partial
from types import SimpleNamespace

import pytest
from support.processes import in_threads, python, running

from idxhub.cache import atomic as storage
from idxhub.cache.atomic import locked, open_atomically, touch, write_atomically
from idxhub.errors import CacheError


def names(folder):
    return sorted(path.name for path in folder.iterdir())


def test_the_parts_are_written_one_after_another(tmp_path):
    path = tmp_path / "deep" / "er" / "file"
    write_atomically(path, b"one ", memoryview(b"two"), b"", b" three")
    assert path.read_bytes() == b"one two three"
    assert names(path.parent) == ["file"]


def test_what_was_there_is_replaced(tmp_path):
    path = tmp_path / "file"
    path.write_bytes(b"a longer content")
    with path.open("rb") as before:
        write_atomically(path, b"new")
        assert before.read() == b"a longer content"  # a reader that has it open keeps the whole file
    assert path.read_bytes() == b"new"


@pytest.mark.parametrize(("umask", "mode"), [(0o002, 0o664), (0o022, 0o644), (0o077, 0o600), (0o000, 0o666)])
def test_the_mode_follows_the_umask(tmp_path, umask, mode):
    before = os.umask(umask)
    try:
        write_atomically(tmp_path / "file", b"x")
    finally:
        os.umask(before)
    assert stat.S_IMODE((tmp_path / "file").stat().st_mode) == mode


@pytest.mark.parametrize("call", ["write", "fsync", "replace"])
@pytest.mark.parametrize("error", [OSError(5, "Input/output error"), KeyboardInterrupt(), MemoryError()], ids=repr)
def test_whatever_fails_nothing_is_left(tmp_path, monkeypatch, call, error):
    path = tmp_path / "file"
    path.write_bytes(b"old")

    def fail(*arguments):
        raise error

    with monkeypatch.context() as patched:
        patched.setattr(os, call, fail)
        with pytest.raises(CacheError if isinstance(error, OSError) else type(error)):
            write_atomically(path, b"new")

    assert names(tmp_path) == ["file"]
    assert path.read_bytes() == b"old"
    write_atomically(path, b"newer")
    assert path.read_bytes() == b"newer"


def test_what_was_cleared_leaves_nothing_behind(tmp_path):
    with open_atomically(tmp_path / "file") as new:
        new.write(b"a longer content")
        new.clear()
        new.write(b"short")
    assert (tmp_path / "file").read_bytes() == b"short"


def test_a_temporary_file_of_another_process_stays(tmp_path, monkeypatch):
    monkeypatch.setattr(os, "urandom", bytes)
    others = tmp_path / f".file.{os.getpid()}-00000000.tmp"
    others.write_bytes(b"being written")
    with pytest.raises(CacheError):
        write_atomically(tmp_path / "file", b"new")
    assert others.read_bytes() == b"being written"


def test_short_writes_are_continued(tmp_path, monkeypatch):
    write = os.write
    monkeypatch.setattr(os, "write", lambda descriptor, data: write(descriptor, data[:3]))
    write_atomically(tmp_path / "file", b"0123456789" * 10)
    assert (tmp_path / "file").read_bytes() == b"0123456789" * 10


HOLD = """
    import sys
    from pathlib import Path
    from idxhub.cache.atomic import locked

    with locked(Path(sys.argv[1])):
        print("held", flush=True)
        sys.stdin.read()
"""


@pytest.fixture
def holder(tmp_path):
    with running(HOLD, tmp_path / "lock") as child:
        assert child.stdout.readline() == "held\n"
        yield child


def seconds_to_lock(path) -> float:
    began = time.monotonic()
    with locked(path):
        return time.monotonic() - began


def test_one_at_a_time(tmp_path, holder):
    timer = threading.Timer(0.5, holder.stdin.close)
    timer.start()
    assert seconds_to_lock(tmp_path / "lock") > 0.4
    timer.join()


def test_a_holder_that_shows_life_is_waited_for(tmp_path, holder, monkeypatch):
    monkeypatch.setattr(storage, "_HEARTBEAT_TIMEOUT", 0.6)
    done = threading.Event()

    def live():
        for _ in range(25):
            touch(tmp_path / "lock")
            time.sleep(0.1)
        done.set()
        holder.stdin.close()

    alive = threading.Thread(target=live)
    alive.start()
    with locked(tmp_path / "lock"):
        assert done.is_set()
    alive.join()


@pytest.mark.parametrize("ahead", [0, 10**6, -(10**6)], ids=["now", "in the future", "in the past"])
def test_a_stopped_holder_blocks_nobody_whatever_its_clock(tmp_path, holder, monkeypatch, ahead):
    monkeypatch.setattr(storage, "_HEARTBEAT_TIMEOUT", 0.6)
    os.utime(tmp_path / "lock", (time.time() + ahead,) * 2)
    began = time.monotonic()
    with locked(tmp_path / "lock"):
        assert 0.6 < time.monotonic() - began < 10


@pytest.mark.parametrize("error", [OSError(38, "Function not implemented"), NotImplementedError()], ids=repr)
def test_where_locks_do_not_work_the_work_is_done(tmp_path, monkeypatch, error):
    import filelock  # noqa: PLC0415 -- the real one, made to refuse

    def refuse(self, *arguments, **options):
        raise error

    monkeypatch.setattr(filelock.FileLock, "acquire", refuse)
    with locked(tmp_path / "lock"):
        write_atomically(tmp_path / "file", b"x")
    assert (tmp_path / "file").read_bytes() == b"x"


def test_the_lock_is_released_when_the_work_fails(tmp_path):
    with pytest.raises(ZeroDivisionError), locked(tmp_path / "lock"):
        raise ZeroDivisionError
    python(
        """
        import sys, time
        from pathlib import Path
        from idxhub.cache.atomic import locked

        began = time.monotonic()
        with locked(Path(sys.argv[1])):
            assert time.monotonic() - began < 0.9
        """,
        tmp_path / "lock",
    )


def test_two_writers_without_a_lock_leave_one_whole_file(tmp_path):
    contents, done = [bytes([i]) * 200_000 for i in range(8)], []

    def write(content):
        try:
            for _ in range(5):
                write_atomically(tmp_path / "file", content)
        finally:
            done.append(content)

    def read():
        while len(done) < len(contents):
            if (tmp_path / "file").exists():
                assert (tmp_path / "file").read_bytes() in contents

    in_threads([read, *(partial(write, content) for content in contents)])
    assert names(tmp_path) == ["file"]


def test_the_folder_is_flushed_after_each_rename(tmp_path, monkeypatch):
    """Or a power cut could undo the rename."""
    done, replace, fsync = [], os.replace, os.fsync

    def noted(*arguments):
        done.append("rename")
        replace(*arguments)

    def flushed(descriptor):
        state = os.fstat(descriptor)
        done.append("folder" if os.path.samestat(state, os.stat(tmp_path)) else "file")
        fsync(descriptor)

    monkeypatch.setattr(os, "replace", noted)
    monkeypatch.setattr(os, "fsync", flushed)
    write_atomically(tmp_path / "one", b"1")
    write_atomically(tmp_path / "two", b"2")
    assert done == ["file", "rename", "folder"] * 2


@pytest.mark.parametrize(("error", "refused"), [("EINVAL", False), ("ENOTSUP", False), ("EIO", True), ("ENOSPC", True)])
def test_a_folder_that_cannot_be_flushed(tmp_path, monkeypatch, error, refused):
    """Some file systems flush no folders; what else goes wrong is said."""
    fsync, number = os.fsync, getattr(errno, error)

    def flush(descriptor):
        if stat.S_ISDIR(os.fstat(descriptor).st_mode):
            raise OSError(number, os.strerror(number))
        fsync(descriptor)

    monkeypatch.setattr(os, "fsync", flush)
    with pytest.raises(CacheError, match=os.strerror(number)) if refused else contextlib.nullcontext():
        write_atomically(tmp_path / "file", b"new")
    assert (tmp_path / "file").read_bytes() == b"new"


@pytest.mark.parametrize(
    ("number", "says", "says_not"),
    [
        (errno.EDQUOT, "make room, or set IDXHUB_CACHE", "bytes free"),  # those of the disk are not those of the quota
        (errno.EMFILE, "raise its limit (ulimit -n)", "IDXHUB_CACHE"),
        (errno.ENFILE, "the whole system has too many open files", "IDXHUB_CACHE"),
        (errno.ENOMEM, "there is not enough memory", "IDXHUB_CACHE"),
        (errno.ENAMETOOLONG, "use shorter names, or set IDXHUB_CACHE", "make room"),
    ],
    ids=errno.errorcode.get,
)
def test_the_remedy_fits_the_error(tmp_path, number, says, says_not):
    said = str(storage.cache_error(tmp_path / "x", OSError(number, os.strerror(number))))
    assert says in said
    assert says_not not in said


@pytest.mark.parametrize(("inodes", "named"), [((1000, 0), True), ((1000, 5), False), ((0, 0), False)])
def test_a_file_system_without_inodes_is_named(tmp_path, monkeypatch, inodes, named):
    """Some file systems count no inodes: theirs are 0 of 0."""
    total, free = inodes
    state = SimpleNamespace(f_files=total, f_favail=free, f_bavail=1000, f_frsize=4096, f_blocks=2000, f_bfree=1000)
    monkeypatch.setattr(os, "statvfs", lambda path: state, raising=False)
    said = str(storage.cache_error(tmp_path / "x", OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))))
    assert ("no free inodes" in said) == named
    assert ("bytes free" in said) != named
