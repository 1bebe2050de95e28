"""Writing a file or a folder outside of the cache, so that it appears complete or not at all.

What is written lies in a temporary folder beside its final path, `.NAME.<random>.tmp`, until it is complete and
flushed. The temporary folder holds a lock while its process lives. So the next export into the same folder can remove
those that killed processes have left.
"""

from __future__ import annotations

import contextlib
import errno
import os
import re
import stat
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from pathlib import Path

from idxhub.cache.atomic import clean_up_on_sigterm, describe_write_error, flush_folder
from idxhub.catalog import split_string
from idxhub.catalog.spec import DatasetSpec
from idxhub.errors import AdapterError, ArgumentError, ExportError, IdxHubError
from idxhub.paths import is_special_file, rename
from idxhub.plugins.hookspecs import ExportSplit

_TEMPORARY = re.compile(r"\..+\.[0-9a-f]{12}\.tmp")
# what a temporary folder contains: its lock, a folder for what is written, a folder for what that replaces
_LOCK, _NEW, _OLD = "lock", "new", "old"
_UNLOCKED_AGE = 24 * 3600.0  # seconds, after which a temporary folder is removed where the file system has no locks
# what file systems that have no hard links raise
_WITHOUT_LINKS = {errno.EPERM, errno.ENOTSUP, errno.EOPNOTSUPP, errno.ENOSYS, errno.EMLINK, errno.EINVAL}
_FLUSHED_ONE_BY_ONE = 1000  # files; more than that are flushed together with all that the system has not yet written
_ANOTHER_PATH = "name a path that can be written"
_NOTHING: Mapping[str, Path] = {}


def name_splits(spec: DatasetSpec, splits: str | Sequence[str] | Mapping[str, str] | None) -> dict[str, str]:
    """The split strings to export, by the names under which they are exported.

    Raises `UnknownNameError` for a split that does not exist, and `ArgumentError` for a name that is no plain name, or
    that two splits would have.
    """
    if splits is None:
        splits = spec.everything
    if isinstance(splits, Mapping):
        pairs = list(splits.items())
    elif isinstance(splits, Sequence) and not isinstance(splits, (bytes, bytearray)):
        pairs = [(_usual_name(spec, text), text) for text in ([splits] if isinstance(splits, str) else splits)]
    else:
        raise ArgumentError("splits", splits, "a string, a sequence of strings, or a mapping from names to strings")
    if not pairs:
        raise ArgumentError("splits", splits, "at least one split")
    named: dict[str, str] = {}
    for name, text in pairs:
        split_string.ranges(spec, text)
        if not isinstance(name, str) or re.fullmatch(r"\w[\w.-]*", name) is None:
            must_be = "of letters, digits, '.', '_' and '-', and begin with none of '.' and '-'"
            raise ArgumentError("a name in splits", name, must_be)
        if name in named:
            must_be = f"a mapping that gives each a name, because both would be called {name!r}"
            raise ArgumentError("splits", (named[name], text), must_be)
        named[name] = text
    return named


def _usual_name(spec: DatasetSpec, text: str) -> str:
    """The names of the splits that a split string is made of: "train[:80%]+test" is "train-test"."""
    if text == "all" and "all" not in spec.splits:
        return text
    pieces = split_string.parse(text, spec.splits, lambda: spec.everything)
    return "-".join(dict.fromkeys(piece.name for piece in pieces))


def describe_split(spec: DatasetSpec, split: str) -> ExportSplit:
    """What an exporter may know of a split before it is loaded."""
    ranges = split_string.ranges(spec, split)
    images = spec.splits[ranges[0].name].arrays[0]
    return ExportSplit(sum(part.size for part in ranges), images.shape[1:], images.dtype, spec.classes)


def check_target(path: Path, *, is_folder: bool, force: bool, kept: Mapping[str, Path] = _NOTHING) -> None:
    """Raise `ExportError` if a file, or a folder, cannot be put at `path`, or if something is there already.

    With `force` it may be there; but a folder is not replaced if it is or contains the user's home, the working
    directory or one of the folders `kept`, {what it is: where}.
    """
    if not _is_folder(path.parent, path):
        raise ExportError(f"cannot write {path}: there is no folder {path.parent}; make it first")
    if not os.path.lexists(path):
        return
    if not force:
        raise ExportError(_exists(path))
    if is_special_file(path):
        raise ExportError(f"{path} is a device, a pipe or a socket, so it is not replaced; name another path")
    exists_as_folder = path.is_dir() and not path.is_symlink()
    if not path.is_symlink() and exists_as_folder != is_folder:
        kinds = ("a folder", "a file") if exists_as_folder else ("a file", "a folder")
        raise ExportError(
            f"{path} is {kinds[0]}, not {kinds[1]}, so it is not replaced; name another path, or remove it"
        )
    if exists_as_folder and (why := _why_needed(path, kept)) is not None:
        raise ExportError(f"{path} is not replaced, because it {why}; name another path")


def _is_folder(parent: Path, path: Path) -> bool:
    """Whether a folder is at `parent`. Raises `ExportError` for `path` if the system does not say."""
    try:
        return stat.S_ISDIR(os.stat(parent).st_mode)
    except (FileNotFoundError, NotADirectoryError):
        return False
    except OSError as error:
        raise _write_error(path, error) from error


def _write_error(path: Path, error: OSError) -> ExportError:
    return ExportError(f"cannot write {path}: {describe_write_error(path, error, _ANOTHER_PATH)}")


def _why_needed(path: Path, kept: Mapping[str, Path]) -> str | None:
    """Which needed folder the folder `path` is or contains; None if it is and contains none."""
    real = Path(os.path.realpath(path))
    needed = {"your home folder": Path(os.path.expanduser("~")), "the working directory": Path(os.curdir), **kept}
    for what, folder in needed.items():
        with contextlib.suppress(OSError):
            inside = Path(os.path.realpath(folder))
            if inside == real:
                return f"is {what}"
            if inside.is_relative_to(real):
                return f"contains {what}, {inside}"
    return None


@contextlib.contextmanager
def write_target(path: Path, *, is_folder: bool, force: bool, kept: Mapping[str, Path] = _NOTHING) -> Iterator[Path]:
    """A context with a temporary path, where a file is to be written; with `is_folder` an empty folder is there.

    When the context ends, what was written is flushed and put at `path`. If anything fails, or Ctrl-C or SIGTERM
    arrives, it is removed, and what is at `path` is unchanged. Raises `ExportError` as `check_target` does.
    """
    check_target(path, is_folder=is_folder, force=force, kept=kept)
    with clean_up_on_sigterm():
        try:
            _remove_orphans(path.parent)
            with _temporary_folder(path) as folder:
                new = folder / _NEW / path.name
                if is_folder:
                    new.mkdir()
                yield new
                if not (new.is_dir() if is_folder else new.is_file()):
                    raise AdapterError(f"the exporter of {path} has written no {'folder' if is_folder else 'file'}")
                _flush(new)
                # something may have been put there meanwhile
                check_target(path, is_folder=is_folder, force=force, kept=kept)
                if force:
                    _replace(new, path, folder / _OLD / path.name)
                else:
                    _move(new, path)
                flush_folder(path.parent)
        except IdxHubError:
            raise
        except OSError as error:
            raise _write_error(path, error) from error


@contextlib.contextmanager
def _temporary_folder(path: Path) -> Iterator[Path]:
    """A context with a new folder beside `path`, locked, which is removed when the context ends."""
    import filelock  # noqa: PLC0415 -- it imports asyncio, and `import idxhub` does without

    folder = path.with_name(f".{path.name[:50]}.{os.urandom(6).hex()}.tmp")
    lock = filelock.FileLock(folder / _LOCK)
    try:
        while not (folder / _LOCK).exists():
            # Another export may take the folder for that of a killed process before the lock is held, and remove it.
            # If that is when mkdir has just found it, `exist_ok` raises FileExistsError, here and in filelock.
            lock.release()
            with contextlib.suppress(FileExistsError):
                folder.mkdir()
            try:
                lock.acquire()
            except (FileExistsError, FileNotFoundError):
                continue
            except NotImplementedError:  # without a lock the folder is safe for a day
                break
        (folder / _NEW).mkdir()
        (folder / _OLD).mkdir()
        yield folder
    finally:
        # Windows removes no open file
        with contextlib.suppress(OSError, NotImplementedError):
            lock.release()
        if not _is_unfinished(folder, path):
            _remove_temporary_folder(folder)


def _is_unfinished(folder: Path, path: Path) -> bool:
    """Whether nothing is at `path`, because the second of two renames failed. The next export makes it again."""
    return not os.path.lexists(path) and all(os.path.lexists(folder / each / path.name) for each in (_NEW, _OLD))


def _remove_temporary_folder(folder: Path) -> None:
    """Remove as much of it as possible. The lock is last, by which the next export knows what this process leaves."""
    import shutil  # noqa: PLC0415 -- for an export alone

    for each in (_NEW, _OLD):
        shutil.rmtree(folder / each, ignore_errors=True)
    with contextlib.suppress(OSError):
        (folder / _LOCK).unlink(missing_ok=True)  # on Windows filelock has removed it
        os.rmdir(folder)


def _move(new: Path, path: Path) -> None:
    """Give `new` the name `path`. Raises `ExportError` if another process has put something there meanwhile."""
    try:
        if new.is_dir():
            rename(new, path)  # the system refuses it if a folder that is not empty is there
            return
        try:
            os.link(new, path)  # a rename would replace a file
        except OSError as error:
            if error.errno not in _WITHOUT_LINKS:
                raise
            rename(new, path)
    except OSError as error:
        if os.path.lexists(path) and os.path.lexists(new):
            raise ExportError(_exists(path)) from error
        raise


def _exists(path: Path) -> str:
    return f"{path} exists; name another path, or replace it with force=True"


def _replace(new: Path, path: Path, old: Path) -> None:
    """Rename `new` to `path`. A folder at `path` is first renamed to `old`, and comes back if the next step fails."""
    if not new.is_dir():
        rename(new, path, replace=True)
    elif not os.path.lexists(path):
        rename(new, path)
    else:
        rename(path, old)
        try:
            rename(new, path)
        except BaseException:
            rename(old, path)
            raise


def _flush(new: Path) -> None:
    """Flush a file, or a folder with everything in it."""
    if not new.is_dir():
        _flush_file(new)
        return
    entries = [(Path(folder), names) for folder, _, names in os.walk(new)]
    if hasattr(os, "sync") and sum(len(names) for _, names in entries) > _FLUSHED_ONE_BY_ONE:
        os.sync()
        return
    for folder, names in entries:
        for name in names:
            _flush_file(folder / name)
        flush_folder(folder)


def _flush_file(path: Path) -> None:
    with path.open("rb+") as file:  # Windows flushes only what is open for writing
        os.fsync(file.fileno())


def _remove_orphans(parent: Path) -> None:
    """Remove the temporary folders that processes left in `parent` when they were killed."""
    for name in os.listdir(parent):
        if _TEMPORARY.fullmatch(name):
            with contextlib.suppress(OSError):
                if os.path.lexists(parent / name / _LOCK):
                    _remove_orphan(parent / name)
                else:  # its process has not made the lock yet, or has removed it: if it lives, it makes both again
                    os.rmdir(parent / name)


def _remove_orphan(folder: Path) -> None:
    import filelock  # noqa: PLC0415 -- see `_temporary_folder`

    lock = filelock.FileLock(folder / _LOCK)
    try:
        lock.acquire(timeout=0)
    except filelock.Timeout:  # its process lives
        return
    except NotImplementedError:
        if time.time() - folder.lstat().st_mtime < _UNLOCKED_AGE:
            return
    try:
        _finish_replacement(folder)
    finally:
        # before the lock is released: a process that waits for it sees that the folder is gone
        _remove_temporary_folder(folder)
        with contextlib.suppress(OSError, NotImplementedError):
            lock.release()
        _remove_temporary_folder(folder)  # on Windows, which removes no open file


def _finish_replacement(folder: Path) -> None:
    """Put a complete folder in place, if its process was killed when only the old folder had been renamed."""
    for old in (folder / _OLD).iterdir():
        new, path = folder / _NEW / old.name, folder.parent / old.name
        if _is_unfinished(folder, path):
            rename(new, path)


@contextlib.contextmanager
def show_progress(progress: bool | Callable[[int], None], title: str, total: int) -> Iterator[Callable[[int], None]]:
    """A context with a function that an exporter calls after each n examples.

    With True it draws a bar on the terminal, if there is one; with False it does nothing.
    """
    if not isinstance(progress, bool):
        yield progress
    elif not progress:
        yield lambda _: None
    else:
        from idxhub.acquire.progress import ProgressBar  # noqa: PLC0415 -- it imports tqdm

        with contextlib.closing(ProgressBar(title, total, unit=" examples")) as bar:
            yield bar.update


def check_progress(progress: bool | Callable[[int], None] | None) -> None:
    """Raise `ArgumentError` if `progress` is neither a boolean nor a function."""
    if not isinstance(progress, bool) and (progress is None or not callable(progress)):
        raise ArgumentError("progress", progress, "True, False, or a function of a number of examples")
