"""Exports as files."""

from __future__ import annotations

import hashlib
from pathlib import Path


def digests(path: Path) -> dict[str, str]:
    """The SHA-256 of each file of an export, by its path in it; of one file, by a dot."""
    files = [each for each in path.rglob("*") if each.is_file()] if path.is_dir() else [path]
    return {str(each.relative_to(path)): hashlib.sha256(each.read_bytes()).hexdigest() for each in files}
