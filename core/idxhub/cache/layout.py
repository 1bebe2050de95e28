"""The folders that idxhub makes in a cache. A tag file marks each of them; idxhub touches no other folder."""

from __future__ import annotations

import contextlib
import errno
import os
import stat
import time
from pathlib import Path

from idxhub.cache.atomic import CACHE_FOLDER_ADVICE, cache_error, remove_orphans, write_atomically
from idxhub.cache.record import DAMAGED_RECORD_ERRORS, origin_file, read_record
from idxhub.errors import CacheError
from idxhub.paths import absolute_path, may_be_in_use, open_regular_file

# bford.info/cachedir: backup programs skip a folder with this file, and `remove_all` recognises idxhub's folders by it
_TAG = "CACHEDIR.TAG"
_TAG_CONTENT = b"Signature: 8a477f597d28d172789f06886806bc55\n# Made by idxhub; can be removed.\n"
_REMOVAL_ATTEMPTS = 8  # for a folder that other processes use
_PAUSE = 0.02  # seconds before the second attempt, doubled before each further one
_INTERNAL_SUFFIXES = (".lock", ".tmp", ".json", ".npy", ".arrow")


def make_tagged_folder(folder: Path) -> None:
    """Make a folder, with the tag that marks it as idxhub's, unless it exists. Raises `CacheError`."""
    if not _is_tag(folder / _TAG):
        write_atomically(folder / _TAG, _TAG_CONTENT)


def cache_root(cache_dir: str | os.PathLike[str] | None = None) -> Path:
    """The cache folder: the argument, or IDXHUB_CACHE, or the platform's folder for caches. Raises `CacheError`."""
    argument = "cache_dir" if cache_dir is not None else "IDXHUB_CACHE"
    if cache_dir is None:
        cache_dir = os.environ.get("IDXHUB_CACHE") or None
    if cache_dir is None:
        import platformdirs  # noqa: PLC0415 -- needed only if neither is set

        try:
            found = platformdirs.user_cache_path("idxhub")
        except RuntimeError as error:  # HOME is not set, and the system knows no home of this user
            raise CacheError(f"no folder for the cache is known: {error}; {CACHE_FOLDER_ADVICE}") from error
        if not found.is_absolute():  # the same case, in older releases of platformdirs
            raise CacheError(f"no folder for the cache is known: this user has no home; {CACHE_FOLDER_ADVICE}")
        return found
    root = absolute_path(cache_dir)
    if not os.path.isabs(root):
        must_be = "an absolute path, because the working directory no longer exists"
        raise CacheError(f"{argument} is {os.fspath(cache_dir)!r}; it must be {must_be}")
    return Path(root)


def write_error(folder: Path) -> OSError | None:
    """The error that writing a file into a folder raises; None if a file can be written.

    A file is written and flushed, because permission bits say nothing about read-only mounts and full disks. Then the
    file is removed.
    """
    import tempfile  # noqa: PLC0415 -- needed only if something is wrong

    try:
        with tempfile.TemporaryFile(prefix=".", suffix=".tmp", dir=folder) as file:
            file.write(bytes(4096))
            file.flush()
            os.fsync(file.fileno())
    except OSError as error:
        return error
    return None


def list_cache_folders(root: Path) -> list[Path]:
    """The folders that idxhub made in a cache: those of datasets and those of archives.

    The list is empty if the cache does not exist. Raises `CacheError` if the cache or one of its folders cannot be
    read, because nobody knows then what is in it.
    """
    try:
        with os.scandir(root) as entries:
            found = [entry.name for entry in entries if _ends_with_digest(entry.name) and not entry.is_symlink()]
    except OSError as error:
        if isinstance(error, FileNotFoundError) and not os.path.islink(root):
            return []
        raise cache_error(root, error) from error
    return sorted(root / name for name in found if _is_tagged(root / name))


def folder_size(folder: Path) -> int:
    """The size of all files in a folder, in bytes. Raises `CacheError`."""
    try:
        return sum(map(_file_size, folder.iterdir()))
    except FileNotFoundError:  # another process has removed the folder
        return 0
    except OSError as error:
        raise cache_error(folder, error) from error


def _file_size(path: Path) -> int:
    """The size of a file in bytes; 0 if it is not a regular file or no longer exists."""
    try:
        state = path.stat()
    except FileNotFoundError:
        return 0
    return state.st_size if stat.S_ISREG(state.st_mode) else 0


def remove_all(root: Path) -> int:
    """Remove the folders that idxhub made in a cache, and nothing else. Returns the number of bytes freed.

    Raises `CacheError`.
    """
    freed = 0
    for folder in list_cache_folders(root):
        freed += folder_size(folder)
        _remove_folder(folder)
    return freed


def _remove_folder(folder: Path) -> None:
    """Remove a folder; if other processes use it, try again for a few seconds. Raises `CacheError`."""
    import shutil  # noqa: PLC0415 -- needed for removing alone

    for attempt in range(_REMOVAL_ATTEMPTS):
        try:
            shutil.rmtree(folder)
        except FileNotFoundError:  # another process has removed the folder, or a file in it
            if not os.path.lexists(folder):
                return
        except OSError as error:
            if error.errno not in (errno.ENOTEMPTY, errno.EEXIST) and not may_be_in_use(error):
                raise cache_error(folder, error) from error
        else:
            return
        time.sleep(_PAUSE * 2**attempt)
    raise CacheError(f"cannot remove {folder}: other processes use it; try again when they have finished")


def remove_all_orphans(root: Path) -> None:
    """Remove the old temporary files of killed processes from all folders that idxhub made in a cache."""
    with contextlib.suppress(CacheError):  # if the cache cannot be read, the search for files reports it
        for folder in list_cache_folders(root):
            remove_orphans(folder)


def is_internal_file(path: Path) -> bool:
    """Whether a file is one that idxhub writes for itself, in a folder that it made, and not a published file."""
    return path.suffix in _INTERNAL_SUFFIXES and _is_tag(path.parent / _TAG)


def recorded_md5s(path: Path) -> dict[str, str]:
    """The MD5s of a published file in the cache, read from the records beside it.

    Each MD5 is that of the published file, and its value is the name of the dataset that the file belongs to; for an
    archive, which several datasets share, it is the name of the file.
    """
    found = dict[str, str]()
    records = list[Path]()
    with contextlib.suppress(FileNotFoundError):  # another process has removed the folder
        records = sorted(path.parent.glob("*.json")) if _is_tag(path.parent / _TAG) else []
    for each in records:
        with contextlib.suppress(OSError, *DAMAGED_RECORD_ERRORS):  # a record of another kind lacks these fields
            fields = read_record(each)
            if each == origin_file(path) and path.parent.name.startswith("archive-"):
                found[str(fields["md5"])] = path.name
            elif fields["filename"] == path.name:
                found[str(fields["md5"])] = str(fields["dataset"])
    return found


def _ends_with_digest(folder: str) -> bool:
    """Whether a folder's name ends as `Cache` ends them: with a hyphen and 12 hexadecimal digits."""
    name, _, digest = folder.rpartition("-")
    return bool(name) and len(digest) == 12 and set(digest) <= set("0123456789abcdef")


def _is_tagged(folder: Path) -> bool:
    try:
        os.stat(folder / _TAG)
    except PermissionError as error:  # the folder may be tagged: nobody can tell
        raise cache_error(folder, error) from error
    except OSError:
        return False
    return _is_tag(folder / _TAG)


def _is_tag(path: Path) -> bool:
    try:
        with open_regular_file(path) as file:
            return file.read(len(_TAG_CONTENT) + 1) == _TAG_CONTENT
    except OSError:  # a folder whose tag cannot be read is not removed
        return False
