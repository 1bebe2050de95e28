"""Files that are written as a whole, and replace others only if that is asked for."""

from __future__ import annotations

import os
from pathlib import Path

import click


def check_output(path: Path, *, force: bool) -> None:
    """Refuse a file that exists, unless `force` is set, and one in a folder that does not. Raises `UsageError`."""
    if os.path.lexists(path) and not force:
        raise click.UsageError(f"{path} exists: name another file, or replace it with --force")
    if not path.parent.is_dir():
        raise click.UsageError(f"there is no folder {path.parent} for {path.name}: make it first")


def write_bytes(path: Path, content: bytes) -> None:
    """Write a file beside its final path, and rename it. Raises `click.ClickException`."""
    temporary = path.with_name(f".{path.name}.{os.getpid()}.tmp")
    try:
        temporary.write_bytes(content)
        os.replace(temporary, path)
    except OSError as error:
        raise click.ClickException(f"cannot write {path}: {error.strerror or error}") from error
    finally:
        temporary.unlink(missing_ok=True)
