"""The audit: what a file's name and the names of its folders claim."""

from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
from support.made import make

from idxhub import SplitSpec, idx
from idxhub.audit.judge import audit_files
from idxhub.catalog import builtin
from idxhub.catalog.builtin.fashion_mnist_sample import FASHION_MNIST_SAMPLE

DATASETS = tuple(builtin.datasets().values())
TRAIN, TEST = "train-images-idx3-ubyte.gz", "test-images-idx3-ubyte.gz"


@pytest.mark.parametrize(
    ("where", "claim", "state"),
    [
        ("looked/test-images-idx3-ubyte.gz", "test images", "wrong"),
        ("looked/train-images-idx3-ubyte", "train images", "right"),
        ("looked/train-images.idx3-ubyte.xz", "train images", "right"),
        ("looked/TRAIN-images-idx3-ubyte.gz", "train images", "right"),
        ("looked/files.example.org_train-images-idx3-ubyte8Xk.gz", "train images", "right"),
        ("looked/train-images-idx3-ubyte (1).gz", "train images", "right"),
        ("looked/train-images-idx3-ubyte.gz.1", "train images", "right"),
        ("looked/train-images-idx3-ubyte.gz.part", "", "right"),
        ("looked/toy/test-images-idx3-ubyte.bak", "", "right"),
        ("looked/images.gz", "", "right"),
        ("toy/train-images-idx3-ubyte.gz", "toy train images", "right"),
        ("twin/train-images-idx3-ubyte.gz", "Twin, of toy: train images", "wrong"),
        ("Twin of TOY/train-images-idx3-ubyte.gz", "Twin, of toy: train images", "wrong"),
        ("twin/raw/train-images-idx3-ubyte.gz", "Twin, of toy: train images", "wrong"),
        ("twin/mine/train-images-idx3-ubyte.gz", "train images", "right"),
        ("a/place/of/twins/train-images-idx3-ubyte.gz", "Twin, of toy: train images", "wrong"),
        ("looked/twin-train-images-idx3-ubyte.gz", "Twin, of toy: train images", "wrong"),
        ("looked/toy.train-images-idx3-ubyte.gz", "toy train images", "right"),
        ("looked/toys-train-images-idx3-ubyte.gz", "train images", "right"),
        ("twin/toy-train-images-idx3-ubyte.gz", "toy train images", "right"),
        ("toy-{fingerprint}/train-images-idx3-ubyte.gz", "toy train images", "right"),  # in the cache
        ("toy-{fingerprint}/test-images-idx3-ubyte.gz", "toy test images", "wrong"),
    ],
)
def test_what_a_name_says(toy, tmp_path, put, where, claim, state):
    twin = make(tmp_path / "another", name="twin", seed=1, title="Twin, of toy", subfolders=("", "of/twins")).spec
    path = put(toy.bytes(toy.train_images), where.format(fingerprint=toy.spec.fingerprint), ".")
    (finding,) = audit_files([path], [toy.spec, twin]).findings
    assert (finding.claim, finding.state) == (claim, state)
    assert finding.found == "toy train images, official"


@pytest.mark.parametrize(
    ("where", "claim"),
    [
        ("twin/mine/train-images-idx3-ubyte.gz", "twin train images"),
        ("twin/a/b/train-images-idx3-ubyte.gz", "twin train images"),
        ("twin/toy/a/train-images-idx3-ubyte.gz", "toy train images"),
        ("twin/small/a/train-images-idx3-ubyte.gz", "train images"),  # it has no file with this name
        ("of/twins/a/train-images-idx3-ubyte.gz", "train images"),  # not the name of a dataset
        ("a/train-images-idx3-ubyte.gz", "train images"),
    ],
)
def test_the_nearest_folder_that_names_a_dataset_counts_up_to_the_given_one(toy, tmp_path, put, where, claim):
    twin = make(tmp_path / "another", name="twin", seed=1, subfolders=("", "of/twins")).spec
    small = make(tmp_path / "third", name="small", seed=2, suffix=".xz", sizes={"few": 5}).spec
    put(toy.bytes(toy.train_images), f"toy/top/{where}", ".")
    (finding,) = audit_files([tmp_path / "toy" / "top"], [toy.spec, twin, small]).findings
    assert (finding.claim, finding.state) == (claim, "wrong" if claim.startswith("twin") else "right")


@pytest.mark.parametrize("folder", ["FashionMNIST/raw", "data/fashion", "fashion_mnist"])
def test_the_samples_folders_are_not_those_of_the_full_dataset(put, folder):
    sample = FASHION_MNIST_SAMPLE.splits["test"].labels
    path = put((Path(FASHION_MNIST_SAMPLE.folders[0]) / sample.filename).read_bytes(), sample.filename, folder)
    (finding,) = audit_files([path], DATASETS).findings
    assert (finding.claim, finding.state) == ("Fashion-MNIST test labels", "wrong")
    assert finding.found == "Fashion-MNIST, a sample: test labels, official"


def test_a_folder_with_files_of_two_datasets_is_mixed(toy, put, tmp_path):
    twin = make(tmp_path / "another", name="twin", seed=1)
    put(toy.bytes(toy.train_images))
    put(twin.bytes(twin.train_labels), twin.train_labels.filename)
    put(twin.bytes(twin.train_images), "train-images-idx3-ubyte (1).gz")
    report = audit_files([tmp_path / "looked"], [toy.spec, twin.spec])
    assert [each.state for each in report.findings] == ["right"] * 3
    assert report.mixed == (f"{tmp_path / 'looked'} mixes files of toy and of twin",)
    assert not report.ok


@pytest.mark.parametrize(
    ("stem", "called", "state"),
    [
        ("pictures.idx", "pictures.idx", "wrong"),
        ("pictures-idx", "pictures.idx", "wrong"),
        ("images", "images", "unknown"),
    ],
)
def test_an_unknown_array_under_a_plugins_name(toy, put, stem, called, state):
    images = replace(toy.train_images, filename=f"{stem}.gz")
    spec = replace(toy.spec, splits={"train": SplitSpec(images, toy.train_labels)})
    (finding,) = audit_files([put(idx.encode(np.zeros((2, 3), np.uint8)), called)], [spec]).findings
    assert finding.state == state
