"""`--accelerate`: estimators of scikit-learn-intelex, whose results are kept apart."""

from __future__ import annotations

import json

import pytest
from support.needs import need, need_elsewhere

need("sklearn")
need("joblib")

from idxhub import load  # noqa: E402 -- after the skip where they are absent
from idxhub_board import run_command, workers  # noqa: E402 -- as above
from idxhub_board.configurations import select  # noqa: E402
from idxhub_board.fitting import Job  # noqa: E402
from idxhub_board.matrices import DataReference, load_data  # noqa: E402

SAMPLE = "fashion-mnist-sample"


def test_accelerated_results_are_marked_and_nearly_the_same(board, tmp_path):
    need_elsewhere("sklearnex")
    load(SAMPLE)
    path = tmp_path / "a"
    arguments = ["run", path, "--dataset", SAMPLE, "--only", "SVC(C=10,kernel=rbf)", "--jobs", 1]
    plain = board(*arguments)
    fast = board(*arguments, "--accelerate")
    assert (plain.exit_code, fast.exit_code) == (0, 0), fast.output
    first, second = (json.loads(each) for each in path.read_bytes().splitlines())
    assert (first["accelerated"], second["accelerated"]) == (False, True)
    assert "scikit-learn-intelex" in second["versions"]
    assert "scikit-learn-intelex" not in first["versions"]
    assert second["accuracy"] == pytest.approx(first["accuracy"], abs=0.01)
    workers._local.child.stop()


def test_a_plain_job_does_not_run_in_an_accelerated_process():
    need_elsewhere("sklearnex")
    reference = DataReference(SAMPLE, None, load_data(SAMPLE, download=False).digest)
    (configuration,) = select("GaussianNB")
    pids = []
    for accelerated in (True, False):
        workers.run_job(Job(configuration, 0, reference, accelerated=accelerated).as_json(), None, 1)
        pids.append(workers._local.child._process.pid)
    assert len(set(pids)) == 2
    workers._local.child.stop()


def test_without_the_package_the_error_says_how_to_install_it(board, tmp_path, monkeypatch):
    monkeypatch.setattr(run_command, "find_spec", lambda name: None if name == "sklearnex" else object())
    done = board("run", tmp_path / "a", "--accelerate")
    assert done.exit_code == 1
    assert "pip install scikit-learn-intelex" in done.stderr
