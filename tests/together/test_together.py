"""All frameworks in one place: one process reads them one after the other, and they agree."""

from __future__ import annotations

import hashlib
import json
import subprocess
import sys

import numpy as np
import pytest
from support.needs import need

import idxhub

FRAMEWORKS = {"torch": "torch", "tensorflow": "tensorflow", "jax": "jax", "huggingface": "datasets"}
for module in FRAMEWORKS.values():
    need(module)

EPOCHS, BATCH = 3, 128


@pytest.fixture(scope="module")
def shown(tmp_path_factory):
    """What the command writes to standard output, whatever frameworks write to the other one."""
    command = "import os, sys; os.environ['IDXHUB_CACHE'] = sys.argv.pop(1); from idxhub.cli import main; main()"
    arguments = ["demo", "--json", "--offline", "--epochs", str(EPOCHS)]
    done = subprocess.run(
        [sys.executable, "-c", command, str(tmp_path_factory.mktemp("cache")), *arguments],
        capture_output=True,
        text=True,
        check=False,
        timeout=600,
    )
    assert done.returncode == 0, done.stderr
    return json.loads(done.stdout)


@pytest.fixture(scope="module")
def read(shown):
    return {row["framework"]: row for row in shown["frameworks"] if "digest" in row}


def test_every_framework_is_read(read):
    assert set(read) >= {"numpy", *FRAMEWORKS}
    assert len({(row["type"], row["batch"]) for row in read.values()}) == len(read)


def test_one_digest_in_the_files_order(shown, read):
    assert {row["digest"] for row in read.values()} == {digest(shown["dataset"], [slice(None)])}


def test_one_digest_of_three_shuffled_epochs(shown, read):
    assert (shown["epochs"], shown["batch_size"], shown["same"]) == (EPOCHS, BATCH, True)
    n = read["numpy"]["examples"]
    orders = [idxhub.order(n, 0, epoch) for epoch in range(EPOCHS)]
    assert {row["shuffled_digest"] for row in read.values()} == {digest(shown["dataset"], orders)}


def digest(name, orders):
    """What the demo's digest should be, from the files and the orders alone."""
    images, labels = (getattr(idxhub.load(name, download=False), what) for what in ("images", "labels"))
    found = hashlib.sha256()
    for where in orders:
        for start in range(0, len(images), BATCH):
            found.update(np.ascontiguousarray(images[where][start : start + BATCH]))
            found.update(np.ascontiguousarray(labels[where][start : start + BATCH]))
    return found.hexdigest()
