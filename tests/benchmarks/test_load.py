"""`idxhub bench load` measures, says what it could not measure, and keeps what it has."""

from __future__ import annotations

import json
import os
import sys
from dataclasses import replace
from typing import Any

import pytest
from click.testing import CliRunner, Result
from support.processes import python

import idxhub_bench
from idxhub_bench.load import memory, rows
from idxhub_bench.load.jobs import FIGURES, jobs
from idxhub_bench.load.rows import BY_NAME, FLOOR, ROWS

SMALL = ("--dataset", "fashion-mnist-sample", "--repeats", "2", "--batch-size", "128")
needs_scripts = pytest.mark.skipif(os.name != "posix", reason="a script stands for an interpreter")
needs_linux = pytest.mark.skipif(not memory.available(), reason="memory is counted by Linux's /proc")


def run(raw: Any, *arguments: object) -> Result:
    from idxhub_bench.command import bench  # noqa: PLC0415 -- without click's command line what is tested here is nothing

    return CliRunner().invoke(bench, ["load", str(raw), *map(str, arguments)], catch_exceptions=False)


def records(raw: Any) -> list[dict[str, Any]]:
    return [json.loads(line) for line in raw.read_text(encoding="utf-8").splitlines()]


def samples(raw: Any) -> dict[tuple[Any, ...], list[float]]:
    found: dict[tuple[Any, ...], list[float]] = {}
    for record in records(raw):
        if record["kind"] == "sample":
            key = tuple(record.get(name) for name in ("row", "figure", "dtype"))
            found.setdefault(key, []).append(record["value"])
    return found


def test_numpy_on_the_sample(tmp_path):
    raw = tmp_path / "raw.jsonl"
    done = run(raw, *SMALL, "--row", "NumPy", "--row", "idxhub numpy")
    assert done.exit_code == 0, done.output
    found = samples(raw)
    for key in [
        *((FLOOR, figure, None) for figure in ("import", "cold", "warm", "warm, later", "first batch")),
        *((row, "rate", dtype) for row in (FLOOR, "idxhub numpy get_loader") for dtype in ("uint8", "float32")),
        *((row, "cpu", dtype) for row in (FLOOR, "idxhub numpy get_loader") for dtype in ("uint8", "float32")),
        ("idxhub numpy", "cold, no fsync", None),
        ("python", "import", None),
    ]:
        assert len(found[key]) == 2, key
        assert min(found[key]) > 0, key
    head, *rest = records(raw)
    assert (head["kind"], head["bench"]) == ("run", "load")
    assert head["payload"] == 2000 * 785
    assert head["machine"]["cores"] >= 1
    rounds = [record for record in rest if record["kind"] == "round"]
    assert [record["round"] for record in rounds] == [0, 1, 2]
    (row,) = (record for record in rest if record["kind"] == "row" and record["row"] == "idxhub numpy")
    assert row["versions"]["numpy"]
    text = raw.read_text(encoding="utf-8")
    assert str(tmp_path) not in text
    assert sys.prefix not in text


@needs_linux
def test_memory_of_an_opened_dataset_stays_below_the_data(tmp_path):
    raw = tmp_path / "raw.jsonl"
    assert run(raw, *SMALL, "--row", "idxhub numpy", "--figure", "peak", "--figure", "pss").exit_code == 0
    (opened,) = {min(values) for key, values in samples(raw).items() if key[:2] == ("idxhub numpy", "opened")}
    assert opened < 2000 * 785


@pytest.mark.parametrize(("otherwise", "status"), [("import json", 0), ("", 1), ("import nor_this", 1)])
def test_what_does_not_import_as_usual_is_imported_otherwise(otherwise, status, tmp_path, monkeypatch):
    row = replace(BY_NAME["idxhub numpy"], imports="import nothing_of_the_sort", otherwise=otherwise)
    monkeypatch.setattr(rows, "ROWS", (row,))
    raw = tmp_path / "raw.jsonl"
    done = run(raw, *SMALL, "--figure", "import", "--repeats", "1")
    assert done.exit_code == status, done.output
    if status:
        assert f"import n{'or_this' if otherwise else 'othing_of_the_sort'}: ModuleNotFoundError" in done.output
    else:
        assert len(samples(raw)["idxhub numpy", "import", None]) == 1


def test_a_run_that_is_there_is_not_overwritten_and_can_be_added_to(tmp_path):
    raw = tmp_path / "raw.jsonl"
    chosen = (*SMALL, "--row", FLOOR, "--figure", "import", "--repeats", "1")
    assert run(raw, *chosen).exit_code == 0
    before = raw.read_bytes()
    refused = run(raw, *chosen)
    assert refused.exit_code == 2
    assert "--append" in refused.output
    assert raw.read_bytes() == before
    assert run(raw, *chosen, "--append").exit_code == 0
    assert raw.read_bytes().startswith(before)
    assert len(samples(raw)[FLOOR, "import", None]) == 2


@pytest.mark.parametrize(
    ("arguments", "said"),
    [
        (
            ("--row", "nothing"),
            "no row has a word that begins with nothing. The rows are:\n  NumPy X[permutation]\n  idxhub numpy\n",
        ),
        (("--env", "nothing=/bin/sh"), "NAME one of"),
        (("--env", "torch=/does/not/exist"), "cannot be run"),
        (("--figure", "nothing"), "'rate'"),
        (("--data-dir", "{tmp_path}"), "--data-dir"),
    ],
)
def test_wrong_usage(arguments, said, tmp_path):
    raw = tmp_path / "raw.jsonl"
    done = run(raw, *(each.format(tmp_path=tmp_path) for each in arguments))
    assert done.exit_code == 2
    assert said in done.output
    assert not raw.exists()


# answers every question as the runner expects it, with too few pixels: fast by reading something else
LIAR = """\
#!{python}
import json, pathlib, sys
answer = {{
    "versions": {{"python": "3.0", "keras": "0", "tensorflow": "0", "numpy": "0"}},
    "readings": [{{"figure": "cold", "value": 0.001}}], "threads": {{}},
    "split": "all", "sums": {{"images": 2500, "pixels": 1, "labels": 11250}},
}}
if "-m" in sys.argv:
    pathlib.Path(sys.argv[-1]).write_text(json.dumps(answer))
"""


@needs_scripts
def test_a_peer_that_reads_other_data_is_an_error_and_the_others_are_measured(tmp_path):
    liar = tmp_path / "liar"
    liar.write_text(LIAR.format(python=sys.executable), encoding="utf-8")
    liar.chmod(0o755)
    raw = tmp_path / "raw.jsonl"
    done = run(raw, *SMALL, "--row", "batch then map", "--row", FLOOR, "--figure", "cold", "--env", f"keras={liar}")
    assert done.exit_code == 1
    assert "what it opened has {'images': 2500, 'pixels': 1" in done.output
    (failure,) = (record for record in records(raw) if record["kind"] == "failure")
    assert failure["cheat"]
    assert list(samples(raw)) == [(FLOOR, "cold", None)]


@needs_scripts
def test_a_peer_that_is_not_there_is_named(tmp_path):
    # an interpreter that has nothing: -S leaves the installed packages out
    bare = tmp_path / "bare"
    bare.write_text(f'#!/bin/sh\nexec "{sys.executable}" -S "$@"\n', encoding="utf-8")
    bare.chmod(0o755)
    raw = tmp_path / "raw.jsonl"
    chosen = ("--row", "torchvision", "--row", FLOOR, "--figure", "cold", "--repeats", "1")
    done = run(raw, *SMALL, *chosen, "--env", f"torchvision={bare}")
    assert done.exit_code == 0, done.output
    (missing,) = (record for record in records(raw) if record["kind"] == "missing")
    assert missing == {"kind": "missing", "row": "torchvision", "why": "torch, torchvision, pillow not installed"}
    assert (FLOOR, "cold", None) in samples(raw)


def test_every_row_is_measured_in_each_dtype_and_size_and_has_a_peer_that_is_there():
    for row in ROWS:
        assert set(row.peers) <= set(BY_NAME)
        found = jobs([row], tuple(FIGURES), (32, 128, 512))
        epochs = [job.arguments for job in found if job.measure == "epochs" and not job.arguments["workers"]]
        assert [each["dtypes"] for each in epochs] == [list(row.dtypes)] * row.reads
        assert all(each["sizes"] == ([128] if row.one_size else [32, 128, 512]) for each in epochs)
        imports = {job.row.imports for other in ROWS for job in jobs([other], ("import",), (128,))}
        assert row.imports in imports


def test_what_a_measured_process_imports_needs_python_and_numpy_alone(tmp_path):
    folder = os.path.dirname(os.path.dirname(idxhub_bench.__file__))
    (tmp_path / "idxhub_bench").symlink_to(os.path.join(folder, "idxhub_bench"))
    loaded = python(
        """
        import sys
        sys.path.insert(0, sys.argv[1])
        import idxhub_bench.load.child, idxhub_bench.load.contenders.numpy
        print(*{name.partition(".")[0] for name in sys.modules})
        """,
        tmp_path,
    ).stdout.split()
    assert not {"idxhub", "click", "torch", "requests"} & set(loaded)
