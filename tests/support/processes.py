"""Python in a process of its own, and functions in threads of their own."""

from __future__ import annotations

import contextlib
import os
import pickle
import shutil
import subprocess
import sys
import tempfile
import textwrap
import threading
from collections.abc import Callable, Iterable, Iterator
from pathlib import Path
from typing import Any, NoReturn

import pytest

from support.streaming import STREAM_ALL

NOBODY = 65534
TESTS = str(Path(__file__).parents[1])  # where `support` is


def python(
    code: str, *arguments: object, given: object = None, start: Iterable[str] = (), **options: Any
) -> subprocess.CompletedProcess[str]:
    """Run `code` with `sys.argv[1:]` = `arguments`; fails the test with the child's own words if it fails.

    If anything is `given`, it is the value of the variable `given` in the child, which can import `support` too.
    `start` is a command that starts the interpreter.
    """
    with program_with(code, given) as program:
        return _finished([*start, sys.executable, "-c", program], arguments, **options)


def raised_in(code: str, *arguments: object, run: Callable[..., Any] = python, **options: Any) -> Exception:
    """The exception that `code` raises in a child, which `run` starts; the test fails if it raises none."""
    attempt = f"import pickle, sys\ntry:\n{textwrap.indent(textwrap.dedent(code), '    ')}"
    handed_back = (
        "\nexcept Exception as error:\n    print(pickle.dumps(error).hex())\nelse:\n    sys.exit('no error')\n"
    )
    done = run(attempt + handed_back, *arguments, **options)
    error = pickle.loads(bytes.fromhex(done.stdout.splitlines()[-1]))  # noqa: S301 -- this test's own child wrote it
    assert isinstance(error, Exception)
    return error


def importable() -> str:
    """The PYTHONPATH with which a child imports what this process does, `support` too."""
    return os.pathsep.join([TESTS, *filter(None, [os.environ.get("PYTHONPATH")])])


@contextlib.contextmanager
def running(code: str, *arguments: object, given: object = None, **options: Any) -> Iterator[subprocess.Popen[str]]:
    """Start `code` as `python` does, with its standard input and output as pipes; the end of the block kills it."""
    pipes: dict[str, Any] = {"stdin": subprocess.PIPE, "stdout": subprocess.PIPE, "text": True}
    with (
        program_with(code, given) as program,
        subprocess.Popen([sys.executable, "-c", program, *map(str, arguments)], **pipes, **options) as child,
    ):
        try:
            yield child
        finally:
            child.kill()


def in_threads(work: Iterable[Callable[[], object]]) -> None:
    """Run each in a thread of its own, and wait for all of them."""
    threads = [threading.Thread(target=each) for each in work]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()


def without(what: str) -> NoReturn:
    """Skip the test because this environment lacks something; in continuous integration, which has everything, fail."""
    if os.environ.get("CI") == "true":
        pytest.fail(f"CI must have what this test needs: {what}")
    pytest.skip(f"needs {what}")


def python_mounted(mount: str, code: str, *arguments: object, given: object = None) -> subprocess.CompletedProcess[str]:
    """Run `code` in a mount namespace of its own, after the shell command `mount` has changed it."""
    with program_with(code, given) as program:
        return _finished([*mounted(mount), sys.executable, "-c", program], arguments)


def mounted(mount: str) -> list[str]:
    """The start of a command that runs in a mount namespace of its own, which the shell command `mount` has changed."""
    unshare = shutil.which("unshare")
    possible = unshare and subprocess.run(
        [unshare, "-rm", "sh", "-c", "mount -t tmpfs none /mnt"], capture_output=True, check=False
    )
    if not possible or possible.returncode:
        without("mount namespaces (unshare -rm)")
    return [str(unshare), "-rm", "sh", "-ec", f'{mount}; exec "$@"', "sh"]


def python_traced(
    injection: str, code: str, *arguments: object, given: object = None
) -> subprocess.CompletedProcess[str]:
    """Run `code`, all its threads included, with faults that strace injects; its exit status is for the caller.

    It repeats, with the kernel's own errors, what `support.calls` does everywhere.
    """
    strace = shutil.which("strace")
    if not strace or subprocess.run([strace, "-qq", "-e", "trace=none", "true"], check=False).returncode:
        without("strace, which may trace (support.calls has injected the same without it)")
    call = injection.partition(":")[0]
    command = [strace, "-qq", "-f", "-o", os.devnull, "-e", f"trace={call}", "-e", f"inject={injection}"]
    with program_with(code, given) as program:
        child = [*command, sys.executable, "-c", program, *map(str, arguments)]
        return subprocess.run(child, capture_output=True, text=True, timeout=60, check=False)


def python_as_nobody(
    code: str, *arguments: object, given: object = None, imports: str = "", another: bool = False
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
    later = "import idxhub.catalog.builtin as catalog; catalog.datasets()\n"  # imported family by family
    later += "importlib.metadata.version('idxhub')\n"  # since Python 3.13 it imports a module when it is first asked
    return python(f"import {modules}\n" + later + drop + textwrap.dedent(code), *arguments, given=given)


@contextlib.contextmanager
def program_with(code: str, given: object) -> Iterator[str]:
    """The code, and before it what reads `given` from a file that every user can read.

    If this process verifies files of any size block by block, the code does so too.
    """
    code = textwrap.dedent(code)
    if os.environ.get(STREAM_ALL):
        ask = "from support.streaming import stream_all_if_asked; stream_all_if_asked()"
        code = f"import sys; sys.path.append({TESTS!r}); {ask}\n{code}"
    if given is None:
        yield code
        return
    with tempfile.TemporaryDirectory() as folder:
        os.chmod(folder, 0o755)  # noqa: S103 -- for `python_as_nobody`
        path = Path(folder, "given")
        path.write_bytes(pickle.dumps(given))
        read = f"given = pickle.loads(open({str(path)!r}, 'rb').read())"
        yield f"import pickle, sys\nsys.path.append({TESTS!r})\n{read}\n{code}"


def _finished(command: list[str], arguments: Iterable[object], **options: Any) -> subprocess.CompletedProcess[str]:
    given: dict[str, Any] = {"timeout": 60} | options
    done = subprocess.run([*command, *map(str, arguments)], capture_output=True, text=True, check=False, **given)
    assert done.returncode == 0, f"exit status {done.returncode}\n{done.stdout}\n{done.stderr}"
    return done
