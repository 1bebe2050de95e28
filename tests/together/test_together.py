"""All frameworks in one place: one process reads them one after the other, and they agree."""

from __future__ import annotations

import hashlib
import json
import subprocess

import numpy as np
import pytest
from support.command import started
from support.needs import need

import idxhub

FRAMEWORKS = {
    "torch": "torch",
    "tensorflow": "tensorflow",
    "jax": "jax",
    "huggingface": "datasets",
    "keras": "keras",
    "mlx": "mlx.core",
    "tinygrad": "tinygrad",
}
for module in FRAMEWORKS.values():
    need(module)

EPOCHS, BATCH = 3, 128


@pytest.fixture(scope="module", params=["fashion-mnist-sample", "fashion-mnist"])
def source(request):
    """The dataset's name, and the folder of its files if they are not installed with idxhub."""
    full = request.param == "fashion-mnist"
    return {"name": request.param, "data_dir": request.getfixturevalue("full_data_dir") if full else None}


@pytest.fixture(scope="module")
def shown(source):
    """The JSON that the command writes to standard output; frameworks may write to standard error."""
    folder = ["--data-dir", str(source["data_dir"])] if source["data_dir"] else []
    done = started(["demo", "--json", "--epochs", str(EPOCHS), *folder], stdout=subprocess.PIPE, timeout=600)
    assert done.returncode == 0, done.stderr
    return json.loads(done.stdout)


@pytest.fixture(scope="module")
def read(shown):
    return {row["framework"]: row for row in shown["frameworks"] if "digest" in row}


def test_every_framework_is_read(read):
    assert set(read) >= {"numpy", *FRAMEWORKS}
    assert len({(row["type"], row["batch"]) for row in read.values()}) == len(read)


def test_one_digest_in_the_files_order(shown, read, source):
    assert shown["dataset"] == source["name"]
    assert {row["digest"] for row in read.values()} == {digest(source, [slice(None)])}


def test_one_digest_of_three_shuffled_epochs(shown, read, source):
    assert (shown["epochs"], shown["batch_size"], shown["same"]) == (EPOCHS, BATCH, True)
    n = read["numpy"]["examples"]
    orders = [idxhub.order(n, 0, epoch) for epoch in range(EPOCHS)]
    assert {row["shuffled_digest"] for row in read.values()} == {digest(source, orders)}


def digest(source, orders):
    """The digest that the demo should print, computed from the files and the orders."""
    split = idxhub.load(**source, download=False)
    found = hashlib.sha256()
    for where in orders:
        images, labels = split.images[where], split.labels[where]
        for start in range(0, len(images), BATCH):
            found.update(np.ascontiguousarray(images[start : start + BATCH]))
            found.update(np.ascontiguousarray(labels[start : start + BATCH]))
    return found.hexdigest()
