"""`chainer_datasets`: the functions of `chainer.datasets`, alone and beside them."""

from __future__ import annotations

import inspect
import warnings

import numpy as np
import pytest
from support.needs import need

from idxhub import errors
from idxhub_compat import chainer_datasets
from idxhub_compat.chainer_datasets import TupleDataset, get_fashion_mnist

FUNCTIONS = ("get_fashion_mnist", "get_mnist", "get_kuzushiji_mnist")
OPTIONS = [
    {},
    {"ndim": 2, "scale": 255.0},
    {"ndim": 3, "dtype": np.float16, "label_dtype": np.int64},
    {"ndim": 3, "rgb_format": True, "dtype": np.float64},
    {"ndim": 2, "rgb_format": True},
    {"withlabel": False},
    {"withlabel": False, "ndim": 3, "rgb_format": True, "scale": 2.0},
]


@pytest.fixture(autouse=True)
def named(sample, monkeypatch):
    monkeypatch.setattr(chainer_datasets, "NAME", sample.name)


def test_the_defaults(sample):
    train, test = get_fashion_mnist()
    assert (len(train), len(test)) == (2000, 500)
    image, label = train[5]
    assert (image.shape, image.dtype, label.dtype) == ((784,), np.float32, np.int32)
    images, labels = map(np.stack, zip(*test[:], strict=True))
    expected = sample.images("t10k").reshape(-1, 784).astype(np.float32)
    expected *= 1.0 / 255.0  # the original multiplies
    assert np.array_equal(images, expected)
    assert np.array_equal(labels, sample.labels("t10k"))


@pytest.mark.parametrize(("options", "shape"), [({}, (784,)), ({"ndim": 2}, (28, 28)), ({"ndim": 3}, (1, 28, 28))])
def test_shapes(options, shape):
    images, _ = get_fashion_mnist(withlabel=False, **options)
    assert images.shape == (2000, *shape)


def test_rgb():
    images, _ = get_fashion_mnist(withlabel=False, ndim=3, rgb_format=True)
    assert images.shape == (2000, 3, 28, 28)
    assert np.array_equal(images[:, 0], images[:, 2])


def test_another_ndim_is_a_value_error_as_in_the_original():
    with pytest.raises(ValueError, match="ndim is 4; it must be 1, 2 or 3"):
        get_fashion_mnist(ndim=4)


def test_an_integer_type_is_a_type_error_as_in_the_original():
    with pytest.raises(TypeError):
        get_fashion_mnist(dtype=np.uint8)


def test_a_tuple_dataset():
    dataset = TupleDataset([8, 0, 5, 1], np.array([3, 1, 7, 4]))
    assert len(dataset) == 4
    assert dataset[1] == (0, 1)
    assert dataset[-1] == (1, 4)
    assert dataset[1:3] == [(0, 1), (5, 7)]
    with pytest.raises(IndexError):
        dataset[4]
    for wrong in ([], [[1], [1, 2]]):
        with pytest.raises(ValueError, match="all of one length"):
            TupleDataset(*wrong)


def test_the_names_of_labels():
    labels = chainer_datasets.get_fashion_mnist_labels()
    assert (labels[0], labels[9], len(labels)) == ("T-shirt/top", "Ankle boot", 10)


@pytest.mark.parametrize("name", ["get_mnist", "get_kuzushiji_mnist"])
def test_other_datasets_are_other_datasets(name):
    with pytest.raises(errors.DownloadError, match="MNIST"):
        getattr(chainer_datasets, name)()


class TestBesideChainer:
    """The original, with the same files in place of its downloads."""

    @pytest.fixture(autouse=True)
    def chainer(self):
        with warnings.catch_warnings():
            warnings.simplefilter("ignore", DeprecationWarning)  # it imports distutils
            return need("chainer")

    @pytest.mark.parametrize("name", FUNCTIONS)
    def test_signatures(self, name, chainer):
        mine, theirs = (
            inspect.signature(getattr(module, name)).parameters for module in (chainer_datasets, chainer.datasets)
        )
        assert [(each.name, each.default) for each in mine.values()] == [
            (each.name, each.default) for each in theirs.values()
        ]

    @pytest.mark.parametrize("options", OPTIONS, ids=str)
    def test_examples(self, options, sample, chainer, monkeypatch):
        original = chainer.datasets.fashion_mnist
        for retrieve, kind in (("training", "train"), ("test", "t10k")):
            raw = {"x": sample.images(kind).reshape(-1, 784), "y": sample.labels(kind)}
            monkeypatch.setattr(original, f"_retrieve_fashion_mnist_{retrieve}", lambda raw=raw: raw)
        for mine, theirs in zip(get_fashion_mnist(**options), original.get_fashion_mnist(**options), strict=True):
            if isinstance(theirs, np.ndarray):
                pairs = [(mine, theirs)]
            else:
                pairs = [*zip(mine._datasets, theirs._datasets, strict=True)]
                assert type(mine[0]) is type(theirs[0]) is tuple
                assert type(mine[1:3]) is type(theirs[1:3]) is list
            for one, other in pairs:
                assert (one.dtype, one.shape) == (other.dtype, other.shape)
                assert one.tobytes() == other.tobytes()

    def test_chainers_configuration_gives_the_dtype(self, chainer):
        with chainer.using_config("dtype", np.float16):
            assert get_fashion_mnist(withlabel=False)[0].dtype == np.float16

    def test_an_iterator(self, chainer):
        train, _ = get_fashion_mnist()
        batch = next(chainer.iterators.SerialIterator(train, 32))
        images, labels = chainer.dataset.concat_examples(batch)
        assert (images.shape, labels.shape) == ((32, 784), (32,))

    def test_labels(self, chainer):
        original = chainer.datasets.fashion_mnist
        assert chainer_datasets.get_fashion_mnist_labels() == original.get_fashion_mnist_labels()
