"""Writing a file so that it appears complete or not at all, and locks that save processes from doing the same work.

Only the rename is needed for correctness. If a lock does nothing, two processes write the same verified bytes, and the
second rename replaces the first file.
"""

from __future__ import annotations

import contextlib
import errno
import os
import time
from collections.abc import Callable, Iterable, Iterator
from pathlib import Path
from typing import TYPE_CHECKING

from idxhub.errors import CacheError
from idxhub.paths import (
    BINARY,
    dangling_link,
    describe_exhaustion,
    format_os_error,
    may_be_in_use,
    open_regular_file,
    rename,
)

if TYPE_CHECKING:
    import io
    import threading

_ORPHAN_AGE = 24 * 3600.0  # seconds; no process writes one file for a day
_HEARTBEAT_TIMEOUT = 60.0  # seconds without a heartbeat of the lock's holder, after which nobody waits for it any more
# the errors of systems that cannot flush a folder: Windows opens no folder, some file systems flush none, and a folder
# that can be written may not be readable
_CANNOT_FLUSH_FOLDER = (
    *(errno.EACCES, errno.EPERM, errno.EISDIR, errno.EINVAL),
    *(errno.EBADF, errno.ENOSYS, errno.ENOTSUP),
)
_FOLLOW_LINKS = os.utime not in os.supports_follow_symlinks  # Windows can set the times of a link's target alone
_PATH_IS_OCCUPIED = (errno.EISDIR, errno.ENOTDIR, errno.ELOOP, errno.EEXIST)
CACHE_FOLDER_ADVICE = "set IDXHUB_CACHE (or cache_dir=) to a folder that can be written"


def write_atomically(path: Path, *parts: bytes | memoryview) -> None:
    """Write `parts` to a temporary file beside `path`, flush it, and rename it to `path`.

    Raises `CacheError`; see `open_atomically`.
    """
    write_parts_atomically(path, parts)


def write_parts_atomically(path: Path, parts: Iterable[bytes | memoryview]) -> None:
    """The same as `write_atomically`; an iterator can make each part while the one before it is written."""
    with open_atomically(path) as new:
        for part in parts:
            new.write(part)


class NewFile:
    """A file that is being written under a temporary name. Its methods raise `CacheError`."""

    def __init__(self, path: Path, temporary: Path, descriptor: int) -> None:
        self._path, self._temporary, self._descriptor = path, temporary, descriptor
        self.is_discarded = False

    def write(self, part: bytes | memoryview) -> None:
        """Append these bytes to the file."""
        with _raise_cache_error(self._path):
            _write_all(self._descriptor, part)

    def clear(self) -> None:
        """Remove everything that was written, to begin again."""
        with _raise_cache_error(self._path):
            os.lseek(self._descriptor, 0, os.SEEK_SET)
            os.ftruncate(self._descriptor, 0)

    def open(self) -> io.BufferedReader:
        """Open the file for reading. Close it before the context ends, because Windows renames no open file."""
        with _raise_cache_error(self._path):
            return open_regular_file(self._temporary)

    def discard(self) -> None:
        """Remove the file when the context ends, instead of renaming it."""
        self.is_discarded = True


@contextlib.contextmanager
def open_atomically(path: Path) -> Iterator[NewFile]:
    """A context with a new file, which is flushed and renamed to `path` when the context ends. Raises `CacheError`.

    The file's mode follows the umask, as for any file that a program makes, so that several users can share a cache. If
    anything fails, or Ctrl-C or SIGTERM arrives, the temporary file is removed and the file at `path` is unchanged. An
    error that is raised inside the context leaves it as it is.
    """
    with clean_up_on_sigterm(), _temporary_file(path) as new:
        yield new


@contextlib.contextmanager
def _temporary_file(path: Path) -> Iterator[NewFile]:
    temp = path.with_name(f".{path.name}.{os.getpid()}-{os.urandom(4).hex()}.tmp")
    with _raise_cache_error(path):
        _make_folder(path.parent)
        remove_orphans(path.parent)
    descriptor = None
    try:
        with _raise_cache_error(path):
            # O_EXCL: if somebody has put a link at the temporary path, opening fails instead of following the link
            descriptor = os.open(temp, os.O_WRONLY | os.O_CREAT | os.O_EXCL | BINARY, 0o666)
        new = NewFile(path, temp, descriptor)
        try:
            yield new
            if not new.is_discarded:
                with _raise_cache_error(path):
                    os.fsync(descriptor)
        finally:
            with _raise_cache_error(path):
                os.close(descriptor)
        with _raise_cache_error(path):
            if new.is_discarded:
                os.unlink(temp)
                return
            rename(temp, path, replace=True)
    except BaseException as error:
        belongs_to_another = descriptor is None and isinstance(error.__cause__, FileExistsError)
        with contextlib.suppress(OSError):
            if not belongs_to_another:
                os.unlink(temp)
        raise
    with _raise_cache_error(path):
        flush_folder(path.parent)


@contextlib.contextmanager
def _raise_cache_error(path: Path) -> Iterator[None]:
    """A context in which an `OSError` becomes the `CacheError` for writing `path`."""
    try:
        yield
    except OSError as error:
        raise cache_error(path, error) from error


class Terminated(BaseException):
    """SIGTERM has arrived. It is an exception so that temporary files are removed on the way out."""


@contextlib.contextmanager
def clean_up_on_sigterm() -> Iterator[None]:
    """A context in which SIGTERM first ends the work, so that temporary files are removed, and then the process.

    This applies in the main thread alone, because Python handles signals there, and only if the program has not
    installed a handler for SIGTERM.
    """
    import signal  # noqa: PLC0415 -- needed for writing alone, as is the next: most processes only read the cache
    import threading  # noqa: PLC0415

    in_main_thread = threading.current_thread() is threading.main_thread()
    if not in_main_thread or signal.getsignal(signal.SIGTERM) is not signal.SIG_DFL:
        yield
        return

    def end(*_: object) -> None:
        signal.signal(signal.SIGTERM, signal.SIG_DFL)  # a second SIGTERM ends the process at once
        raise Terminated

    signal.signal(signal.SIGTERM, end)
    try:
        yield
    except Terminated:
        os.kill(os.getpid(), signal.SIGTERM)
        raise  # not reached: the signal ends the process
    finally:
        signal.signal(signal.SIGTERM, signal.SIG_DFL)


def cache_error(path: Path, error: OSError) -> CacheError:
    """The `CacheError` for an `OSError` at `path`. Its message says what happened and what to do about it."""
    return CacheError(f"cannot use the cache at {path}: {describe_write_error(path, error, CACHE_FOLDER_ADVICE)}")


def describe_write_error(path: Path, error: OSError, another_place: str) -> str:
    """What happened when `path` was written, and what to do about it; `another_place` says how to name another path."""
    reason = format_os_error(path, error)
    if (remedy := describe_exhaustion(error)) is not None:
        advice = remedy
    elif error.errno == errno.EDQUOT:  # the system does not say how much of the quota is left
        advice = f"make room, or {another_place}"
    elif error.errno == errno.ENOSPC and _has_no_inodes(path):
        reason += ": the file system has space, but cannot hold more files (no free inodes)"
        advice = f"remove files, or {another_place}"
    elif error.errno == errno.ENOSPC:
        with contextlib.suppress(OSError):
            import shutil  # noqa: PLC0415 -- for this message alone

            existing = next(folder for folder in path.parents if folder.is_dir())  # the cache may not be made yet
            free = shutil.disk_usage(existing).free
            reason += f", {free:,} bytes free"
        advice = f"make room, or {another_place}"
    elif may_be_in_use(error):
        advice = f"if a program has the file open, close that program; otherwise {another_place}"
    elif error.errno == errno.EFBIG:
        advice = f"raise the limit of the process on the size of a file (ulimit -f), or {another_place}"
    elif error.errno == errno.ENAMETOOLONG:
        advice = f"use shorter names, or {another_place}"
    elif error.errno in _PATH_IS_OCCUPIED or dangling_link(path):
        advice = f"remove what is in its place, or {another_place}"
    else:
        advice = another_place
    return f"{reason}; {advice}"


def _has_no_inodes(path: Path) -> bool:
    """Whether the file system has free blocks but no free inode; the system's "No space left" is misleading then."""
    with contextlib.suppress(OSError, AttributeError, StopIteration):  # Windows has no statvfs
        state = os.statvfs(next(folder for folder in path.parents if folder.is_dir()))
        return state.f_files > 0 and state.f_favail == 0 and state.f_bavail > 0
    return False


@contextlib.contextmanager
def locked(
    path: Path, stop: threading.Event | None = None, heartbeat: Callable[[], None] = lambda: None
) -> Iterator[None]:
    """A context in which this process holds the lock file `path`, if it can get it.

    The caller goes on without the lock if the folder cannot be written, if its file system has no locks, or if the
    holder gives no heartbeat (`touch`) for a minute. Then the work is done twice, with the same result. The minute is
    measured by the monotonic clock of this process, so that a wrong clock, here or in the holder, makes nobody wait for
    ever. `stop` ends the wait. While this process waits, it calls `heartbeat` once a second, for a caller who holds
    another lock.
    """
    import filelock  # noqa: PLC0415 -- needed for a cache miss alone: it imports asyncio

    lock = filelock.FileLock(path)
    held = False
    last_heartbeat, since = _heartbeat_time(path), time.monotonic()
    try:
        _make_folder(path.parent)
        while not held:
            try:
                lock.acquire(timeout=1.0)
                held = True
            except filelock.Timeout:
                heartbeat()
                newest = _heartbeat_time(path)
                if newest != last_heartbeat:
                    last_heartbeat, since = newest, time.monotonic()
                if time.monotonic() - since > _HEARTBEAT_TIMEOUT or (stop is not None and stop.is_set()):
                    break
    except (OSError, NotImplementedError):
        # If the folder cannot be written, the write that follows gives the better error. If the file system has no
        # locks, the work is done without one.
        pass
    try:
        if held:
            touch(path)
        yield
    finally:
        if held:
            # the work is done; if the lock stays, the others stop waiting for it after a minute
            with contextlib.suppress(OSError, NotImplementedError):
                lock.release()


def touch(path: Path) -> None:
    """Update the time of a lock file: the heartbeat by which waiting processes know that its holder still works."""
    with contextlib.suppress(OSError):
        os.utime(path, follow_symlinks=_FOLLOW_LINKS)


def _heartbeat_time(path: Path) -> int | None:
    """The time that `touch` updates; None if the file cannot be examined."""
    try:
        # not the time of modification: some releases of filelock truncate the file each time they try to lock it
        return path.lstat().st_atime_ns
    except OSError:
        return None


def _write_all(descriptor: int, part: bytes | memoryview) -> None:
    view = memoryview(part).cast("B")
    while view:
        view = view[os.write(descriptor, view) :]


def _make_folder(folder: Path) -> None:
    try:
        folder.mkdir(parents=True, exist_ok=True)
    except FileExistsError:
        if not os.path.lexists(folder):  # another process has removed it in the meantime
            raise FileNotFoundError(errno.ENOENT, os.strerror(errno.ENOENT)) from None
        raise
    if folder.is_symlink():
        raise OSError(errno.ELOOP, "its folder is a link, so files would be written into another folder")


def flush_folder(folder: Path) -> None:
    """Flush a folder, if the system can do that, so that a rename in it survives a power cut."""
    try:
        descriptor = os.open(folder, os.O_RDONLY)
        try:
            os.fsync(descriptor)
        finally:
            os.close(descriptor)
    except OSError as error:
        if error.errno not in _CANNOT_FLUSH_FOLDER:
            raise


def remove_orphans(folder: Path) -> None:
    """Remove the temporary files that processes left in a folder when they were killed, more than a day ago.

    What cannot be listed, examined or removed stays: the folder may have been removed in the meantime.
    """
    orphans, now = list[Path](), time.time()
    with contextlib.suppress(OSError), os.scandir(folder) as entries:
        orphans = [folder / each.name for each in entries if each.name.startswith(".") and each.name.endswith(".tmp")]
    for orphan in orphans:
        with contextlib.suppress(OSError):
            if now - orphan.lstat().st_mtime > _ORPHAN_AGE:
                orphan.unlink()
