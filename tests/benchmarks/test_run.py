"""The benchmark program works, says what it could not measure, and notices a reader of other data."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from pathlib import Path

import pytest

RUN = Path(__file__).with_name("run.py")
# answers every question as the program expects it, with too few pixels: fast by reading something else
LIAR = """\
#!{python}
import json
print(json.dumps({{
    "python": "3.0", "versions": {{"keras": "0", "torchvision": "0", "torch": "0", "pillow": "0"}},
    "value": 0.001, "seen": {{"images": 2500, "pixels": 1, "labels": 11250}},
}}))
"""

needs_scripts = pytest.mark.skipif(os.name != "posix", reason="a script stands for an interpreter")


def test_a_run_on_the_sample(tmp_path):
    done = run(tmp_path, "--dataset", "fashion-mnist-sample", "--repeats", "2", "--only", "m")
    assert done.returncode == 0, done.stderr
    records = [json.loads(line) for line in (tmp_path / "records").read_text(encoding="utf-8").splitlines()]
    figures = {record["figure"]: record for record in records if record["kind"] == "figure"}
    for name in ("import numpy", "import idxhub", "warm", "numpy gather"):
        assert len(figures[name]["samples"]) == 2, figures[name]
        assert figures[name]["median"] > 0
    assert records[0]["kind"] == "machine"
    assert records[0]["versions"]["idxhub"]["numpy"]
    ratios = {record["title"]: record["ratio"] for record in records if record["kind"] == "row"}
    assert ratios["`import idxhub` vs `import numpy`, whole process"] == pytest.approx(
        figures["import idxhub"]["median"] / figures["import numpy"]["median"]
    )
    page = (tmp_path / "page.md").read_text(encoding="utf-8")
    assert "tests/benchmarks/run.py --markdown" in page
    assert str(tmp_path) not in page
    assert str(RUN.parents[2]) not in page


@needs_scripts
def test_a_peer_that_reads_other_data_is_an_error(tmp_path):
    liar = tmp_path / "liar"
    liar.write_text(LIAR.format(python=sys.executable), encoding="utf-8")
    liar.chmod(0o755)
    done = run(
        *(tmp_path, "--dataset", "fashion-mnist-sample", "--repeats", "1", "--only", "keras"),
        *("--peer-python", f"keras={liar}"),
    )
    assert done.returncode == 1
    assert "PROBLEM keras open: ERROR: saw other data: {'images': 2500, 'pixels': 1" in done.stdout


@needs_scripts
def test_a_peer_that_is_not_there_is_named(tmp_path):
    # an interpreter that has nothing: -S leaves the installed packages out
    bare = tmp_path / "bare"
    bare.write_text(f'#!/bin/sh\nexec "{sys.executable}" -S "$@"\n', encoding="utf-8")
    bare.chmod(0o755)
    done = run(
        *(tmp_path, "--dataset", "fashion-mnist-sample", "--repeats", "1", "--only", "open"),
        *("--peer-python", f"keras={bare}", "--peer-python", f"torchvision={bare}"),
    )
    assert done.returncode == 0, done.stderr
    assert "not measured: keras not installed" in done.stdout
    assert "not measured: torchvision, torch, pillow not installed" in done.stdout
    assert "not measured: keras not installed" in (tmp_path / "page.md").read_text(encoding="utf-8")


def test_no_data(tmp_path):
    done = run(tmp_path, "--data-dir", tmp_path)
    assert done.returncode == 2
    assert "--data-dir" in done.stderr


def run(folder: Path, *arguments: object) -> subprocess.CompletedProcess[str]:
    options = (*arguments, "--json", folder / "records", "--markdown", folder / "page.md")
    return subprocess.run(
        [sys.executable, RUN, *map(str, options)], capture_output=True, text=True, timeout=240, check=False
    )
