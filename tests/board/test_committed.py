"""The results in the documentation are sound, and of all configurations where that is said."""

from __future__ import annotations

import csv
import gzip
import hashlib
import json
from pathlib import Path

import pytest
from support.needs import need

need("joblib")
need("scipy")

from idxhub import idx, load  # noqa: E402 -- after the skip where they are absent
from idxhub.catalog.builtin.fashion_mnist import FASHION_MNIST  # noqa: E402
from idxhub_board.checking import check_file  # noqa: E402 -- as above
from idxhub_board.configurations import configurations  # noqa: E402 -- as above
from idxhub_board.records import decode_predictions  # noqa: E402
from idxhub_board.runner import TIERS  # noqa: E402
from idxhub_board.store import Store  # noqa: E402
from idxhub_board.summary import configuration_of, summarise  # noqa: E402

FOLDER = Path(__file__).parents[2] / "docs" / "_static" / "board"
FILES = sorted(FOLDER.glob("*.jsonl"))
FULL = FOLDER / "full-one-seed.jsonl"
MORE_SEEDS = FOLDER / "fast-more-seeds.jsonl"  # which has no predictions
PAGE = Path(__file__).parents[2] / "docs" / "how-to" / "benchmark-classifiers.md"
SUSPECTS = FOLDER.parent / "suspects" / "fashion-mnist.csv"
MNIST = FOLDER / "mnist-one-seed.jsonl"  # of which tests may have the test files alone


@pytest.mark.parametrize("path", FILES, ids=lambda path: path.name)
def test_a_file_can_be_read_as_a_whole(path):
    store = Store(path)
    assert store.problems == []
    assert len(store) > 0


def test_smoke_has_every_configuration():
    store = Store(FOLDER / "smoke.jsonl")
    assert {configuration_of(each) for each in store} == set(configurations())
    assert {(each["examples"], each["status"]) for each in store} == {(1000, "done")}


def test_the_page_has_the_counts_of_the_results_on_all_examples():
    rows = summarise(Store(FULL))
    differences = [row.difference for row in rows if row.difference is not None]
    within = sum(bool(row.is_within) for row in rows)
    assert within >= 60
    said = (
        f"{len(rows)} configurations on all examples, one seed. {within} are within the tolerance. "
        f"{sum(each > 0 for each in differences)} of the accuracies are higher than the published ones; "
        f"the likely reason follows. {len(configurations()) - len(rows)} were not run"
    )
    assert said in PAGE.read_text(encoding="utf-8")


def test_the_tier_fast_has_five_seeds():
    fast = [each for each in configurations() if TIERS["fast"].includes(each)]
    rows = {row.configuration: row for row in summarise([*Store(FULL), *Store(MORE_SEEDS)])}
    assert set(fast) <= set(rows)
    for each in fast:
        assert list(rows[each].accuracies) == list(range(5 if each.is_seeded else 1)), each
    assert {configuration_of(record) for record in Store(MORE_SEEDS)} <= set(fast)
    within = sum(bool(row.is_within) for row in rows.values())
    said = f"{len(Store(MORE_SEEDS))} results, without their predictions", f"{within} of the {len(rows)} are within"
    assert all(each in PAGE.read_text(encoding="utf-8") for each in said)


@pytest.mark.parametrize("path", sorted(set(FILES) - {MNIST, MORE_SEEDS}), ids=lambda path: path.name)
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


def suspects() -> list[dict[str, str]]:
    with open(SUSPECTS, encoding="utf-8", newline="") as file:
        return list(csv.DictReader(file))


def test_the_suspects_have_positions_labels_digests_and_a_method():
    rows = suspects()
    assert len({(row["split"], row["index"]) for row in rows}) == len(rows) >= 200
    order = [(-int(row["flagged_by"]), float(row["quality"])) for row in rows]
    assert order == sorted(order)
    for row in rows:
        assert 0 <= int(row["index"]) < FASHION_MNIST.sizes[row["split"]]
        assert row["class"] == FASHION_MNIST.classes[int(row["label"])]
        assert len(bytes.fromhex(row["sha256"])) == 32
    how = json.loads(SUSPECTS.with_suffix(".json").read_text(encoding="utf-8"))
    assert dict(how["files"]) == {each.filename: each.payload_sha256 for each in FASHION_MNIST.resources}
    assert list(how["models"]) == list(rows[0])[7:]
    assert len(how["models"]) == 3
    assert "suspicions, not the truth" in how["meaning"]
    assert {"cleanlab", "scikit-learn", "numpy"} <= how["versions"].keys()


@pytest.mark.parametrize("name", ["train", "test"])
def test_the_suspects_are_those_of_the_images(name, full_data_dir):
    split = load("fashion-mnist", name, data_dir=full_data_dir, download=False)
    for row in suspects():
        if row["split"] == name:
            at = int(row["index"])
            assert (int(row["label"]), row["sha256"]) == (
                split.labels[at],
                hashlib.sha256(split.images[at].tobytes()).hexdigest(),
            )
