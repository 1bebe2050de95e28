"""`mxnet_vision`: the classes of `mxnet.gluon.data.vision`, beside them, on the same files."""

from __future__ import annotations

import inspect
import os
import shutil

import numpy as np
import pytest
from support.needs import need

from idxhub import errors

mxnet = need("mxnet")
from mxnet.gluon.data import DataLoader  # noqa: E402
from mxnet.gluon.data.vision import datasets, transforms  # noqa: E402

from idxhub_compat import mxnet_vision  # noqa: E402


@pytest.fixture
def root(sample, tmp_path, monkeypatch):
    """A folder with the sample's files, which both read; MXNet's downloads are replaced by them."""
    monkeypatch.setattr(mxnet_vision.FashionMNIST, "dataset_name", sample.name)
    monkeypatch.setattr(datasets, "download", lambda url, path, sha1_hash: os.path.join(path, os.path.basename(url)))
    for path in sample.folder.glob("*-ubyte.gz"):
        shutil.copy(path, tmp_path)
    return tmp_path


@pytest.mark.parametrize("train", [True, False])
def test_elements(train, root):
    mine, theirs = (each.FashionMNIST(str(root), train) for each in (mxnet_vision, datasets))
    assert isinstance(mine, mxnet.gluon.data.Dataset)
    assert len(mine) == len(theirs)
    for index in (0, 3, -1):
        (image, label), (expected, expected_label) = mine[index], theirs[index]
        assert type(image) is type(expected)
        assert (image.shape, image.dtype) == (expected.shape, expected.dtype) == ((28, 28, 1), np.uint8)
        assert np.array_equal(image.asnumpy(), expected.asnumpy())
        assert type(label) is type(expected_label) is np.int32
        assert label == expected_label
    images, labels = mine[2:5]
    assert (images.shape, labels.shape) == ((3, 28, 28, 1), (3,))


def test_transforms_and_batches(root):
    batches = []
    for each in (mxnet_vision, datasets):
        dataset = each.FashionMNIST(str(root)).transform_first(transforms.ToTensor())
        batches.append(next(iter(DataLoader(dataset, batch_size=32))))
    for one, other in zip(*batches, strict=True):
        assert one.dtype == other.dtype
        assert np.array_equal(one.asnumpy(), other.asnumpy())
    own = mxnet_vision.FashionMNIST(
        str(root), transform=lambda image, label: (image.astype("float32") / 255, label + 1)
    )
    theirs = datasets.FashionMNIST(str(root), transform=lambda image, label: (image.astype("float32") / 255, label + 1))
    assert np.array_equal(own[4][0].asnumpy(), theirs[4][0].asnumpy())
    assert own[4][1] == theirs[4][1]


def test_arrays_in_the_style_of_numpy(root):
    mxnet.npx.set_np()
    try:
        mine, theirs = (each.FashionMNIST(str(root)) for each in (mxnet_vision, datasets))
        for one, other in zip(mine[1], theirs[1], strict=True):
            assert type(one) is type(other)
            assert np.array_equal(one.asnumpy(), other.asnumpy())
    finally:
        mxnet.npx.reset_np()


@pytest.mark.parametrize("name", ["MNIST", "FashionMNIST"])
def test_signatures(name):
    mine, theirs = (inspect.signature(getattr(module, name)).parameters for module in (mxnet_vision, datasets))
    assert [(each.name, each.default) for each in mine.values()] == [
        (each.name, each.default) for each in theirs.values()
    ]


def test_mnist_is_mnist(monkeypatch):
    monkeypatch.setenv("IDXHUB_OFFLINE", "1")
    with pytest.raises(errors.DownloadError, match="MNIST"):
        mxnet_vision.MNIST()
