"""The sample inside the package: whole, balanced, and truly taken from Fashion-MNIST."""

import runpy
import sys
from pathlib import Path

import numpy as np
import pytest

from idxhub import Resource, get_dataset, load
from idxhub.catalog.builtin.fashion_mnist import FASHION_MNIST
from idxhub.catalog.builtin.fashion_mnist_sample import FASHION_MNIST_SAMPLE

FOLDER = Path(FASHION_MNIST_SAMPLE.folders[0])
RESOURCES = FASHION_MNIST_SAMPLE.resources


@pytest.mark.parametrize("resource", RESOURCES, ids=lambda resource: resource.stem)
def test_the_embedded_files_are_the_catalogs(resource):
    assert Resource.from_file(FOLDER / resource.filename) == resource


def test_nothing_else_is_embedded():
    assert sorted(path.name for path in FOLDER.iterdir()) == sorted(resource.filename for resource in RESOURCES)


@pytest.mark.parametrize(("split", "per_class"), [("train", 200), ("test", 50)])
def test_it_loads_offline_and_is_balanced(split, per_class, monkeypatch):
    monkeypatch.setenv("IDXHUB_OFFLINE", "1")
    images, labels = get_dataset("fashion-mnist-sample", split=split)
    assert images.shape == (10 * per_class, 28, 28)
    np.testing.assert_array_equal(np.bincount(labels), [per_class] * 10)


def test_it_has_a_name_of_its_own_and_the_same_classes():
    assert FASHION_MNIST_SAMPLE.name == "fashion-mnist-sample"
    assert FASHION_MNIST_SAMPLE.classes == FASHION_MNIST.classes
    assert FASHION_MNIST_SAMPLE.mirrors == ()
    assert {each.md5 for each in RESOURCES}.isdisjoint(each.md5 for each in FASHION_MNIST.resources)


def test_it_holds_the_first_images_of_each_class(full_data_dir):
    for split, per_class in (("train", 200), ("test", 50)):
        whole = load("fashion-mnist", split, data_dir=full_data_dir, download=False)
        part = load("fashion-mnist-sample", split)
        for label in range(10):
            np.testing.assert_array_equal(
                part.images[part.labels == label], whole.images[whole.labels == label][:per_class]
            )


def test_the_script_in_the_repository_makes_it(full_data_dir, tmp_path, monkeypatch, request):
    script = request.config.rootpath / "tools" / "make_sample.py"
    monkeypatch.setattr(sys, "argv", [str(script), "--data-dir", str(full_data_dir), "--out", str(tmp_path / "out")])
    runpy.run_path(str(script), run_name="__main__")
    for resource in RESOURCES:
        made = Resource.from_file(tmp_path / "out" / resource.filename)
        assert made.payload_sha256 == resource.payload_sha256  # the .gz depends on the zlib at hand
