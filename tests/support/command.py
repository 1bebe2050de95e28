"""The command in a process of its own, and what it prints."""

from __future__ import annotations

import os
import subprocess
import sys
from typing import Any

SAMPLE = "fashion-mnist-sample"
COMMAND = (sys.executable, "-m", "idxhub")


def started(arguments: list[str], unbuffered: str = "", **options: Any) -> subprocess.CompletedProcess[str]:
    """Run it offline; `options` are those of `subprocess.run`."""
    environment = os.environ | {"PYTHONUNBUFFERED": unbuffered, "IDXHUB_OFFLINE": "1"}
    options.setdefault("stderr", subprocess.PIPE)
    return subprocess.run([*COMMAND, *arguments], text=True, check=False, env=environment, **options)


def rows(text: str) -> list[list[str]]:
    """A table's cells that hold no spaces."""
    return [line.split() for line in text.splitlines()]
