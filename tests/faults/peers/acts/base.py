"""What every act uses: its result, the reason why it could not be done, and the call before the fault."""

from __future__ import annotations

import contextlib
import os
import shutil
import subprocess
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import NamedTuple

from faults.peers.stage import PARQUET, Attempt, Stage


class Found(NamedTuple):
    """The attempt, what to note of it, and what the row asked for and did not get."""

    attempt: Attempt
    note: str = ""
    unmet: str = ""
    after: Attempt | None = None  # the next call, where the case had to make it itself


class NotApplicableError(Exception):
    """The row says nothing about this loader; the message says why."""


class SetUpError(Exception):
    """The row could not be done; the message says why."""


def flipped(data: bytes) -> bytes:
    middle = len(data) // 2
    return data[:middle] + bytes([data[middle] ^ 1]) + data[middle + 1 :]


def half(data: bytes) -> int:
    return len(data) // 2


def others(stage: Stage, other: str, why_not: str) -> dict[str, bytes]:
    given = dict(stage.truth.others[other])
    if stage.loader.is_parquet and PARQUET not in given:
        raise NotApplicableError(why_not)
    return given


def warm_up(stage: Stage) -> None:
    """A call that goes well, and fills the loader's folder."""
    attempt = stage.call()
    if attempt.kind != "right":
        raise SetUpError(f"the call before the fault: {attempt.kind} {attempt.type} {attempt.message}")


@contextlib.contextmanager
def preloaded(stage: Stage, **faults: str) -> Iterator[Callable[[], bool]]:
    """Have the stage's processes start with faults.c, which says what it can do; tells whether it has done any."""
    compiler, work = shutil.which("cc"), stage.home.parent
    if not compiler:
        raise SetUpError("needs a C compiler")
    library, told = work / "faults.so", work / "faults-done"
    source = Path(__file__).parents[1] / "faults.c"
    subprocess.run([compiler, "-O1", "-shared", "-fPIC", "-o", library, source, "-ldl"], check=True)
    about = {"LD_PRELOAD": str(library), "FAULTS_FOLDER": os.path.realpath(stage.home), "FAULTS_TOLD": str(told)}
    stage.environment = about | faults
    try:
        yield told.exists
    finally:
        stage.environment = {}
