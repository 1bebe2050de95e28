"""`observations.fashion_mnist`, beside that of Edward's observations."""

from __future__ import annotations

import gzip
import inspect

import numpy as np
import pytest
from support.needs import need

from idxhub import errors
from idxhub_compat import observations


def test_it_returns_what_the_original_computes(fashion, monkeypatch):
    monkeypatch.setattr(observations, "NAME", fashion.name)
    for folder in (fashion.folder, "~/data", None):
        (x_train, y_train), (x_test, y_test) = observations.fashion_mnist(folder)
    for images, labels, kind in ((x_train, y_train, "train"), (x_test, y_test, "t10k")):
        assert (images.dtype, labels.dtype) == (np.float64, np.uint8)
        assert np.array_equal(images, fashion.images(kind).reshape(-1, 784).astype(float))
        assert np.array_equal(labels, fashion.labels(kind))
    assert [*inspect.signature(observations.fashion_mnist).parameters] == ["path"]


def test_a_folder_with_another_dataset_is_refused(sample):
    with pytest.raises(errors.ChecksumError, match="this folder does not hold Fashion-MNIST"):
        observations.fashion_mnist(sample.folder)


def test_the_arrays_are_those_of_the_original(full_data_dir, full_cache, tmp_path, monkeypatch):
    original = need("observations")
    monkeypatch.setenv("IDXHUB_CACHE", str(full_cache))
    for path in full_data_dir.glob("*-ubyte.gz"):
        (tmp_path / path.stem).write_bytes(gzip.decompress(path.read_bytes()))
    for mine, theirs in zip(observations.fashion_mnist(tmp_path), original.fashion_mnist(str(tmp_path)), strict=True):
        for one, other in zip(mine, theirs, strict=True):
            assert one.dtype == other.dtype
            assert np.array_equal(one, other)
