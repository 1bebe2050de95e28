"""Measured processes: the answer is what the module has written, whatever else is printed."""

from __future__ import annotations

import sys
import textwrap
from pathlib import Path

import pytest

from idxhub_bench import processes

MODULE = """
    import os, sys
    from idxhub_bench import processes

    print("before")
    processes.answer({"doubled": 2 * processes.question()["number"]})
    print("after", flush=True)
    os.write(1, b"from a library in C\\n")
"""


@pytest.fixture
def environment(tmp_path: Path) -> dict[str, str]:
    (tmp_path / "chatty.py").write_text(textwrap.dedent(MODULE), encoding="utf-8")
    return processes.environment(tmp_path, str(tmp_path))


def test_what_a_framework_prints_is_not_the_answer(environment):
    assert processes.ask(sys.executable, "chatty", {"number": 21}, environment) == {"doubled": 42}
