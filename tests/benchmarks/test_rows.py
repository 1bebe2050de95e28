"""The rows of each framework on the sample: every reader shows the judge the same pixels, in both dtypes."""

from __future__ import annotations

import importlib
import json
from importlib.util import find_spec
from pathlib import Path
from typing import Any

import pytest
from click.testing import CliRunner
from support.needs import need

from idxhub import Plugins
from idxhub_bench.command import bench
from idxhub_bench.load import memory
from idxhub_bench.load.places import Place
from idxhub_bench.load.rows import ROWS

# which module must be there for the rows; those of readers that know the full dataset alone are not tried here
NEEDS = {
    "torch": ["idxhub torch DataLoader", "idxhub torch get_loader", "TensorDataset"],
    "torchvision": ["torchvision"],
    "tensorflow": ["idxhub tensorflow tf.data", "idxhub tensorflow get_loader", "keras, batch", "keras, map"],
    "jax": ["idxhub jax get_loader", "idxhub jax resident"],
    "datasets": [
        "idxhub huggingface png",
        "idxhub huggingface array",
        "huggingface get_loader",
        "load_dataset Parquet",
    ],
    "ray": ["idxhub ray", "ray from_numpy", "ray read_parquet"],
    "grain": ["grain"],
}
FRAMEWORK = {"datasets": "huggingface"}


def measured(tmp_path: Path, module: str, *figures: str) -> list[dict[str, Any]]:
    if find_spec(module) is None or module != "torchvision":  # which may need two tries: its reader knows how
        need(module)
    raw = tmp_path / "raw.jsonl"
    chosen = [word for row in NEEDS[module] for word in ("--row", row)]
    chosen += [word for figure in figures for word in ("--figure", figure)]
    small = ("--dataset", "fashion-mnist-sample", "--repeats", "1", "--batch-size", "96")
    done = CliRunner().invoke(bench, ["load", str(raw), *small, *chosen], catch_exceptions=False)
    assert done.exit_code == 0, done.output
    records = [json.loads(line) for line in raw.read_text(encoding="utf-8").splitlines()]
    bad = [record for record in records if record["kind"] in {"failure", "missing"}]
    assert not bad
    return [record for record in records if record["kind"] == "sample"]


MODULES = [pytest.param(module, id=FRAMEWORK.get(module, module)) for module in NEEDS]


@pytest.mark.parametrize("module", MODULES)
def test_each_row_reads_the_sample(module, tmp_path):
    samples = measured(tmp_path, module, "rate")
    rates = {(each["row"], each["dtype"], each["workers"]) for each in samples if each["figure"] == "rate"}
    chosen = [row for row in ROWS if any(name in row.name for name in NEEDS[module])]
    assert rates == {(row.name, dtype, n) for row in chosen for dtype in row.dtypes for n in row.workers}
    in_order = {(each["row"], each["dtype"]) for each in samples if each["figure"] == "rate, in order"}
    assert in_order == {(row.name, dtype) for row in chosen if row.in_order for dtype in row.dtypes}
    assert all(each["value"] > 0 for each in samples)


def test_huggingface_encodes_its_pictures_in_every_round(tmp_path, monkeypatch):
    need("datasets")
    need("PIL.Image")
    files = importlib.import_module("idxhub_adapters.huggingface.arrow_files")
    png = importlib.import_module("idxhub_bench.load.contenders.huggingface").Png
    encoded = []
    encode = files.encode
    monkeypatch.setattr(files, "encode", lambda images: encoded.append(len(images)) or encode(images))
    (sample,) = Plugins([]).dataset("fashion-mnist-sample").folders
    for turn in (1, 2):
        count, _ = png(Place("fashion-mnist-sample", sample, str(tmp_path))).build(limit=0)
        assert sum(encoded) == turn * count


@pytest.mark.skipif(not memory.available(), reason="memory is counted by Linux's /proc")
def test_memory_of_workers_is_counted_with_that_of_the_process(tmp_path):
    samples = measured(tmp_path, "torch", "pss")
    ours = [each for each in samples if (each["row"], each["figure"]) == ("idxhub torch DataLoader", "pss")]
    base = {each["workers"]: each["base"] for each in ours}
    assert base[0] < base[2] < base[8]
