"""Python in a process of its own."""

from __future__ import annotations

import contextlib
import os
import pickle
import shutil
import subprocess
import sys
import textwrap
from collections.abc import Iterable, Iterator
from pathlib import Path
from typing import Any, NoReturn

import pytest

NOBODY = 65534
TESTS = str(Path(__file__).parents[1])  # where `support` is


def python(code: str, *arguments: object, **options: Any) -> subprocess.CompletedProcess[str]:
    """Run `code` with `sys.argv[1:]` = `arguments`; fails the test with the child's own words if it fails."""
    return _finished([sys.executable, "-c", textwrap.dedent(code)], arguments, **options)


def importable() -> str:
    """The PYTHONPATH with which a child imports what this process does, `support` too."""
    return os.pathsep.join([TESTS, *filter(None, [os.environ.get("PYTHONPATH")])])


def handed_back(done: subprocess.CompletedProcess[str]) -> Exception:
    """The exception that a child has printed last, as `pickle.dumps(error).hex()`."""
    error = pickle.loads(bytes.fromhex(done.stdout.splitlines()[-1]))  # noqa: S301 -- this test's own child wrote it
    assert isinstance(error, Exception)
    return error


@contextlib.contextmanager
def running(code: str, *arguments: object, **options: Any) -> Iterator[subprocess.Popen[str]]:
    """Start `code` with its standard input and output as pipes; it is killed at the end of the block."""
    with subprocess.Popen(
        [sys.executable, "-c", textwrap.dedent(code), *map(str, arguments)],
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        text=True,
        **options,
    ) as child:
        try:
            yield child
        finally:
            child.kill()


def without(what: str) -> NoReturn:
    """Skip for want of something in this environment; in continuous integration, where all is to be had, fail."""
    if os.environ.get("CI") == "true":
        pytest.fail(f"CI must have what this test needs: {what}")
    pytest.skip(f"needs {what}")


def python_mounted(mount: str, code: str, *arguments: object) -> subprocess.CompletedProcess[str]:
    """Run `code` in a mount namespace of its own, after the shell command `mount` has changed it."""
    unshare = shutil.which("unshare")
    possible = unshare and subprocess.run(
        [unshare, "-rm", "sh", "-c", "mount -t tmpfs none /mnt"], capture_output=True, check=False
    )
    if not possible or possible.returncode:
        without("mount namespaces (unshare -rm)")
    return _finished(
        [unshare, "-rm", "sh", "-ec", f'{mount}; exec "$@"', "sh", sys.executable, "-c", textwrap.dedent(code)],
        arguments,
    )


def python_traced(injection: str, code: str, *arguments: object) -> subprocess.CompletedProcess[str]:
    """Run `code`, all its threads included, with faults that strace injects; its exit status is for the caller.

    It repeats, with the kernel's own errors, what `support.calls` does everywhere.
    """
    strace = shutil.which("strace")
    if not strace or subprocess.run([strace, "-qq", "-e", "trace=none", "true"], check=False).returncode:
        without("strace, which may trace (support.calls has injected the same without it)")
    call = injection.partition(":")[0]
    command = [strace, "-qq", "-f", "-o", os.devnull, "-e", f"trace={call}", "-e", f"inject={injection}"]
    return subprocess.run(
        [*command, sys.executable, "-c", textwrap.dedent(code), *map(str, arguments)],
        capture_output=True,
        text=True,
        timeout=60,
        check=False,
    )


def python_as_nobody(
    code: str, *arguments: object, imports: str = "", another: bool = False
) -> subprocess.CompletedProcess[str]:
    """Run `code` as a user to whom permission bits apply; `another` than the one of this process, if it must be.

    The user changes after the imports: an interpreter below /root cannot be reached by anyone else.
    """
    if not hasattr(os, "geteuid"):
        without("a system with user ids")
    if another and os.geteuid() != 0:
        without("a second user (root)")
    drop = f"import os; os.setgroups([]); os.setgid({NOBODY}); os.setuid({NOBODY})\n" if os.geteuid() == 0 else ""
    modules = "concurrent.futures.thread, datetime, difflib, filelock, importlib.metadata, shutil, signal, "
    modules += "idxhub.audit.judge, idxhub.acquire.build"
    modules += f", {imports}" if imports else ""
    catalog = "import idxhub.catalog.builtin as catalog; catalog.datasets()\n"  # imported family by family
    return python(f"import {modules}\n" + catalog + drop + textwrap.dedent(code), *arguments)


def _finished(command: list[str], arguments: Iterable[object], **options: Any) -> subprocess.CompletedProcess[str]:
    done = subprocess.run(
        [*command, *map(str, arguments)], capture_output=True, text=True, timeout=60, check=False, **options
    )
    assert done.returncode == 0, f"exit status {done.returncode}\n{done.stdout}\n{done.stderr}"
    return done
