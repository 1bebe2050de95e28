"""`idxhub bench train`: the judge, the records, one framework; tests/together compares several."""

from __future__ import annotations

import hashlib
import json
import math
import runpy
import sys
from pathlib import Path

import numpy as np
import pytest
from click.testing import CliRunner
from support.needs import need, need_elsewhere

from idxhub_bench.report import markdown, training
from idxhub_bench.report.records import runs
from idxhub_bench.train import convnet, judge
from idxhub_bench.train.command import train


def test_weights_and_dropout_are_the_same_wherever_they_are_drawn():
    weights = convnet.initial(0)
    digest = hashlib.sha256(b"".join(weights[name].astype("<f4").tobytes() for name in sorted(weights)))
    assert {name: each.shape for name, each in weights.items() if "/" not in name} == convnet.SHAPES
    assert all(each.dtype == np.float32 for each in weights.values())
    assert digest.hexdigest() == "b7d29328f5f586b74b5664979a132320ffd66f8857b5a638d4043ee7e7f7aea5"
    mask = convnet.mask(0, 3, 50)
    assert sorted(set(mask.ravel().tolist())) == [0.0, float(np.float32(1) / np.float32(0.6))]
    assert mask.mean() == pytest.approx(1, abs=0.02)
    assert not np.array_equal(mask, convnet.mask(0, 4, 50))


@pytest.mark.parametrize(
    ("losses", "worst", "step", "holds"),
    [
        ({"a": [2.3, 2.2], "b": [2.3, 2.2]}, 0, 0, True),
        ({"a": [2.3, 2.2], "b": [2.3, 2.2 * (1 + 5e-6)], "c": [2.3, 2.2]}, 5e-6, 1, True),
        ({"a": [2.3, 2.2], "b": [2.3, 2.2], "c": [2.3 * (1 - 2e-5), 2.2]}, 2e-5, 0, False),
        ({"a": [2.3, 2.2, 2.1], "b": [2.3, 2.2]}, 0, 0, True),
        ({"a": [2.3, 2.2], "b": [2.3, math.nan]}, math.nan, 1, False),
        ({"a": [math.nan, 2.2], "b": [2.3, 2.2]}, math.nan, 0, False),
    ],
)
def test_losses_are_compared_step_by_step(losses, worst, step, holds):
    found = judge.compare(losses)
    assert found.worst == pytest.approx(worst, rel=1e-3, nan_ok=True)
    assert found.holds() is holds
    assert (found.step, found.steps) == (step, 2)


RECORDS = Path(__file__).parents[2] / "docs" / "_static" / "benchmarks"


@pytest.mark.parametrize("name", ["train25-h200.jsonl", "train150-h200.jsonl"])
def test_the_losses_of_a_gpu_are_within_its_tolerance_and_not_within_that_of_a_cpu(name):
    found = [json.loads(line) for line in (RECORDS / name).read_text(encoding="utf-8").splitlines()]
    losses = {each["row"]: each["losses"] for each in found if each["kind"] == "losses"}
    agreement = judge.compare(losses)
    assert losses.keys() == {"torch", "jax"}
    assert agreement.worst == pytest.approx(3.22e-5, rel=1e-2)
    assert (agreement.holds("cuda"), agreement.holds("cpu"), agreement.holds()) == (True, False, False)


@pytest.mark.parametrize(
    ("device", "most"), [(None, 1e-5), ("cpu", 1e-5), ("cpu:0", 1e-5), ("cuda", 1e-4), ("cuda:1", 1e-4), ("gpu", 1e-4)]
)
def test_the_tolerance_of_a_device(device, most):
    assert judge.tolerance(device) == most
    assert most < 2e-3 / 10  # one wrong batch makes 2e-3


@pytest.mark.parametrize(("device", "status"), [(None, 1), ("cuda", 0)])
def test_the_exit_status_depends_on_the_tolerance_of_the_device(device, status, tmp_path, monkeypatch):
    """As if PyTorch and JAX had been trained where their losses differ as on the H200."""
    losses = {"torch": [2.3, 2.2068], "jax": [2.3, 2.2068 * (1 + 3.2e-5)]}

    def ask(recorder, row, python, module, question):
        return {"versions": {}, "threads": {}, "epochs": [], "losses": losses[row]}

    monkeypatch.setattr("idxhub_bench.measuring.Recorder.ask", ask)
    rows = ("--row", "torch", "--row", "jax")
    done = run(tmp_path / "raw", *rows, *(("--device", device) if device else ()), status=status)
    (agreement,) = (each for each in records(tmp_path / "raw") if each["kind"] == "agreement")
    assert (agreement["tolerance"], agreement["holds"]) == (judge.tolerance(device), status == 0)
    assert ("PROBLEM the losses" in done.stderr) == (status == 1)


def test_values_are_rounded_to_tf32():
    torch = need("torch")
    to_tf32 = runpy.run_path(str(Path(__file__).parent / "tf32.py"))["to_tf32"]
    values = torch.tensor([1.0, 1 + 2**-10, 1 + 2**-11, 1 + 3 * 2**-11, 1 + 2**-11 + 2**-20, -(1 + 2**-12), 0.0])
    expected = [1.0, 1 + 2**-10, 1.0, 1 + 2 * 2**-10, 1 + 2**-10, -1.0, 0.0]
    assert to_tf32(values).tolist() == expected


def test_a_gpu_computes_in_float32_and_tries_no_algorithms():
    torch = need("torch")
    from idxhub_bench.train.nets import torch as net  # noqa: PLC0415 -- needs torch

    backends = torch.backends
    before = backends.cuda.matmul.allow_tf32, backends.cudnn.allow_tf32
    was = backends.cudnn.benchmark, backends.cudnn.deterministic
    try:
        backends.cudnn.allow_tf32 = True
        net._compute_in_float32()
        assert (backends.cuda.matmul.allow_tf32, backends.cudnn.allow_tf32) == (False, False)
        assert (backends.cudnn.benchmark, backends.cudnn.deterministic) == (False, True)
    finally:
        backends.cuda.matmul.allow_tf32, backends.cudnn.allow_tf32 = before
        backends.cudnn.benchmark, backends.cudnn.deterministic = was


def test_a_step_is_counted_from_one_where_it_is_said():
    assert str(judge.compare({"a": [2.0, 2.0], "b": [2.0, 1.0]})).endswith(
        "differ by 5.0e-01 at most (a and b, step 2)"
    )


def test_one_row_alone_is_not_compared():
    assert judge.compare({"a": [1.0]}) is None


def run(raw, *arguments, status=0):
    asked = (raw, "--dataset", "fashion-mnist-sample", "--examples", 72, "--batch-size", 32, "--epochs", 2, *arguments)
    done = CliRunner().invoke(train, [str(each) for each in asked])
    assert done.exit_code == status, done.output
    return done


def records(raw):
    return [json.loads(line) for line in raw.read_text(encoding="utf-8").splitlines()]


def test_what_a_run_records(tmp_path):
    need_elsewhere("torch")
    done = run(tmp_path / "raw", "--row", "torch", "--rate", 0.05, "--env", f"torch={sys.executable}")
    found = records(tmp_path / "raw")
    assert [found[0][name] for name in ("kind", "bench", "examples", "rate")] == ["run", "train", 72, 0.05]
    assert found[0]["machine"]["cores"] >= 1
    (row,) = (each for each in found if each["kind"] == "row" and each["row"] == "torch")
    assert row["versions"].keys() == {"python", "torch", "numpy", "idxhub"}  # and not what else is installed
    epochs = [each for each in found if each["kind"] == "epoch" and each["row"] == "torch"]
    assert [(each["epoch"], each["steps"], each["images"]) for each in epochs] == [(1, 2, 64), (2, 2, 64)]
    assert all(0 < each["waiting"] < each["seconds"] for each in epochs)
    assert all(0 <= each["accuracy"] <= 1 for each in epochs)
    assert epochs[0]["loss"] == pytest.approx(math.log(10), rel=0.05)
    (losses,) = (each["losses"] for each in found if each["kind"] == "losses" and each["row"] == "torch")
    assert len(losses) == 4
    line = next(line for line in done.stdout.splitlines() if line.startswith("| torch | "))
    # the report of these records has the same line
    (section,) = training.sections(runs(found))
    assert markdown.table(section.tables[0]).splitlines()[2] == line
    assert line.endswith(f" | {epochs[0]['loss']:.4f}, {epochs[1]['loss']:.4f} |")


def test_torchvisions_idiom_is_measured_beside(tmp_path):
    need_elsewhere("torch")
    need_elsewhere("torchvision")
    run(tmp_path / "raw", "--row", "torchvision")
    found = records(tmp_path / "raw")
    epochs = [each for each in found if each["kind"] == "epoch"]
    assert [each["row"] for each in epochs] == [
        *(["torch with torchvision"] * 2),
        *(["torch with torchvision, 2 workers"] * 2),
    ]
    assert all(each["images"] == 64 and each["waiting"] > 0 for each in epochs)
    assert not [each for each in found if each["kind"] == "agreement"]  # its order is its own


def test_what_is_not_installed_is_named(tmp_path):
    bare = tmp_path / "bare"
    bare.write_text(
        f'#!{sys.executable}\nimport sys\nsys.modules["jax"] = None\nfrom idxhub_bench.train import child\n'
        "sys.argv = sys.argv[2:]\nchild.main()\n"
    )
    bare.chmod(0o755)
    done = run(tmp_path / "raw", "--row", "jax", "--env", f"jax={bare}")
    assert "jax: not measured: jax not installed" in done.stderr
    assert records(tmp_path / "raw")[-1] == {"kind": "missing", "row": "jax", "why": "jax not installed"}


def test_a_row_that_gives_no_answer_is_a_problem(broken, tmp_path):
    python, why = broken
    done = run(tmp_path / "raw", "--row", "jax", "--env", f"jax={python}", "--examples", 12_000, status=1)
    assert f"PROBLEM jax: {why}" in done.stderr
    head, *_, last = records(tmp_path / "raw")
    assert head["examples"] == 2_000  # all of the sample's
    assert last == {"kind": "failure", "row": "jax", "why": why}


@pytest.mark.parametrize(
    ("arguments", "says"),
    [
        (("--row", "mxnet"), "no row has mxnet in its name. The rows are:\n  torch\n  tensorflow\n"),
        (("--env", "mxnet=python"), "NAME one of torch, tensorflow, jax"),
        (("--env", "jax=/no/such"), "cannot be run"),
        (("--batch-size", "100"), "--examples 72 are no batch of 100"),
    ],
    ids=str,
)
def test_wrong_usage(arguments, says, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    assert says in run(tmp_path / "raw", *arguments, status=2).stderr


def test_a_run_is_not_overwritten(tmp_path):
    raw = tmp_path / "raw"
    raw.write_text("{}\n")
    assert "--append" in run(raw, status=2).stderr
    assert raw.read_text() == "{}\n"
