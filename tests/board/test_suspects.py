"""`idxhub board suspects`: labels that were changed on purpose are found."""

from __future__ import annotations

import csv
import dataclasses
import hashlib
import io
import json
import os
from importlib.metadata import version
from pathlib import Path

import numpy as np
import pytest
from support import made
from support.needs import need

need("sklearn")
need("joblib")
need("cleanlab")
need("PIL.Image")

from PIL import Image  # noqa: E402 -- after the skip where they are absent

from idxhub import errors, load  # noqa: E402 -- as above
from idxhub_board.configurations import select  # noqa: E402
from idxhub_board.sheet import contact_sheet  # noqa: E402
from idxhub_board.suspects import find_issues, out_of_fold, rank  # noqa: E402

SAMPLE = "fashion-mnist-sample"
FOREST = "RandomForestClassifier(criterion=gini,max_depth=50,n_estimators=100)"
MODELS = ["RandomForestClassifier(criterion=gini,max_depth=10,n_estimators=10)", "GaussianNB"]
FAST = [part for model in MODELS for part in ("--model", model)]


def test_changed_labels_are_the_first_suspects():
    split = load(SAMPLE, "train[:1000]+test[:200]", download=False)
    labels = split.labels.copy()
    trousers = np.flatnonzero(labels == 1)[:10]  # which are mistaken for ankle boots by nobody
    labels[trousers] = 9
    wrong = dataclasses.replace(split, labels=labels)
    models = [each for model in (FOREST,) for each in select(model)]
    probabilities = out_of_fold(wrong, models, 4, 0)
    found = rank(wrong, probabilities, find_issues(wrong, probabilities), 50)
    # by chance, 50 of 1,200 examples would have fewer than one of them
    assert len({each.index for each in found if each.split == "train"} & set(trousers.tolist())) >= 6
    first = next(each for each in found if each.index in trousers and each.label == 9)
    assert (first.predicted[FOREST][0], first.flagged_by) == (1, 1)
    order = [(-each.flagged_by, each.quality) for each in found]
    assert order == sorted(order)
    with Image.open(io.BytesIO(contact_sheet(wrong, found))) as sheet:
        assert sheet.size == (8 * 128, 28 + 7 * 170)


def test_the_command_writes_a_table_and_a_sheet(board, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    arguments = ["suspects", SAMPLE, "--split", "train[:500]+test[400:]", "--folds", 3, "--count", 20, *FAST]
    done = board(*arguments)
    assert done.exit_code == 0, done.output
    names = [f"{SAMPLE}-suspects.{ending}" for ending in ("csv", "png", "json")]
    assert done.stdout == f"wrote {names[0]}, {names[1]} and {names[2]}: 20 suspects of 600 examples\n"
    assert sorted(os.listdir()) == sorted(names)
    with open(f"{SAMPLE}-suspects.csv", encoding="utf-8", newline="") as file:
        rows = list(csv.DictReader(file))
    assert len(rows) == 20
    for row in rows:
        split = load(SAMPLE, row["split"], download=False)
        at = int(row["index"])
        assert row["sha256"] == hashlib.sha256(split.images[at].tobytes()).hexdigest()
        assert int(row["label"]) == split.labels[at]
        assert row["class"] == split.classes[split.labels[at]]
    assert {row["split"] for row in rows} <= {"train", "test"}
    how = json.loads(Path(names[2]).read_text(encoding="utf-8"))
    assert (how["dataset"], how["folds"], how["seed"]) == (SAMPLE, 3, 0)
    assert how["ranges"] == [["train", 0, 500], ["test", 400, 500]]
    assert list(how["models"]) == list(rows[0])[7:] == [each.name for model in MODELS for each in select(model)]
    assert all(0.5 < each["accuracy"] < 0.9 and 0 < each["flagged"] < 600 for each in how["models"].values())
    assert 0 < how["flagged_by_all"] <= min(each["flagged"] for each in how["models"].values())
    assert how["versions"]["cleanlab"] == version("cleanlab")
    before = {name: Path(name).read_bytes() for name in os.listdir()}
    assert board(*arguments, "--force").exit_code == 0
    assert {name: Path(name).read_bytes() for name in os.listdir()} == before


@pytest.mark.parametrize(
    ("arguments", "said"),
    [
        (["-o", "a.txt"], "unknown table file ending '.txt'"),
        (["-o", "no/a.csv"], "there is no folder no for a.csv: make it first"),
        (["--model", "SCV"], "did you mean 'SVC'?"),
        (["--model", "Perceptron(penalty=l1)"], "it must be one that gives probabilities"),
        (["--folds", "300"], "folds is 300; it must be at most the number of examples of the smallest class"),
        (["--split", "trian"], "did you mean 'train'?"),
        (["--split", "train[:0]"], "folds is 5; it must be at most the number of examples of the smallest class"),
    ],
)
def test_what_is_wrong(arguments, said, board, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    done = board("suspects", SAMPLE, *arguments)
    assert done.exit_code == 2
    assert said in done.stderr
    assert os.listdir() == []


def test_a_part_of_a_split_has_the_positions_of_the_split():
    split = load(SAMPLE, "test[100:400]", download=False)
    probabilities = {"a": np.eye(10)[(split.labels + 1) % 10] * 0.9 + 0.01}
    found = rank(split, probabilities, find_issues(split, probabilities), 5)
    assert all(split.labels[each.index - 100] == each.label for each in found)


@pytest.mark.parametrize("arguments", [{"classes": ()}, {"shape": (4,)}], ids=str)
def test_what_no_table_can_show_is_refused_before_anything_is_fitted(arguments, tmp_path):
    toy = made.make(tmp_path, **arguments)
    with pytest.raises(errors.ArgumentError, match=r"one of images, .*, whose classes have names"):
        out_of_fold(load(toy.spec, data_dir=tmp_path), [], 2, 0)


def test_a_model_without_probabilities_is_refused():
    split = load(SAMPLE, "test[:50]", download=False)
    with pytest.raises(errors.ArgumentError):
        out_of_fold(split, select("LinearSVC")[:1], 2, 0)
