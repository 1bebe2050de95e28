"""`idxhub board compare`: means beside the published accuracies, verdicts by tolerance, and McNemar's test."""

from __future__ import annotations

import json
import re
from pathlib import Path

import numpy as np
import pytest
from support.board_records import record, write
from support.needs import need

need("joblib")
need("scipy")

from scipy.stats import binom  # noqa: E402 -- after the skip where it is absent

from idxhub import load  # noqa: E402 -- as above
from idxhub_board.configurations import Configuration, configurations, select  # noqa: E402
from idxhub_board.matrices import load_data  # noqa: E402
from idxhub_board.pairs import mcnemar  # noqa: E402
from idxhub_board.records import encode_predictions  # noqa: E402
from idxhub_board.summary import summarise, tolerance  # noqa: E402

SAMPLE = "fashion-mnist-sample"
RBF = "SVC(C=10,kernel=rbf)"


@pytest.mark.parametrize(
    ("classifier", "accuracy", "within"),
    [
        (RBF, 0.897, True),
        (RBF, 0.9020, True),
        (RBF, 0.9035, False),
        (RBF, 0.8910, False),
        ("DecisionTreeClassifier(criterion=gini,max_depth=10,splitter=best)", 0.797, True),
        ("DecisionTreeClassifier(criterion=gini,max_depth=10,splitter=best)", 0.800, False),
        ("Perceptron(penalty=l1)", 0.730, True),
        ("Perceptron(penalty=l1)", 0.700, False),
        ("MLPClassifier(activation=relu,hidden_layer_sizes=(10))", 0.857, True),
        ("MLPClassifier(activation=relu,hidden_layer_sizes=(10))", 0.860, False),
        ("LinearSVC(C=100,loss=hinge,multi_class=crammer_singer,penalty=l2)", 0.56, True),  # published 0.496 +- 0.069
        (
            "GradientBoostingClassifier(loss=deviance,max_depth=50,n_estimators=50)",
            0.9,
            None,
        ),  # published for MNIST only
    ],
)
def test_a_verdict(classifier, accuracy, within):
    (configuration,) = select(classifier)
    (row,) = summarise([record(configuration.classifier, configuration.parameters, accuracy=accuracy)])
    assert row.is_within is within


def test_every_configuration_has_a_tolerance():
    assert {tolerance(each) for each in configurations()} >= {0.005, 0.01, 0.06}


def test_the_seeds_of_a_configuration_are_one_row():
    results = [record(seed=seed, accuracy=accuracy) for seed, accuracy in enumerate((0.89, 0.90, 0.91))]
    results += [record(seed=0, backend="ray", accuracy=0.5), record(seed=5, status="failed")]
    (row,) = summarise(results)
    assert (list(row.accuracies), row.mean, row.deviation) == ([0, 1, 2], pytest.approx(0.9), pytest.approx(0.01))
    assert (row.published, row.difference, row.mean_seconds) == (0.897, pytest.approx(0.003), 12)


@pytest.mark.parametrize(
    "change", [{"accelerated": True}, {"versions": {"scikit-learn": "2"}}, {"digest": "1" * 64}, {"dataset": "mnist"}]
)
def test_what_is_never_mixed(change):
    if "dataset" in change:
        change["digest"] = "2" * 64
    assert len(summarise([record(), record(seed=1, **change)])) == 2


def test_the_table(board, tmp_path):
    stores = [
        write(
            tmp_path / "a",
            [record(accuracy=0.9), record(seed=1, accuracy=0.898), record(examples=1000, digest="1" * 64)],
        ),
        write(tmp_path / "b", [record("Perceptron", {"penalty": "l1"}, accuracy=0.6)]),
    ]
    done = board("compare", *stores)
    assert done.exit_code == 0
    lines = [re.sub(" +", " ", line) for line in done.output.splitlines()]
    assert f"{RBF} 0.897 0.8990 0.0014 2 +0.0020 within 0.005" in lines
    assert "Perceptron(penalty=l1) 0.782 0.6000 1 -0.1820 differs by more than 0.06" in lines
    assert "1 of 2 within the tolerance; 127 of 129 were not run" in lines
    assert "fashion-mnist, 1,000 examples (scikit-learn 1.9.1)" in lines
    assert lines[-2] == "not compared: nothing was published for these examples"


def test_json(board, tmp_path):
    done = board("compare", write(tmp_path / "a", [record()]), "--json", "--only", "svc")
    (row,) = json.loads(done.stdout)
    page = (Path(__file__).parents[2] / "docs" / "reference" / "json.md").read_text(encoding="utf-8")
    keys = re.findall(r"`\[\]\.(.*?)`", page.partition("\n## board compare\n")[2].partition("\n## ")[0])
    assert keys == list(row)
    assert json.loads(board("compare", tmp_path / "a", "--json", "--only", "GaussianNB").stdout) == []


@pytest.mark.parametrize(
    ("only_first", "only_second", "p"),
    [(0, 0, 1.0), (5, 5, 1.0), (10, 0, 2 * 0.5**10), (30, 10, 2 * binom.cdf(10, 40, 0.5))],
)
def test_mcnemar(only_first, only_second, p):
    first = np.array([True] * only_first + [False] * only_second + [True] * 7)
    second = np.array([False] * only_first + [True] * only_second + [True] * 7)
    found = mcnemar(first, second)
    assert found[1:] == (only_first, only_second, pytest.approx(p))


@pytest.fixture
def two(tmp_path):
    """A store of two results, of which one is correct everywhere and one is wrong for the first 100 examples."""
    labels = load(SAMPLE, "test", download=False).labels
    wrong = labels.copy()
    wrong[:100] = (wrong[:100] + 1) % 10
    same = {"dataset": SAMPLE, "digest": load_data(SAMPLE, download=False).digest}
    linear = {"C": 1.0, "kernel": "linear"}
    results = [
        record(**same, accuracy=1.0, predictions=encode_predictions(labels)),
        record(parameters=linear, **same, accuracy=0.8, predictions=encode_predictions(wrong)),
    ]
    return write(tmp_path / "a", results)


def test_a_pair(two, board):
    done = board("compare", two, "--pair", RBF, "svc(c=1,kernel=linear)", "--offline")
    assert done.exit_code == 0, done.output
    assert done.output.splitlines() == [
        f"{RBF}: accuracy 1.0000; it alone is right on 100 examples",
        "SVC(C=1,kernel=linear): accuracy 0.8000; it alone is right on 0 examples",
        "McNemar's exact test: p = 1.58e-30",
    ]
    said = json.loads(board("compare", two, "--pair", RBF, "SVC(C=1,kernel=linear)", "--json").stdout)
    assert (said["only_first"], said["only_second"]) == (100, 0)


@pytest.mark.parametrize(
    ("arguments", "said"),
    [
        (["--pair", RBF, "SVC"], "ambiguous configuration 'SVC'"),
        (["--pair", RBF, "SVX(C=1)"], "unknown classifier 'SVX'; did you mean 'SVC'?"),
        (["--pair", RBF, "Perceptron(penalty=l1)"], "no predictions of Perceptron(penalty=l1) on the same dataset"),
        (["--only", "SCV"], "did you mean 'SVC'?"),
    ],
)
def test_what_cannot_be_compared(arguments, said, two, board):
    done = board("compare", two, *arguments)
    assert done.exit_code == 2
    assert said in " ".join(done.stderr.split())


@pytest.mark.parametrize("change", [{"digest": "1" * 64}, {"predictions": "AAAA"}])
def test_predictions_that_do_not_fit_the_dataset(change, board, tmp_path, two):
    (good, bad) = (json.loads(each) for each in two.read_bytes().splitlines())
    path = write(tmp_path / "b", [good | change, bad | change])
    done = board("compare", path, "--pair", RBF, "SVC(C=1,kernel=linear)")
    assert done.exit_code == 2
    assert "of a result is" in done.stderr


def test_a_store_with_a_bad_line_is_compared_as_far_as_it_is_sound(board, tmp_path):
    path = write(tmp_path / "a", [record()])
    path.write_bytes(path.read_bytes() + b'{"format"')
    done = board("compare", path)
    assert done.exit_code == 0
    assert done.stderr == f"Warning: {path}: line 2 is cut off\n"
    assert Configuration.of("SVC", record()["parameters"]).name in done.output


def test_that_there_is_nothing_to_compare_is_said(board, tmp_path):
    done = board("compare", write(tmp_path / "a", [record(status="failed")]))
    assert (done.exit_code, done.stdout) == (0, "")
    assert done.stderr == "Warning: there are no results to compare\n"
