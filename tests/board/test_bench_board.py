"""`tools/bench_board.py` measures both ways, and their accuracies are the same."""

from __future__ import annotations

import re
import subprocess
import sys
from pathlib import Path

from support.needs import need

need("sklearn")
need("joblib")
need("psutil")

TOOL = Path(__file__).parents[2] / "tools" / "bench_board.py"


def test_it_measures_both_ways(tmp_path):
    chosen = ["--only", "GaussianNB", "--only", "ExtraTree*(*gini,max_depth=10,splitter=best)"]
    command = [sys.executable, TOOL, "--dataset", "fashion-mnist-sample", "--subset", "smoke", *chosen]
    done = subprocess.run(command, cwd=tmp_path, capture_output=True, text=True, check=False, timeout=280)
    assert done.returncode == 0, done.stderr
    rows = re.findall(
        r"^\| `smoke`, 2 configurations \| (\w+) \| (\d) \| ([\d.]+) \| (\d+) \|$", done.stdout, re.MULTILINE
    )
    assert [row[:2] for row in rows] == [("idxhub", "1"), ("pool", "1"), ("idxhub", "2"), ("pool", "2")]
    assert all(float(seconds) > 0 and int(megabytes) > 20 for *_, seconds, megabytes in rows)
    assert "smoke: 2 of 2 accuracies are the same in both ways" in done.stdout
    assert re.search(r"^store: \d+\.\d\d ms for each of 645 results", done.stdout, re.MULTILINE), done.stdout
    assert list(tmp_path.iterdir()) == []
