"""The paths that options take, and functions that write files: each is complete or absent, and replaces another only
if asked.
"""

from __future__ import annotations

import contextlib
import glob
import os
import time
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any

import click

from idxhub.paths import describe_os_error, is_special_file, rename

_ORPHAN_AGE = 60.0  # seconds: a file's bytes are made before it is opened, so that it is written in much less


class OptionPath(click.Path):
    """A path that is the value of an option. A leading `~` is expanded: in `--data-dir=~/data`, no shell does it."""

    def convert(self, value: Any, param: click.Parameter | None, ctx: click.Context | None) -> Any:
        """Expand the `~`, and check the path as click does."""
        return super().convert(os.path.expanduser(value), param, ctx)


FOLDER = OptionPath(exists=True, file_okay=False, path_type=Path)


def check_absent(paths: Sequence[Path], *, force: bool) -> None:
    """Raise `click.UsageError` for a file that exists, unless `force` is set, and for a folder that does not.

    A folder, a device, a pipe or a socket is refused even with `force`.
    """
    for path in paths:
        if not path.parent.is_dir():
            raise click.UsageError(f"there is no folder {path.parent} for {path.name}: make it first")
        if path.is_dir():
            raise click.UsageError(f"{path} is a folder: name a file")
        if is_special_file(path):
            raise click.UsageError(f"{path} is a device, a pipe or a socket: name a file")
        if os.path.lexists(path) and not force:
            raise click.UsageError(f"{path} exists: name another file, or replace it with --force")


def write_files(contents: Mapping[Path, bytes]) -> None:
    """Write files beside their final paths, flush them, and rename all of them at the end.

    If anything fails before the first file is renamed, none of the paths is changed. Raises `click.ClickException`.
    """
    temporary: dict[Path, Path] = {}
    try:
        for path, content in contents.items():
            _remove_orphans(path)
            temporary[path] = path.with_name(f".{path.name}.{os.getpid()}-{os.urandom(4).hex()}.tmp")
            with open(temporary[path], "xb") as file:
                file.write(content)
                file.flush()
                os.fsync(file.fileno())
        for path, written in temporary.items():
            rename(written, path, replace=True)
    except OSError as error:
        raise click.ClickException(f"cannot write {path}: {describe_os_error(error)}") from error
    finally:
        for written in temporary.values():
            with contextlib.suppress(OSError):
                os.unlink(written)


@contextlib.contextmanager
def made_folder(folder: Path) -> Iterator[None]:
    """A context with this folder. If it is new and nothing was written into it, it is removed at the end.

    Raises `click.ClickException`.
    """
    existed = folder.is_dir()
    try:
        folder.mkdir(exist_ok=True)
        yield
    except OSError as error:
        raise click.ClickException(f"cannot make the folder {folder}: {describe_os_error(error)}") from error
    finally:
        if not existed:
            with contextlib.suppress(OSError):  # it is not empty
                folder.rmdir()


def _remove_orphans(path: Path) -> None:
    """Remove what processes that were killed have left of this file."""
    now = time.time()
    for orphan in path.parent.glob(f".{glob.escape(path.name)}.*.tmp"):
        with contextlib.suppress(OSError):
            if now - orphan.lstat().st_mtime > _ORPHAN_AGE:
                orphan.unlink()
