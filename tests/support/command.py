"""The command in a process of its own, and what it prints."""

from __future__ import annotations

import os
import subprocess
import sys
from typing import Any

SAMPLE = "fashion-mnist-sample"
MAIN = "import sys; from idxhub.cli import main; sys.argv[0] = 'idxhub'; main()"


def started(arguments: list[str], unbuffered: str = "", **options: Any) -> subprocess.CompletedProcess[str]:
    """Run it offline; `options` are those of `subprocess.run`."""
    environment = os.environ | {"PYTHONUNBUFFERED": unbuffered, "IDXHUB_OFFLINE": "1"}
    options.setdefault("stderr", subprocess.PIPE)
    return subprocess.run([sys.executable, "-c", MAIN, *arguments], text=True, check=False, env=environment, **options)


def rows(text: str) -> list[list[str]]:
    """A table's cells that hold no spaces."""
    return [line.split() for line in text.splitlines()]
