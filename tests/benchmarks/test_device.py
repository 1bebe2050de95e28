"""`idxhub bench device`, on the CPU as the device, and where there is no such device."""

from __future__ import annotations

import json
import sys
from importlib.metadata import EntryPoint

import numpy as np
import pytest
from click.testing import CliRunner
from support import bench_records
from support.needs import need_elsewhere
from support.processes import python

from idxhub import Plugins, errors, get_dataset, order
from idxhub_bench import hub, machine
from idxhub_bench.device import child
from idxhub_bench.device.command import device
from idxhub_bench.report import markdown
from idxhub_bench.report.device import least_bytes, sections
from idxhub_bench.report.records import runs


def run(raw, *arguments, framework="torch", status=0):
    asked = (raw, "--dataset", "fashion-mnist-sample", "--framework", framework, "--repeats", 2, *arguments)
    done = CliRunner().invoke(device, [str(each) for each in asked])
    assert done.exit_code == status, done.output
    return done, [json.loads(line) for line in raw.read_text(encoding="utf-8").splitlines()]


@pytest.mark.parametrize("framework", ["torch", "jax"])
def test_on_the_cpu(framework, tmp_path):
    need_elsewhere(framework)
    done, found = run(tmp_path / "raw", "--device", "cpu", "--batch-size", 500, framework=framework)
    assert (found[0]["kind"], found[0]["bench"], found[0]["device"]) == ("run", "device", "cpu")
    (row,) = (each for each in found if each["kind"] == "row")
    assert (row["device"], row["pixels"]) == ("cpu", 784)
    assert row["copy"]["bandwidth"] == pytest.approx(2 * row["copy"]["bytes"] / row["copy"]["seconds"])
    samples = [each for each in found if each["kind"] == "sample"]
    assert {(each["way"], each["dtype"], each["size"]) for each in samples} == {
        (way, dtype, 500)
        for way in ("resident", "ordinary", "by hand", "whole epoch")
        for dtype in ("uint8", "float32")
    }
    assert len(samples) == 16
    assert all(each["value"] > 0 for each in samples)
    assert f"| {framework} float32 | 500 | " in done.stdout
    assert f"| {framework} | cpu | " in done.stdout
    (section,) = sections(runs(found))
    assert [row[:2] for row in section.tables[0].rows] == [
        (f"{framework} uint8", "500"),
        (f"{framework} float32", "500"),
    ]
    assert f"{framework} {row['versions'][framework]}" in section.tables[1].rows[0][-1]


def test_where_there_is_no_such_device(tmp_path):
    need_elsewhere("torch")
    done, found = run(tmp_path / "raw", "--device", "cuda:99")
    assert "torch: not measured: device is 'cuda:99'; it must be a device of torch" in done.stderr
    assert "Not measured: no framework found an accelerator, `cuda:99`, on the machine." in done.stdout
    assert found[-1]["kind"] == "missing"
    (section,) = sections(runs(found))
    assert section.text.startswith("Not measured: no framework found an accelerator, `cuda:99`, on the machine.")


def test_a_framework_that_gives_no_answer_is_a_problem(broken, tmp_path):
    python, why = broken
    done, found = run(tmp_path / "raw", "--env", f"torch={python}", status=1)
    assert f"PROBLEM torch: {why}" in done.stderr
    assert found[-1] == {"kind": "failure", "row": "torch", "why": why}


@pytest.mark.parametrize(
    ("raises", "missing"),
    [
        ("import absent_framework", "absent_framework not installed"),
        ("import absent_framework.part", "absent_framework not installed"),
        ("raise ImportError('libfoo.so: cannot be opened')", None),
    ],
)
def test_only_a_framework_that_is_not_installed_is_missing(raises, missing, tmp_path, monkeypatch):
    (tmp_path / "adapter_of_a_framework.py").write_text(raises)
    monkeypatch.syspath_prepend(tmp_path)
    monkeypatch.delitem(sys.modules, "adapter_of_a_framework", raising=False)
    plugins = Plugins([EntryPoint("some", "adapter_of_a_framework", "idxhub.adapters")])
    said = []
    monkeypatch.setattr(hub.processes, "question", lambda: {"framework": "some", "plugins": plugins})
    monkeypatch.setattr(hub.processes, "answer", said.append)
    if missing is None:
        with pytest.raises(errors.MissingFrameworkError):
            hub.answer(get_dataset)
    else:
        hub.answer(get_dataset)
        assert said == [{"missing": missing}]


def test_the_table_has_medians_and_the_share_of_a_copy():
    rates = {("resident", 4e6): 3, ("ordinary", 1e6): 3}
    readings = [
        {"way": way, "dtype": "float32", "size": 128, "round": number, "value": rate * (number + 1)}
        for (way, rate), count in rates.items()
        for number in range(count)
    ]
    copy = {"bytes": 1, "seconds": 1, "bandwidth": 8e6 * least_bytes(784, "float32") * 4}
    head = next(bench_records.device())
    row = {"kind": "row", "row": "torch", "device": "a GPU", "copy": copy, "pixels": 784, "versions": {}}
    samples = [{"kind": "sample", "row": "torch", **each} for each in readings]
    (section,) = sections(runs([head, row, *samples]))
    assert "| torch float32 | 128 | 8,000 | 2,000 | 4 | 25.0% |" in markdown.tables(section)
    assert least_bytes(784, "uint8") == 2 * 784


def test_other_batches_are_noticed():
    class Here:
        def wait(self, batches):
            pass

    right, wrong = ([1.0, 2.0], [3]), ([1.0, 2.5], [3])
    child._check(Here(), [right], [right])
    with pytest.raises(RuntimeError, match="not those of the ordinary loader"):
        child._check(Here(), [wrong], [right])


def test_other_batches_of_a_whole_epoch_are_noticed():
    images, labels = np.arange(40, dtype="uint8").reshape(10, 4), np.arange(10)

    def epoch(indices, *, sums=lambda rows: (images[rows].sum(axis=(1, 2)), labels[rows].sum(axis=1))):
        return sums(indices[:9].reshape(3, 3))

    child._check_whole_epoch(epoch, images, labels, 3)
    child._check_whole_epoch(epoch, images.astype("float32"), labels, 3)
    for wrong in (np.sort, lambda indices: indices[::-1], lambda indices: order(10, 1, 0)):
        with pytest.raises(RuntimeError, match="not those of the shared order"):
            child._check_whole_epoch(lambda indices, wrong=wrong: epoch(wrong(indices)), images, labels, 3)


def test_a_checkout_that_is_not_installed_serves(monkeypatch):
    monkeypatch.setattr(hub.Plugins, "adapters", lambda self: ())
    assert hub.plugins("numpy").adapter("numpy").name == "numpy"
    assert machine.versions(["numpy", "no-such-package"])["python"] == sys.version.partition(" ")[0]


def test_a_checkout_on_the_path_is_enough(tmp_path):
    need_elsewhere("torch")
    # without the folder of idxhub's metadata: there are no entry points, as where nothing is installed
    code = """
        import sys
        import idxhub.plugins.entry_points
        idxhub.plugins.entry_points.entry_points = lambda group: ()
        sys.argv = ["idxhub_bench", "device", *sys.argv[1:]]
        import runpy
        runpy.run_module("idxhub_bench", run_name="__main__")
    """
    arguments = ("--dataset", "fashion-mnist-sample", "--framework", "torch", "--device", "cpu", "--repeats", 1)
    assert "| torch uint8 | 100 | " in python(code, tmp_path / "raw", *arguments, "--batch-size", 100).stdout
