"""Files that appear whole or not at all, and the lock that keeps processes from doing the same work twice.

Nothing here is needed for correctness but the rename: with a lock that does nothing two processes write the
same verified bytes, and the second rename replaces the first.
"""

from __future__ import annotations

import contextlib
import errno
import io
import os
import stat
import threading
import time
from collections.abc import Iterator
from pathlib import Path

from idxhub.errors import CacheError

_ORPHAN_AGE = 24 * 3600.0  # seconds; no honest write takes a day
_PATIENCE = 60.0  # seconds without a sign of life from the lock's holder
SETTING = "set IDXHUB_CACHE (or cache_dir=) to a folder that can be written"


def write_atomically(path: Path, *parts: bytes | memoryview) -> None:
    """Write `parts` to a temp file beside `path`, fsync, rename onto it. Raises `CacheError`.

    The mode follows the umask, as for any file a program makes, so that a cache can be shared. On any failure,
    Ctrl-C included, the temp file is removed and what was at `path` is untouched.
    """
    temp = path.with_name(f".{path.name}.{os.getpid()}-{os.urandom(4).hex()}.tmp")
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        _sweep(path.parent)
        # O_EXCL: a link planted at the temp path is refused, not followed
        descriptor = os.open(temp, os.O_WRONLY | os.O_CREAT | os.O_EXCL | _BINARY, 0o666)
        try:
            with open(descriptor, "wb", buffering=0) as file:
                for part in parts:
                    _write_all(file.fileno(), part)
                os.fsync(file.fileno())
            os.replace(temp, path)
        except BaseException:
            with contextlib.suppress(OSError):
                os.unlink(temp)
            raise
        _sync_folder(path.parent)
    except OSError as error:
        raise unusable(path, error) from error


def unusable(path: Path, error: OSError) -> CacheError:
    """The `CacheError` for an `OSError` met at `path`: what happened, and what to do about it."""
    reason = error.strerror or str(error)
    if error.errno == errno.ENOSPC:
        with contextlib.suppress(OSError):
            import shutil  # noqa: PLC0415 -- this message only

            free = shutil.disk_usage(path.parent).free
            reason += f", {free:,} bytes free"
        mend = f"make room, or {SETTING}"
    elif error.errno in (errno.EISDIR, errno.ENOTDIR, errno.ELOOP):
        mend = f"remove what is in its place, or {SETTING}"
    else:
        mend = SETTING
    return CacheError(f"cannot use the cache at {path}: {reason}; {mend}")


def open_regular(path: Path) -> io.BufferedReader:
    """Open a file for reading. Anything else counts as absent: a pipe would be waited for without end."""
    descriptor = os.open(path, os.O_RDONLY | getattr(os, "O_NONBLOCK", 0) | getattr(os, "O_CLOEXEC", 0) | _BINARY)
    if not stat.S_ISREG(os.fstat(descriptor).st_mode):
        os.close(descriptor)
        raise FileNotFoundError(errno.ENOENT, "is not a file")
    return open(descriptor, "rb")


@contextlib.contextmanager
def locked(path: Path, stop: threading.Event | None = None) -> Iterator[None]:
    """Hold the lock file `path` if that can be had; otherwise go on without it.

    Where the folder cannot be written or does not lock, or the holder gives no sign of life (`touch`) for a
    minute, the caller works unlocked: twice the work, the same result. `stop` ends the wait.
    """
    import filelock  # noqa: PLC0415 -- a cache miss only: it brings asyncio

    lock = filelock.FileLock(path)
    held = False
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        while not held:
            try:
                lock.acquire(timeout=1.0)
                held = True
            except filelock.Timeout:
                if _age(path) > _PATIENCE or (stop is not None and stop.is_set()):
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
            lock.release()


def touch(path: Path) -> None:
    """A sign of life from the lock's holder."""
    with contextlib.suppress(OSError):
        os.utime(path, follow_symlinks=False)


_BINARY = getattr(os, "O_BINARY", 0)  # Windows alone has it


def _write_all(descriptor: int, part: bytes | memoryview) -> None:
    view = memoryview(part).cast("B")
    while view:
        view = view[os.write(descriptor, view) :]


def _sync_folder(folder: Path) -> None:
    # so that the rename survives a power cut; a folder cannot be opened on Windows, and some file
    # systems refuse: the file itself is safe by then
    with contextlib.suppress(OSError):
        descriptor = os.open(folder, os.O_RDONLY)
        try:
            os.fsync(descriptor)
        finally:
            os.close(descriptor)


def _sweep(folder: Path) -> None:
    """Remove what a killed process left long ago."""
    now = time.time()
    for orphan in folder.glob(".*.tmp"):
        with contextlib.suppress(OSError):
            if now - orphan.lstat().st_mtime > _ORPHAN_AGE:
                orphan.unlink()


def _age(path: Path) -> float:
    try:
        # not the time of change: some releases of filelock truncate the file each time they try
        return time.time() - path.lstat().st_atime
    except OSError:
        return 0.0
