"""`keras_datasets`: the functions of `keras.datasets`, alone and beside them."""

from __future__ import annotations

import inspect
import os
import shutil
import subprocess
import sys
import textwrap

import numpy as np
import pytest
from support.needs import need_elsewhere

import idxhub_compat.keras_datasets
from idxhub import errors
from idxhub_compat.keras_datasets import fashion_mnist, mnist


@pytest.fixture
def loaded(fashion, monkeypatch):
    monkeypatch.setattr(fashion_mnist, "NAME", fashion.name)
    return fashion_mnist.load_data()


def test_it_returns_what_the_files_contain(loaded, fashion):
    for (images, labels), kind in zip(loaded, ("train", "t10k"), strict=True):
        assert (images.dtype, labels.dtype) == (np.uint8, np.uint8)
        assert np.array_equal(images, fashion.images(kind))
        assert np.array_equal(labels, fashion.labels(kind))
        images[0], labels[0] = 1, 1  # the caller's own


def test_the_arrays_are_those_of_keras(loaded, fashion, tmp_path):
    need_elsewhere("keras")
    if fashion.name != "fashion-mnist":
        pytest.skip("Keras reads the full dataset alone")
    folder = tmp_path / "datasets" / "fashion-mnist"
    folder.mkdir(parents=True)
    for path in fashion.folder.glob("*-ubyte.gz"):
        shutil.copy(path, folder)
    code = """
        import sys
        import numpy as np
        from keras.datasets import fashion_mnist

        np.savez(sys.argv[1], *[array for pair in fashion_mnist.load_data() for array in pair])
    """
    environment = os.environ | {"KERAS_HOME": str(tmp_path), "KERAS_BACKEND": "torch"}
    command = [sys.executable, "-c", textwrap.dedent(code), tmp_path / "arrays.npz"]
    subprocess.run(command, env=environment, check=True, timeout=300)  # the first import of Keras and torch is slow
    original = np.load(tmp_path / "arrays.npz")
    for one, other in zip([array for pair in loaded for array in pair], original.values(), strict=True):
        assert one.dtype == other.dtype
        assert np.array_equal(one, other)


def test_signatures():
    assert not inspect.signature(fashion_mnist.load_data).parameters
    assert inspect.signature(mnist.load_data).parameters["path"].default == "mnist.npz"
    assert idxhub_compat.keras_datasets.__all__ == ["fashion_mnist", "mnist"]


def test_mnist_is_mnist(monkeypatch):
    monkeypatch.setenv("IDXHUB_OFFLINE", "1")
    with pytest.raises(errors.DownloadError, match="MNIST"):
        mnist.load_data("mnist.npz")
