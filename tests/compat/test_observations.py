"""`observations.fashion_mnist`, as in Edward's observations."""

from __future__ import annotations

import inspect

import numpy as np
import pytest

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
