"""A fresh process for each measurement: a module of this package, asked and answering in JSON."""

from __future__ import annotations

import json
import os
import shutil
import subprocess
import sys
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import click

TIMEOUT = 3600.0  # seconds


class FailedError(RuntimeError):
    """A process did not answer; the message is the last that it said."""


def ask(python: str, module: str, asked: Mapping[str, Any], work: Path) -> dict[str, Any]:
    """What `python -m module` answers. `work` is a folder for this package's code, which `python` need not have."""
    command = [python, "-m", module, json.dumps(asked)]
    try:
        done = subprocess.run(  # noqa: S603 -- an interpreter that the user has named
            command, env=_environment(work), capture_output=True, text=True, check=False, timeout=TIMEOUT
        )
    except subprocess.TimeoutExpired as error:
        raise FailedError(f"it took more than {TIMEOUT:g} s") from error
    if done.returncode:
        lines = [line.strip() for line in done.stderr.splitlines() if line.strip()]
        raise FailedError(lines[-1] if lines else f"exit status {done.returncode}")
    answer: dict[str, Any] = json.loads(done.stdout.splitlines()[-1])
    return answer


def pythons(named: tuple[str, ...], known: tuple[str, ...]) -> dict[str, str]:
    """`--env NAME=PYTHON` as a mapping; raises `click.UsageError`."""
    found = {}
    for text in named:
        name, _, python = text.partition("=")
        if name not in known:
            raise click.UsageError(f"--env {text!r}: NAME=PYTHON, with NAME one of {', '.join(known)}")
        if not os.access(python, os.X_OK):
            raise click.UsageError(f"--env {text!r}: {python!r} cannot be run")
        found[name] = os.path.abspath(python)
    return dict.fromkeys(known, sys.executable) | found


def check_raw(raw: Path, *, append: bool) -> None:
    """Raise `click.UsageError` if there is no folder for it, or there are records that were not to be added to."""
    if not raw.parent.is_dir():
        raise click.UsageError(f"there is no folder {raw.parent} to write {raw.name} in: make it first")
    if raw.exists() and raw.stat().st_size and not append:
        raise click.UsageError(f"{raw} has a run in it: name another file, or add to it with --append")


def _environment(work: Path) -> dict[str, str]:
    package = Path(__file__).parent
    code = work / "code"
    if not code.exists():
        shutil.copytree(package, code / package.name, ignore=shutil.ignore_patterns("__pycache__"))
    path = os.pathsep.join(filter(None, (str(code), os.environ.get("PYTHONPATH"))))
    return os.environ | {"PYTHONPATH": path, "IDXHUB_OFFLINE": "1", "TF_CPP_MIN_LOG_LEVEL": "3"}
