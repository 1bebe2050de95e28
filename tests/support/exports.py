"""Exports as files."""

from __future__ import annotations

import contextlib
import functools
import hashlib
import io
import shutil
import subprocess
import time
from collections.abc import Iterable, Iterator
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from numpy.typing import NDArray

import idxhub
from support.needs import need
from support.processes import python_mounted, running


def digests(path: Path) -> dict[str, str]:
    """The SHA-256 of each file of an export, by its path in it; of one file, by a dot."""
    files = [each for each in path.rglob("*") if each.is_file()] if path.is_dir() else [path]
    return {str(each.relative_to(path)): hashlib.sha256(each.read_bytes()).hexdigest() for each in files}


def pixels(files: Iterable[bytes]) -> NDArray[Any]:
    """The pixels of PNG files, as Pillow reads them. The same files, from another reader, are not decoded again."""
    return _pixels(tuple(map(bytes, files)))  # DuckDB gives arrays of bytes


@functools.lru_cache(maxsize=8)
def _pixels(files: tuple[bytes, ...]) -> NDArray[Any]:
    image = need("PIL.Image")
    decoded = np.stack([np.asarray(image.open(io.BytesIO(file))) for file in files])
    decoded.flags.writeable = False
    return decoded


@contextlib.contextmanager
def temporary_folder(factory: pytest.TempPathFactory, name: str) -> Iterator[Path]:
    """A folder that is removed at the end: pytest keeps its own ones, and this one holds hundreds of megabytes."""
    folder = factory.mktemp(name)
    yield folder
    shutil.rmtree(folder)


_EXPORTING = """
    import signal, sys
    import idxhub

    # a shell may have started this process with signals that are ignored
    signal.signal(signal.SIGINT, signal.default_int_handler)
    signal.signal(signal.SIGTERM, signal.SIG_DFL)
    spec, format_name, path, options = given
    told = []

    def tell(count):
        if not told:
            told.append(count)
            print("there", flush=True)
            sys.stdin.readline()

    idxhub.export(spec, format_name, path, progress=tell, **options)
"""


@contextlib.contextmanager
def export_that_waits(
    spec: idxhub.DatasetSpec, format_name: str, path: Path, **options: Any
) -> Iterator[subprocess.Popen[str]]:
    """A process that has begun to export, and goes on when a line comes to its standard input."""
    given = (spec, format_name, path, options)
    with running(_EXPORTING, given=given, stderr=subprocess.PIPE) as child:
        assert child.stdout is not None
        assert child.stderr is not None
        assert child.stdout.readline() == "there\n", child.stderr.read()
        yield child


def end_by(number: int, child: subprocess.Popen[str]) -> None:
    """Send a signal to such a process, which must end by it."""
    child.send_signal(number)
    time.sleep(0.05)
    _, said = child.communicate("go on\n", timeout=60)
    assert child.returncode == -number, said


_FULL = """
    import os, re, subprocess, sys
    import idxhub

    spec, folder, format_name, path, sizes, force = given
    options = {"data_dir": folder, "cache_dir": folder / "cache", "progress": False, "force": force}
    if force:
        idxhub.export(spec, format_name, path, splits="train[:1]", **options)
    for size in sizes:
        subprocess.run(["mount", "-o", f"remount,size={size}", path.parent], check=True)
        before = os.stat(path).st_ino if force else None
        try:
            idxhub.export(spec, format_name, path, **options)
        except idxhub.errors.ExportError as error:
            print(error)
            assert "No space left on device" in str(error), error
            assert re.search("[0-9,]+ bytes free; make room, or name a path that can be written$", str(error)), error
        else:
            sys.exit(f"there was room in {size}")
        assert os.listdir(path.parent) == ([path.name] if force else []), os.listdir(path.parent)
        assert not force or os.stat(path).st_ino == before
    subprocess.run(["mount", "-o", "remount,size=20m", path.parent], check=True)
    idxhub.export(spec, format_name, path, **options)
    assert os.listdir(path.parent) == [path.name]
"""


def check_full_disk(
    spec: idxhub.DatasetSpec, data_dir: Path, format_name: str, path: Path, sizes: Iterable[str], *, force: bool = False
) -> None:
    """Export into a file system of each size, which must be too small, and then into one that is large enough."""
    given = (spec, data_dir, format_name, path, tuple(sizes), force)
    python_mounted(f"mount -t tmpfs -o size=200k none '{path.parent}'", _FULL, given=given)
