"""Files that appear whole or not at all, and the lock that keeps processes from doing the same work twice.

Nothing here is needed for correctness but the rename: with a lock that does nothing two processes write the
same verified bytes, and the second rename replaces the first.
"""

from __future__ import annotations

import contextlib
import errno
import os
import time
from collections.abc import Callable, Iterable, Iterator
from pathlib import Path
from typing import TYPE_CHECKING

from idxhub.errors import CacheError, IdxHubError
from idxhub.paths import BINARY, dangling_link, describe_exhaustion, format_os_error

if TYPE_CHECKING:
    import threading

_ORPHAN_AGE = 24 * 3600.0  # seconds; no honest write takes a day
_PATIENCE = 60.0  # seconds without a sign of life from the lock's holder
# Windows opens no folder, some file systems flush none, and a folder may be one to write in and not to read
_NOT_FOR_FOLDERS = (errno.EACCES, errno.EPERM, errno.EISDIR, errno.EINVAL, errno.EBADF, errno.ENOSYS, errno.ENOTSUP)
_IN_THE_WAY = (errno.EISDIR, errno.ENOTDIR, errno.ELOOP, errno.EEXIST)
SETTING = "set IDXHUB_CACHE (or cache_dir=) to a folder that can be written"


def write_atomically(path: Path, *parts: bytes | memoryview) -> None:
    """Write `parts` to a temp file beside `path`, fsync, rename onto it. Raises `CacheError`; see `appearing`."""
    write_stream(path, parts)


def write_stream(path: Path, parts: Iterable[bytes | memoryview]) -> None:
    """`write_atomically` of parts that may be made while those before them are written."""
    with appearing(path) as new:
        for part in parts:
            new.write(part)


class NewFile:
    """A file that is being written, under a name of its own. What goes wrong with it is a `CacheError`."""

    def __init__(self, path: Path, descriptor: int) -> None:
        self._path, self._descriptor = path, descriptor

    def write(self, part: bytes | memoryview) -> None:
        """Append."""
        try:
            _write_all(self._descriptor, part)
        except OSError as error:
            raise unusable(self._path, error) from error

    def clear(self) -> None:
        """Begin again."""
        try:
            os.lseek(self._descriptor, 0, os.SEEK_SET)
            os.ftruncate(self._descriptor, 0)
        except OSError as error:
            raise unusable(self._path, error) from error


@contextlib.contextmanager
def appearing(path: Path) -> Iterator[NewFile]:
    """A file that appears at `path` when the context ends, flushed to the disk; raises `CacheError`.

    The mode follows the umask, as for any file a program makes, so that a cache can be shared. On any failure,
    Ctrl-C and SIGTERM included, the temp file is removed and what was at `path` is untouched.
    """
    with ending_in_order(), _temporary(path) as new:
        yield new


@contextlib.contextmanager
def _temporary(path: Path) -> Iterator[NewFile]:
    temp = path.with_name(f".{path.name}.{os.getpid()}-{os.urandom(4).hex()}.tmp")
    try:
        _make_folder(path.parent)
        sweep(path.parent)
        descriptor = None
        try:
            # O_EXCL: a link planted at the temp path is refused, not followed
            descriptor = os.open(temp, os.O_WRONLY | os.O_CREAT | os.O_EXCL | BINARY, 0o666)
            with open(descriptor, "wb", buffering=0) as file:
                yield NewFile(path, file.fileno())
                os.fsync(file.fileno())
            os.replace(temp, path)
        except BaseException as error:
            planted = descriptor is None and isinstance(error, FileExistsError)
            with contextlib.suppress(OSError):
                if not planted:
                    os.unlink(temp)
            raise
        _sync_folder(path.parent)
    except IdxHubError:  # from within the context, where downloads fail too
        raise
    except OSError as error:
        raise unusable(path, error) from error


class _Terminated(BaseException):
    """SIGTERM, on its way to who removes temp files."""


@contextlib.contextmanager
def ending_in_order() -> Iterator[None]:
    """Let SIGTERM end the work inside in order, temp files removed, before it ends the process as it does by itself.

    Only where nobody has said what SIGTERM is to do, and in the main thread: signals come nowhere else.
    """
    import signal  # noqa: PLC0415 -- writing only, as is the next: most processes read what is there
    import threading  # noqa: PLC0415

    alone = threading.current_thread() is threading.main_thread()
    if not alone or signal.getsignal(signal.SIGTERM) is not signal.SIG_DFL:
        yield
        return

    def end(*_: object) -> None:
        signal.signal(signal.SIGTERM, signal.SIG_DFL)  # a second one does not wait
        raise _Terminated

    signal.signal(signal.SIGTERM, end)
    try:
        yield
    except _Terminated:
        os.kill(os.getpid(), signal.SIGTERM)
        raise  # not reached: the signal ends the process
    finally:
        signal.signal(signal.SIGTERM, signal.SIG_DFL)


def unusable(path: Path, error: OSError) -> CacheError:
    """The `CacheError` for an `OSError` met at `path`: what happened, and what to do about it."""
    reason = format_os_error(path, error)
    if (remedy := describe_exhaustion(error)) is not None:
        mend = remedy
    elif error.errno == errno.EDQUOT:  # how much of it is left, nothing says
        mend = f"make room, or {SETTING}"
    elif error.errno == errno.ENOSPC and _has_no_inodes(path):
        reason += ": the file system has space, but cannot hold more files (no free inodes)"
        mend = f"remove files, or {SETTING}"
    elif error.errno == errno.ENOSPC:
        with contextlib.suppress(OSError):
            import shutil  # noqa: PLC0415 -- this message only

            there = next(folder for folder in path.parents if folder.is_dir())  # the cache may not be made yet
            free = shutil.disk_usage(there).free
            reason += f", {free:,} bytes free"
        mend = f"make room, or {SETTING}"
    elif error.errno in _IN_THE_WAY or dangling_link(path):
        mend = f"remove what is in its place, or {SETTING}"
    else:
        mend = SETTING
    return CacheError(f"cannot use the cache at {path}: {reason}; {mend}")


def _has_no_inodes(path: Path) -> bool:
    """Whether the file system of a path has free blocks and no free inode: "No space left" names the wrong cause."""
    with contextlib.suppress(OSError, AttributeError, StopIteration):  # Windows has no statvfs
        state = os.statvfs(next(folder for folder in path.parents if folder.is_dir()))
        return state.f_files > 0 and state.f_favail == 0 and state.f_bavail > 0
    return False


@contextlib.contextmanager
def locked(path: Path, stop: threading.Event | None = None, alive: Callable[[], None] = lambda: None) -> Iterator[None]:
    """Hold the lock file `path` if that can be had; otherwise go on without it.

    If the folder cannot be written or does not lock, or if the holder gives no sign of life (`touch`) for a minute, the
    caller works without the lock: the work is done twice, with the same result. The minute is measured by this process'
    own monotonic clock, so that a wrong clock, here or in the holder, makes nobody wait for ever. `stop` ends the wait;
    `alive` is called in each second of it, for a caller who holds another lock already.
    """
    import filelock  # noqa: PLC0415 -- a cache miss only: it brings asyncio

    lock = filelock.FileLock(path)
    held = False
    seen, since = _sign_of_life(path), time.monotonic()
    try:
        _make_folder(path.parent)
        while not held:
            try:
                lock.acquire(timeout=1.0)
                held = True
            except filelock.Timeout:
                alive()
                sign = _sign_of_life(path)
                if sign != seen:
                    seen, since = sign, time.monotonic()
                if time.monotonic() - since > _PATIENCE or (stop is not None and stop.is_set()):
                    break
    except (OSError, NotImplementedError):
        # unwritable: the write that follows says so better; no locks here: see above
        pass
    try:
        if held:
            touch(path)
        yield
    finally:
        if held:
            with contextlib.suppress(OSError, NotImplementedError):  # the work is done, and others have their patience
                lock.release()


def touch(path: Path) -> None:
    """A sign of life from the lock's holder."""
    with contextlib.suppress(OSError):
        os.utime(path, follow_symlinks=False)


def _write_all(descriptor: int, part: bytes | memoryview) -> None:
    view = memoryview(part).cast("B")
    while view:
        view = view[os.write(descriptor, view) :]


def _make_folder(folder: Path) -> None:
    try:
        folder.mkdir(parents=True, exist_ok=True)
    except FileExistsError:
        if not os.path.lexists(folder):  # removed by another process between two looks at it
            raise FileNotFoundError(errno.ENOENT, os.strerror(errno.ENOENT)) from None
        raise
    if folder.is_symlink():
        raise OSError(errno.ELOOP, "its folder is a link, and what is written there would land elsewhere")


def _sync_folder(folder: Path) -> None:
    """Flush a folder, so that the rename in it survives a power cut, where the system does that for folders."""
    try:
        descriptor = os.open(folder, os.O_RDONLY)
        try:
            os.fsync(descriptor)
        finally:
            os.close(descriptor)
    except OSError as error:
        if error.errno not in _NOT_FOR_FOLDERS:
            raise


def sweep(folder: Path) -> None:
    """Remove the temp files that killed processes left in a folder long ago."""
    now = time.time()
    for orphan in folder.glob(".*.tmp"):
        with contextlib.suppress(OSError):
            if now - orphan.lstat().st_mtime > _ORPHAN_AGE:
                orphan.unlink()


def _sign_of_life(path: Path) -> int | None:
    """What changes when the holder of a lock touches its file; None if the file cannot be examined."""
    try:
        # not the time of modification: some releases of filelock truncate the file each time they try
        return path.lstat().st_atime_ns
    except OSError:
        return None
