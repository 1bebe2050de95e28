"""The results in the documentation are sound, and of all configurations where that is said."""

from __future__ import annotations

import gzip
from pathlib import Path

import pytest
from support.needs import need

need("joblib")
need("scipy")

from idxhub import idx  # noqa: E402 -- after the skip where they are absent
from idxhub_board.checking import check_file  # noqa: E402 -- as above
from idxhub_board.configurations import configurations  # noqa: E402 -- as above
from idxhub_board.records import decode_predictions  # noqa: E402
from idxhub_board.store import Store  # noqa: E402
from idxhub_board.summary import configuration_of  # noqa: E402

FOLDER = Path(__file__).parents[2] / "docs" / "_static" / "board"
FILES = sorted(FOLDER.glob("*.jsonl"))
MNIST = FOLDER / "mnist-one-seed.jsonl"  # of which tests may have the test files alone


@pytest.mark.parametrize("path", FILES, ids=lambda path: path.name)
def test_a_file_can_be_read_as_a_whole(path):
    store = Store(path)
    assert store.problems == []
    assert len(store) > 0


def test_smoke_has_every_configuration():
    store = Store(FOLDER / "smoke.jsonl")
    assert {configuration_of(each) for each in store} == set(configurations())
    assert {each["examples"] for each in store} == {1000}


@pytest.mark.parametrize("path", sorted(set(FILES) - {MNIST}), ids=lambda path: path.name)
def test_the_accuracies_are_those_of_the_predictions(path, full_data_dir):
    found = check_file(path, data_dir=str(full_data_dir), download=False)
    assert found.problems == ()
    assert found.recomputed > 0


def test_the_accuracies_on_mnist_are_those_of_the_predictions(mnist_dir):
    labels = idx.decode(gzip.decompress((mnist_dir / "t10k-labels-idx1-ubyte.gz").read_bytes()))
    for each in Store(MNIST):
        predictions = decode_predictions(each["predictions"], len(labels))
        assert each["dataset"] == "mnist"
        assert each["accuracy"] == (predictions == labels).mean()
