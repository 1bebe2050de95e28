"""Python in a process of its own."""

from __future__ import annotations

import os
import subprocess
import sys
import textwrap
from typing import Any

NOBODY = 65534


def python(code: str, *arguments: object, **options: Any) -> subprocess.CompletedProcess[str]:
    """Run `code` with `sys.argv[1:]` = `arguments`; fails the test with the child's own words if it fails."""
    done = subprocess.run(  # noqa: S603 -- the tests' own code
        [sys.executable, "-c", textwrap.dedent(code), *map(str, arguments)],
        capture_output=True,
        text=True,
        timeout=60,
        check=False,
        **options,
    )
    assert done.returncode == 0, f"exit status {done.returncode}\n{done.stdout}\n{done.stderr}"
    return done


def start(code: str, *arguments: object, **options: Any) -> subprocess.Popen[str]:
    """Start `code` with its standard input and output as pipes."""
    return subprocess.Popen(  # noqa: S603 -- the tests' own code
        [sys.executable, "-c", textwrap.dedent(code), *map(str, arguments)],
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        text=True,
        **options,
    )


def is_root() -> bool:
    """Whether permission bits mean nothing to this process."""
    return hasattr(os, "geteuid") and os.geteuid() == 0
