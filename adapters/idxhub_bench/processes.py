"""Fresh processes: each measurement is a module of this package, which is asked in JSON, and answers into a file."""

from __future__ import annotations

import contextlib
import json
import os
import shutil
import signal
import subprocess
import sys
import tempfile
from collections.abc import Mapping
from pathlib import Path
from typing import Any

TIMEOUT = 3600.0  # seconds


class FailedError(RuntimeError):
    """A process gave no answer; the message is the last line of its standard error."""


def ask(python: str, module: str, question: Mapping[str, Any], environment: Mapping[str, str], **options: Any) -> Any:
    """The answer of `python -m module QUESTION FILE`, which writes it into FILE; `options` are those of `run`.

    Its standard output does not matter: frameworks print there too, and Ray even after the module has ended.
    """
    with tempfile.TemporaryDirectory() as temporary:
        file = Path(temporary, "answer.json")
        run([python, "-m", module, json.dumps(question), str(file)], environment, **options)
        try:
            return json.loads(file.read_bytes())
        except (OSError, ValueError) as error:
            raise FailedError("it wrote no answer") from error


def question() -> Any:
    """In a process that `ask` has started: what it is asked."""
    return json.loads(sys.argv[1])


def answer(found: Mapping[str, Any]) -> None:
    """In a process that `ask` has started: answer."""
    Path(sys.argv[2]).write_text(json.dumps(found), encoding="utf-8")


def run(
    command: list[str], environment: Mapping[str, str], *, folder: Path | None = None, timeout: float | None = None
) -> None:
    """Run a program in `folder`. Raises `FailedError` if it fails or takes too long.

    Whatever the program has started, such as workers or a cluster, ends with it.
    """
    timeout = TIMEOUT if timeout is None else timeout
    with subprocess.Popen(  # noqa: S603 -- an interpreter that the user has named
        command,
        env=environment,
        cwd=folder,
        stdout=subprocess.DEVNULL,
        stderr=subprocess.PIPE,
        text=True,
        start_new_session=True,
    ) as process:
        try:
            _, errors = process.communicate(timeout=timeout)
        except subprocess.TimeoutExpired as error:
            raise FailedError(f"it took more than {timeout:g} s") from error
        finally:
            with contextlib.suppress(ProcessLookupError, PermissionError):
                os.killpg(process.pid, signal.SIGKILL) if hasattr(os, "killpg") else process.kill()
    if process.returncode:
        lines = [line.strip() for line in errors.splitlines() if line.strip()]
        raise FailedError(lines[-1] if lines else f"exit status {process.returncode}")


def clean_environment() -> dict[str, str]:
    """The variables of this process, except those that change which modules are found and that bytecode is kept."""
    left_out = ("PYTHONDONTWRITEBYTECODE", "PYTHONPATH")
    return {name: value for name, value in os.environ.items() if name not in left_out}


def environment(folder: Path, python_path: str = "") -> dict[str, str]:
    """The variables of a measured process: this package on its path, and no network.

    The package is copied into `folder`, because the interpreter need not have it; `python_path` comes after it.
    """
    package, code, temporary = Path(__file__).parent, folder / "code", folder / "temporary"
    if not code.exists():
        shutil.copytree(package, code / package.name, ignore=shutil.ignore_patterns("__pycache__"))
        temporary.mkdir()
    return clean_environment() | {
        "PYTHONPATH": os.pathsep.join(filter(None, (str(code), python_path))),
        "TMPDIR": str(temporary),
        "IDXHUB_OFFLINE": "1",
        "HF_HUB_OFFLINE": "1",
        # a peer that wants to download fails at once, and its download is not timed
        **dict.fromkeys(("http_proxy", "https_proxy"), "http://127.0.0.1:9"),
        "TF_CPP_MIN_LOG_LEVEL": "3",
    }
