"""The folders that idxhub makes in a cache, known by a tag in each; no other is ever touched."""

from __future__ import annotations

import contextlib
import errno
import os
import stat
import time
from pathlib import Path

from idxhub.cache.atomic import SETTING, sweep, unusable, write_atomically
from idxhub.cache.record import DAMAGED, note_file, read_record
from idxhub.errors import CacheError
from idxhub.paths import absolute_path, open_regular_file

# bford.info/cachedir: backup programs leave a folder with this file out, and `remove` knows it by it
_TAG = "CACHEDIR.TAG"
_TAG_CONTENT = b"Signature: 8a477f597d28d172789f06886806bc55\n# Made by idxhub; can be removed.\n"
_TRIES = 8  # of removing a folder into which other processes write
_PAUSE = 0.02  # seconds before the second attempt, doubled before each further one
_OWN = (".lock", ".tmp", ".json", ".npy", ".arrow")


def mark(folder: Path) -> None:
    """Make a folder, if need be, and say that it is idxhub's. Raises `CacheError`."""
    if not _is_ours(folder / _TAG):
        write_atomically(folder / _TAG, _TAG_CONTENT)


def cache_root(cache_dir: str | os.PathLike[str] | None = None) -> Path:
    """The cache folder: the argument, IDXHUB_CACHE, or the platform's folder for caches. Raises `CacheError`."""
    argument = "cache_dir" if cache_dir is not None else "IDXHUB_CACHE"
    if cache_dir is None:
        cache_dir = os.environ.get("IDXHUB_CACHE") or None
    if cache_dir is None:
        import platformdirs  # noqa: PLC0415 -- where nothing was set only

        try:
            found = platformdirs.user_cache_path("idxhub")
        except RuntimeError as error:  # neither HOME nor an entry for this user
            raise CacheError(f"no folder for the cache is known: {error}; {SETTING}") from error
        if not found.is_absolute():  # the same, in older releases
            raise CacheError(f"no folder for the cache is known: this user has no home; {SETTING}")
        return found
    root = absolute_path(cache_dir)
    if not os.path.isabs(root):
        must_be = "an absolute path, since the working directory is gone"
        raise CacheError(f"{argument} is {os.fspath(cache_dir)!r}; it must be {must_be}")
    return Path(root)


def datasets_in(root: Path) -> list[Path]:
    """The folders in a cache that idxhub made; none where it is not made yet.

    Raises `CacheError` if it, or one of them, cannot be read: what is not known is not said to be empty.
    """
    try:
        with os.scandir(root) as entries:
            found = [entry.name for entry in entries if _is_named(entry.name) and not entry.is_symlink()]
    except OSError as error:
        if isinstance(error, FileNotFoundError) and not os.path.islink(root):
            return []
        raise unusable(root, error) from error
    return sorted(root / name for name in found if _is_tagged(root / name))


def size_of(folder: Path) -> int:
    """Bytes of the files in a folder. Raises `CacheError`."""
    try:
        return sum(map(_file_size, folder.iterdir()))
    except FileNotFoundError:  # removed meanwhile
        return 0
    except OSError as error:
        raise unusable(folder, error) from error


def _file_size(path: Path) -> int:
    """Bytes of a file; 0 for what is not a file, or no longer there."""
    try:
        state = path.stat()
    except FileNotFoundError:
        return 0
    return state.st_size if stat.S_ISREG(state.st_mode) else 0


def remove(root: Path) -> int:
    """Remove the datasets in a cache; returns the bytes freed. Only folders that idxhub made are touched."""
    freed = 0
    for folder in datasets_in(root):
        freed += size_of(folder)
        _remove_folder(folder)
    return freed


def _remove_folder(folder: Path) -> None:
    """Remove a folder; try again for a moment if other processes write into it meanwhile. Raises `CacheError`."""
    import shutil  # noqa: PLC0415 -- removing only

    for attempt in range(_TRIES):
        try:
            shutil.rmtree(folder)
        except FileNotFoundError:  # another process has removed it, or a file in it
            if not os.path.lexists(folder):
                return
        except OSError as error:
            if error.errno not in (errno.ENOTEMPTY, errno.EEXIST):
                raise unusable(folder, error) from error
        else:
            return
        time.sleep(_PAUSE * 2**attempt)
    raise CacheError(f"cannot remove {folder}: other processes write into it; try again when they have finished")


def sweep_all(root: Path) -> None:
    """Remove the temp files that killed processes left long ago, in all that idxhub made in a cache."""
    with contextlib.suppress(CacheError):  # what cannot be read is for others to say
        for folder in datasets_in(root):
            sweep(folder)


def is_own(path: Path) -> bool:
    """Whether a file is one that idxhub writes for itself, in a folder that it made: not one kept as published."""
    return path.suffix in _OWN and _is_ours(path.parent / _TAG)


def recorded(path: Path) -> dict[str, str]:
    """What the records beside a file that idxhub keeps say of it: MD5s, as published, and whose each is: a dataset's
    name, or the file's own if it is an archive.
    """
    found = {}
    for each in sorted(path.parent.glob("*.json")) if _is_ours(path.parent / _TAG) else []:
        with contextlib.suppress(OSError, *DAMAGED):  # or of another kind
            fields = read_record(each)
            if each == note_file(path) and path.parent.name.startswith("archive-"):
                found[str(fields["md5"])] = path.name
            elif fields["filename"] == path.name:
                found[str(fields["md5"])] = str(fields["dataset"])
    return found


def _is_named(folder: str) -> bool:
    name, _, fingerprint = folder.rpartition("-")
    return bool(name) and len(fingerprint) == 12 and set(fingerprint) <= set("0123456789abcdef")


def _is_tagged(folder: Path) -> bool:
    try:
        os.stat(folder / _TAG)
    except PermissionError as error:  # perhaps
        raise unusable(folder, error) from error
    except OSError:
        return False
    return _is_ours(folder / _TAG)


def _is_ours(tag: Path) -> bool:
    try:
        with open_regular_file(tag) as file:
            return file.read(len(_TAG_CONTENT) + 1) == _TAG_CONTENT
    except OSError:  # not to be read, so not to be removed
        return False
