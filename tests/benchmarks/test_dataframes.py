"""The measurement of data frames: each row is built, and its answers are NumPy's."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import pytest
from support.needs import need_elsewhere

for module in ("duckdb", "pandas", "polars", "pyarrow"):
    need_elsewhere(module)

SCRIPT = Path(__file__).with_name("dataframes.py")
COLUMNS = 5


@pytest.mark.skipif(sys.platform != "linux", reason="reads the process's memory from /proc")
def test_every_row_is_measured() -> None:
    command = [sys.executable, SCRIPT, "--dataset", "fashion-mnist-sample"]
    done = subprocess.run(command, capture_output=True, text=True, check=False, timeout=300)
    assert done.returncode == 0, done.stderr
    rows = [line.strip("| ").split(" | ") for line in done.stdout.splitlines()]
    assert {len(row) for row in rows} == {COLUMNS}
    assert len(rows) == 2 + 8
    page = Path(__file__).parents[2] / "docs" / "how-to" / "dataframes.md"
    shown = [
        line.strip("| ").split(" | ")[0] for line in page.read_text(encoding="utf-8").splitlines() if "ms |" in line
    ]
    assert shown == [row[0] for row in rows[2:]]
