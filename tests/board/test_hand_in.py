"""`idxhub board export` and `check`: results that leave, and results that somebody hands in."""

from __future__ import annotations

import csv
import json
import os
import re
from pathlib import Path

import pytest
from support.board_records import line, record, write
from support.needs import need

need("joblib")
need("scipy")

from idxhub import load  # noqa: E402 -- after the skip where they are absent
from idxhub_board.matrices import load_data  # noqa: E402 -- as above
from idxhub_board.records import encode_predictions  # noqa: E402

SAMPLE = "fashion-mnist-sample"
VERSIONS = {"scikit-learn": "1.9.1", "numpy": "2.4.6", "scipy": "1.17.1"}


@pytest.fixture
def good():
    """A result on the sample, whose predictions are right for all but 50 of 500 examples."""
    labels = load(SAMPLE, "test", download=False).labels
    predicted = labels.copy()
    predicted[:50] = (predicted[:50] + 1) % 10
    return record(
        dataset=SAMPLE,
        digest=load_data(SAMPLE, download=False).digest,
        versions=VERSIONS,
        accuracy=0.9,
        test_examples=500,
        predictions=encode_predictions(predicted),
    )


def test_sound_results(good, board, tmp_path):
    failed = {key: value for key, value in good.items() if key not in ("accuracy", "predictions")}
    results = [good, failed | {"parameters": {"C": 1.0, "kernel": "rbf"}, "status": "timeout"}]
    done = board("check", write(tmp_path / "a", results))
    assert (done.exit_code, done.output) == (0, "2 results, 1 of them with predictions: no problems\n")


@pytest.mark.parametrize(
    ("change", "said"),
    [
        ({"accuracy": 0.95}, "says that the accuracy is 0.95, but its predictions have 0.9"),
        ({"predictions": "AAAA"}, "predictions cannot be decoded"),
        ({"digest": "0" * 64}, "has another digest than fashion-mnist-sample: 0000000000000000, and not"),
        ({"dataset": "fasion-mnist"}, "is of an unknown dataset: unknown dataset 'fasion-mnist'"),
        ({"parameters": {"C": 7.0, "kernel": "rbf"}}, "has an unknown configuration: SVC(C=7,kernel=rbf)"),
        ({"classifier": "Magic"}, "has an unknown configuration: Magic(C=10,kernel=rbf)"),
        ({"seed": 1}, "has seed 1, but the result of SVC depends on none: it must be 0"),
        ({"versions": {"numpy": "2.4.6", "scipy": "1"}}, "has no version of scikit-learn"),
        ({"versions": VERSIONS | {"scipy": "new"}}, "has no version of scipy"),
        ({"accelerated": True}, "has no version of scikit-learn-intelex"),
        ({"backend": "cloud"}, "has 'cloud' as 'backend', which must be loky, ray, dask"),
        ({"preprocessing": "none"}, "has 'none' as 'preprocessing', which must be 'StandardScaler'"),
        ({"test_examples": 10000}, "has 10000 as 'test_examples', which must be 500"),
        ({"status": "fine"}, "has 'fine' as 'status', which must be"),
        ({"format": 2}, "was written by another version"),
        ({"accuracy": "0.9"}, "has '0.9' as 'accuracy', which must be a number from 0 to 1"),
    ],
)
def test_a_result_that_is_not_sound(change, said, good, board, tmp_path):
    done = board("check", write(tmp_path / "a", [good | change]))
    assert done.exit_code == 1
    assert f"line 1 {said}" in done.output or said in done.output
    assert done.output.splitlines()[-1].endswith("problems")


@pytest.mark.parametrize(
    ("content", "said"),
    [
        (lambda good: b"", "there are no results"),
        (lambda good: line(good) * 2, "line 2 is the same result as line 1"),
        (lambda good: line(good) + line(good)[:-50], "line 2 is not a result of idxhub board"),
        (lambda good: line(good) + b"[" * 99999, "line 2 is not a result of idxhub board"),
        (lambda good: b"\xff\xfe\n", "line 1 is not a result of idxhub board"),
    ],
)
def test_a_file_that_is_not_sound(content, said, good, board, tmp_path):
    path = tmp_path / "a"
    path.write_bytes(content(good))
    done = board("check", path)
    assert done.exit_code == 1
    assert said in done.output


def test_json(good, board, tmp_path):
    done = board("check", write(tmp_path / "a", [good]), "--json")
    said = json.loads(done.stdout)
    assert said == {"results": 1, "recomputed": 1, "problems": []}
    page = (Path(__file__).parents[2] / "docs" / "reference" / "json.md").read_text(encoding="utf-8")
    keys = re.findall(r"^\| `(.*?)` \|", page.partition("\n## board check\n")[2].partition("\n## ")[0], re.MULTILINE)
    assert keys == ["results", "recomputed", "problems[]"]


def test_control_characters_in_a_path_do_not_reach_the_terminal(good, board, tmp_path):
    folder = tmp_path / "\x1b[31m"
    folder.mkdir()
    for name, results in (("good", [good]), ("bad", [good | {"accuracy": 0.95}])):
        write(folder / name, results)
    cut = folder / "cut"
    cut.write_bytes(line(good) + line(good)[:-50])
    for arguments in (["check", folder / "bad"], ["export", cut, "-o", folder / "a.csv"]):
        said = board(*arguments).output
        assert "\x1b" not in said
        assert "\ufffd[31m/" in said


@pytest.fixture
def store(tmp_path):
    return write(tmp_path / "a", [record(), record(seed=1, status="failed", error='a "quoted", long\nreason')])


def test_csv(store, board, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    done = board("export", store)
    assert (done.exit_code, done.output) == (0, "wrote results.csv: 2 results\n")
    with open("results.csv", encoding="utf-8", newline="") as file:
        first, second = csv.DictReader(file)
    assert (first["configuration"], first["accuracy"], first["examples"]) == ("SVC(C=10,kernel=rbf)", "0.9", "")
    assert json.loads(first["parameters"]) == {"C": 10.0, "kernel": "rbf"}
    assert (second["status"], second["error"]) == ("failed", 'a "quoted", long\nreason')


def test_parquet_has_the_same_table(store, board, tmp_path):
    parquet = need("pyarrow.parquet")
    for name in ("t.csv", "t.parquet"):
        assert board("export", store, "-o", tmp_path / name).exit_code == 0
    rows = parquet.read_table(tmp_path / "t.parquet").to_pylist()
    with open(tmp_path / "t.csv", encoding="utf-8", newline="") as file:
        table = list(csv.DictReader(file))
    assert [{key: "" if value is None else str(value) for key, value in row.items()} for row in rows] == table
    assert (rows[0]["accuracy"], rows[0]["accelerated"], rows[0]["seed"]) == (0.9, False, 0)


@pytest.mark.parametrize(
    ("arguments", "said"),
    [
        (["-o", "a.cvs"], "unknown table file ending '.cvs'; did you mean '.csv'?"),
        (["-o", "no/a.csv"], "there is no folder no for a.csv: make it first"),
        (["-o", "old.csv"], "old.csv exists: name another file, or replace it with --force"),
    ],
)
def test_what_cannot_be_exported(arguments, said, store, board, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    Path("old.csv").write_text("mine")
    done = board("export", store, *arguments)
    assert done.exit_code == 2
    assert said in done.stderr
    assert Path("old.csv").read_text() == "mine"
    assert "a.csv" not in os.listdir()
