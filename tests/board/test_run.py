"""`idxhub board run`: the results are scikit-learn's, no job stops the others, and what is done is not repeated."""

from __future__ import annotations

import contextlib
import errno
import json
import os
import signal
import subprocess
import sys
import threading
import time
from collections.abc import Iterator
from dataclasses import replace
from functools import partial
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from support.needs import need

need("sklearn")
need("joblib")
psutil = need("psutil")

from sklearn.preprocessing import StandardScaler  # noqa: E402 -- after the skip where it is absent
from sklearn.tree import ExtraTreeClassifier  # noqa: E402 -- as above

from idxhub import errors, load  # noqa: E402
from idxhub_board import backends, child, matrices, records, run_command, runner, workers  # noqa: E402
from idxhub_board.configurations import Configuration, configurations, select  # noqa: E402
from idxhub_board.fitting import Job  # noqa: E402
from idxhub_board.matrices import DataReference, load_data  # noqa: E402
from idxhub_board.published import expected_seconds  # noqa: E402
from idxhub_board.store import Store  # noqa: E402

SAMPLE = "fashion-mnist-sample"
ARGUMENTS = [
    "--dataset",
    SAMPLE,
    "--only",
    "ExtraTreeClassifier",
    "--only",
    "GaussianNB",
    "--jobs",
    "2",
    "--repeats",
    "2",
]
INTERRUPTED = [*ARGUMENTS[:-1], "4"]  # enough that it does not end before the signal comes
FEW = ["--dataset", SAMPLE, "--only", "ExtraTreeClassifier(*max_depth=10,splitter=best)", "--jobs", "1"]


@pytest.fixture(scope="module", autouse=True)
def _no_child_stays() -> Iterator[None]:
    yield
    if hasattr(workers._local, "child"):
        workers._local.child.stop()


def results(path: Path) -> list[dict[str, Any]]:
    return [json.loads(each) for each in path.read_bytes().splitlines()]


def job(configuration: Configuration, **fields: Any) -> Job:
    return Job(configuration, 0, DataReference(SAMPLE, None, load_data(SAMPLE).digest), **fields)


def started(*arguments: object) -> subprocess.Popen[str]:
    command = [sys.executable, "-m", "idxhub", "board", "run", *map(str, arguments)]
    default = partial(signal.signal, signal.SIGINT, signal.SIG_DFL)  # a shell in the background has it ignored
    pipes: dict[str, Any] = {"stdout": subprocess.PIPE, "stderr": subprocess.PIPE, "text": True}
    return subprocess.Popen(command, preexec_fn=default, **pipes)  # noqa: PLW1509 -- tests run in one thread


def wait_for(path: Path, lines: int) -> None:
    end = time.monotonic() + 60
    while not path.exists() or len(path.read_bytes().splitlines()) < lines:
        assert time.monotonic() < end, "no results"
        time.sleep(0.02)


def test_the_results_are_those_of_scikit_learn(board, tmp_path):
    path = tmp_path / "a.jsonl"
    done = board("run", path, *FEW, "--repeats", 2)
    assert (done.exit_code, done.output) == (0, f"{path}: 4 done; 0 already in the store\n")
    train, test = load(SAMPLE, "train[:1000]"), load(SAMPLE, "test")
    flat = [each.images.reshape(len(each.images), -1) for each in (train, test)]
    scaler = StandardScaler().fit(flat[0])
    for found in results(path):
        tree = ExtraTreeClassifier(**found["parameters"], random_state=found["seed"])
        tree.fit(scaler.transform(flat[0]), train.labels)
        predicted = tree.predict(scaler.transform(flat[1]))
        assert found["accuracy"] == pytest.approx((predicted == test.labels).mean(), abs=1e-12)
        assert found["status"] == "done"
        if found["seed"] == 0:
            assert (records.decode_predictions(found["predictions"], 500) == predicted).all()
        else:
            assert found["predictions"] is None
    again = board("run", path, *FEW, "--repeats", 2)
    assert (again.exit_code, again.output) == (0, f"{path}: nothing to do; 4 already in the store\n")
    assert len(results(path)) == 4


def test_json_says_what_was_done(board, tmp_path):
    done = board("run", tmp_path / "a", "--dataset", SAMPLE, "--only", "GaussianNB", "--json")
    assert json.loads(done.stdout) == {"store": str(tmp_path / "a"), "present": 0, "added": {"done": 1}, "lost": []}
    assert [each["seed"] for each in results(tmp_path / "a")] == [0]  # which has no seed


def test_the_choices_are_in_the_help(board):
    assert (*runner.TIERS,) == run_command.TIERS
    assert (*backends.BACKENDS,) == run_command.BACKENDS
    said = board("run", "--help").output
    assert "--tier [smoke|fast|full|today|deep]" in said
    assert "--backend [loky|ray|dask]" in said


@pytest.mark.parametrize(
    ("arguments", "said"),
    [
        (
            ["a", "--tier", "smok"],
            "unknown tier 'smok'; did you mean 'smoke'? Choices: smoke, fast, full, today, deep.",
        ),
        (["a", "--backend", "rai"], "unknown backend 'rai'; did you mean 'ray'? Choices: loky, ray, dask."),
        (["a", "--only", "SCV"], "unknown classifier 'SCV'; did you mean 'SVC'?"),
        (["a", "--dataset", "fasion-mnist"], "did you mean 'fashion-mnist'?"),
        (["a", "--repeats", "0"], "0 is not in the range x>=1"),
        (["a", "--timeout", "0"], "0.0 is not in the range x>0"),
        (["a", "--timeout", "nan"], "nan is no number of seconds"),
        (["a", "--tier", "fast", "--only", "gradient*max_depth=50*"], "the tier 'fast' leaves out all configurations"),
        (["no/a"], "there is no folder no for a: make it first"),
        (["."], "is a folder: name a file"),
        (["a", "--address", "tcp://x", "--dataset", SAMPLE], "it must be left out for loky"),
    ],
)
def test_what_is_wrong_is_said_before_anything_runs(arguments, said, board, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    done = board("run", *arguments)
    assert done.exit_code == 2
    assert said in done.stderr
    assert os.listdir() == []


def test_an_unknown_subcommand(board):
    done = board("runn")
    assert done.exit_code == 2
    assert "did you mean 'run'?" in done.stderr


def test_the_names_are_listed(board):
    done = board("run", "-", "--list", "--only", "svc")
    assert done.output.splitlines() == [each.name for each in configurations() if each.classifier == "SVC"]


@pytest.mark.parametrize(
    ("configuration", "timeout", "status", "error"),
    [
        (Configuration.of("SVC", {"C": -1.0, "kernel": "rbf"}), None, "failed", "InvalidParameterError"),
        (select("gradient*=50,n_estimators=100)")[0], 1.0, "timeout", "stopped after 1 seconds"),
        (select("gradient*=50,n_estimators=100)")[0], None, "killed", "ended by signal 9; the system does this"),
    ],
)
def test_a_job_that_goes_wrong_is_recorded_and_the_next_one_runs(configuration, timeout, status, error):
    if status == "killed":
        threading.Thread(target=_kill_the_child, daemon=True).start()
    record = workers.run_job(job(configuration).as_json(), timeout, 1)
    assert record["status"] == status
    assert error in record["error"]
    assert records.problem(record) is None
    well = workers.run_job(job(select("GaussianNB")[0]).as_json(), None, 1)
    assert well["status"] == "done"


def _kill_the_child() -> None:
    """Kill it when it has worked for a second."""
    before: dict[int, float] = {}
    end = time.monotonic() + 50
    while time.monotonic() < end:
        for each in psutil.Process().children():
            with contextlib.suppress(psutil.NoSuchProcess):
                used = each.cpu_times().user
                if "idxhub_board.child" in each.cmdline() and used > before.setdefault(each.pid, used) + 1:
                    each.kill()
                    return
        time.sleep(0.05)


def test_a_job_that_needs_too_much_memory(monkeypatch):
    def greedy(_job: object) -> None:
        np.empty(1 << 50, np.uint8)

    monkeypatch.setattr(child, "fit", greedy)
    answer = child._answer(job(select("GaussianNB")[0]).as_json())
    assert answer["status"] == "out of memory"
    assert "Unable to allocate" in answer["error"]


def test_a_worker_with_other_data_says_so():
    reference = DataReference(SAMPLE, None, "0" * 64)
    with pytest.raises(errors.ArgumentError, match="digest of the dataset on this machine"):
        reference.load()


@pytest.mark.parametrize("shift", [-1, 247])
def test_labels_that_a_stored_prediction_cannot_hold_are_refused(shift, monkeypatch):
    def shifted(*arguments, **options):
        split = load(*arguments, **options)
        return replace(split, labels=split.labels + shift)

    monkeypatch.setattr(matrices, "load", shifted)
    with pytest.raises(errors.ArgumentError, match="labels are from 0 to 255, because a stored prediction is one byte"):
        load_data(SAMPLE, download=False)
    monkeypatch.setattr(matrices, "load", lambda *a, **o: replace(load(*a, **o), labels=load(*a, **o).labels + 246))
    assert load_data(SAMPLE, download=False).train.labels.max() == 255


def test_a_worker_without_the_folder_uses_its_own_cache(tmp_path):
    reference = DataReference(SAMPLE, None, load_data(SAMPLE).digest, str(tmp_path / "absent"))
    assert len(reference.load().test) == 500


def test_the_longest_come_first():
    jobs = [job(each) for each in configurations()]
    seconds = [expected_seconds()[each.configuration] for each in runner.longest_first(jobs)]
    assert seconds == sorted(seconds, reverse=True)


def test_a_failure_is_repeated_only_if_that_is_asked_for(board, tmp_path):
    path = tmp_path / "a"
    slow = ["--dataset", SAMPLE, "--only", "gradient*=50,n_estimators=100)", "--repeats", 1, "--jobs", 1]
    first = board("run", path, *slow, "--timeout", 0.5)
    assert (first.exit_code, first.output) == (1, f"{path}: 1 timeout; 0 already in the store\n")
    second = board("run", path, *slow, "--timeout", 0.5)
    assert (second.exit_code, second.output) == (0, f"{path}: nothing to do; 1 already in the store\n")
    third = board("run", path, *slow, "--timeout", 0.5, "--again")
    assert third.output == f"{path}: 1 timeout; 0 already in the store\n"


def test_a_timeout_that_no_clock_can_count_is_none(board, tmp_path):
    done = board("run", tmp_path / "a", "--dataset", SAMPLE, "--only", "GaussianNB", "--timeout", "inf")
    assert (done.exit_code, done.output) == (0, f"{tmp_path / 'a'}: 1 done; 0 already in the store\n")


def test_a_store_that_cannot_be_written_ends_the_run_and_is_said(board, tmp_path, monkeypatch):
    def full(_store: object, _line: bytes) -> None:
        raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))

    path = tmp_path / "a"
    with monkeypatch.context() as patch:
        patch.setattr(Store, "_append", full)
        done = board("run", path, *FEW, "--repeats", 1)
    assert done.exit_code == 1
    assert done.stderr == f"Error: cannot write {path}: No space left on device\n"
    again = board("run", path, *FEW, "--repeats", 1)
    assert (again.exit_code, again.stdout) == (0, f"{path}: 2 done; 0 already in the store\n")


def test_a_store_that_cannot_be_made_is_said_before_anything_runs(board):
    started = time.monotonic()
    done = board("run", "/proc/absent", "--dataset", SAMPLE, "--only", "GaussianNB")
    assert done.exit_code == 1
    assert "cannot write /proc/absent: " in done.stderr
    assert time.monotonic() - started < 60


@pytest.mark.parametrize("how", [signal.SIGKILL, signal.SIGTERM, signal.SIGINT])
def test_an_interrupted_run_is_continued(how, board, tmp_path):
    path = tmp_path / "a"
    with started(path, *INTERRUPTED) as process:
        wait_for(path, 3)
        ours = [*psutil.Process(process.pid).children(recursive=True)]
        process.send_signal(how)
        process.wait(20)
    before = results(path)
    assert 3 <= len(before) < 49
    left = psutil.wait_procs(ours, timeout=10)[1]
    assert [each for each in left if "idxhub_board.child" in each.cmdline()] == []
    done = board("run", path, *INTERRUPTED)
    assert (done.exit_code, done.output) == (
        0,
        f"{path}: {49 - len(before)} done; {len(before)} already in the store\n",
    )
    assert len({records.key(each) for each in results(path)}) == len(results(path)) == 49


def test_two_runs_on_one_store(tmp_path):
    path = tmp_path / "a"
    with started(path, *ARGUMENTS) as one, started(path, *ARGUMENTS) as other:
        said = [each.communicate(timeout=100)[0] for each in (one, other)]
        assert [each.returncode for each in (one, other)] == [0, 0], said
    assert len({records.key(each) for each in results(path)}) == len(results(path)) == 25
