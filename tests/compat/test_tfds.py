"""`tfds.load`, alone and beside TensorFlow Datasets."""

from __future__ import annotations

import gzip
import hashlib
import inspect
import os

import numpy as np
import pytest
from support.needs import need

from idxhub import errors
from idxhub_compat import tfds

tf = need("tensorflow")


@pytest.fixture
def named(sample, monkeypatch):
    """The sample in place of Fashion-MNIST."""
    monkeypatch.setitem(tfds.NAMES, "fashion_mnist", sample.name)
    return sample


def test_every_split_as_dictionaries(named):
    loaded = tfds.load("fashion_mnist")
    assert {name: int(dataset.cardinality()) for name, dataset in loaded.items()} == {"train": 2000, "test": 500}
    assert loaded["test"].element_spec == {
        "image": tf.TensorSpec((28, 28, 1), tf.uint8),
        "label": tf.TensorSpec((), tf.int64),
    }
    images, labels = zip(*((each["image"], each["label"]) for each in loaded["test"].as_numpy_iterator()), strict=True)
    assert np.array_equal(np.stack(images)[..., 0], named.images("t10k"))
    assert np.array_equal(labels, named.labels("t10k"))


@pytest.mark.parametrize("name", ["fashion_mnist", "fashion_mnist:3.0.1", "fashion_mnist:3.*.*"])
def test_batches_of_pairs(name, named):
    dataset = tfds.tfds_load(name, split="train[:100]", as_supervised=True, batch_size=64, shuffle_files=True)
    sizes = [len(labels) for _, labels in dataset]
    assert sizes == [64, 36]
    images, _ = next(iter(dataset))
    assert (images.shape, images.dtype) == ((64, 28, 28, 1), tf.uint8)


def test_the_structure_of_the_splits_is_kept(named):
    one, other = tfds.load("fashion_mnist", split=["train[:10%]", "test"])
    assert (int(one.cardinality()), int(other.cardinality())) == (200, 500)
    loaded = tfds.load("fashion_mnist", split={"a": ("test",)}, batch_size=500)
    assert int(loaded["a"][0].cardinality()) == 1


@pytest.mark.parametrize("split", ["test", "train+test"])
def test_the_whole_split_as_tensors(split, named):
    images, labels = tfds.load("fashion_mnist", split=split, batch_size=-1, as_supervised=True)
    assert np.array_equal(images[-500:, ..., 0], named.images("t10k"))
    assert np.array_equal(labels[-500:], named.labels("t10k"))
    loaded = tfds.load("fashion_mnist", split=split, batch_size=-1)
    assert np.array_equal(loaded["image"], images)


def test_info(named):
    dataset, info = tfds.load("fashion_mnist", split="train", with_info=True)
    assert int(dataset.cardinality()) == info.splits["train"].num_examples == 2000
    label = info.features["label"]
    assert (label.num_classes, label.int2str(9), label.str2int("Ankle boot")) == (10, "Ankle boot", 9)
    with pytest.raises(LookupError, match="unknown class 'Ankle boots'; did you mean 'Ankle boot'"):
        label.str2int("Ankle boots")
    assert label.names[0] == "T-shirt/top"
    assert info.features["image"].shape == (28, 28, 1)
    assert "xiao2017" in info.citation


def test_mistakes(named):
    with pytest.raises(ValueError, match="name is 'cifar10'; it must be one of fashion_mnist, mnist, kmnist"):
        tfds.load("cifar10")
    with pytest.raises(ValueError, match="split is 'validation'; it must be made of train, test"):
        tfds.load("fashion_mnist", split="validation")
    with pytest.raises(errors.UnknownNameError, match="load argument 'splits'; did you mean 'split'"):
        tfds.load("fashion_mnist", splits="train")
    with pytest.raises(errors.ArgumentError, match=r"decoders is .* it must be None or left out"):
        tfds.load("fashion_mnist", decoders={"image": None})
    assert set(tfds.load("fashion_mnist", decoders=None, try_gcs=False)) == {"train", "test"}


@pytest.mark.parametrize(
    ("split", "why"),
    [
        ("", "made of train, test: it is empty"),
        ("train+nothing", "made of train, test"),
        ("train[a:b]", "made of train, test: 'a' is neither a whole number nor a whole percentage"),
        ("train[:2001]", "made of train, test: train has only 2,000 examples"),
        ("train[1shard]", r"made of train, test: '\[1shard\]' has no colon; write .*"),
    ],
)
@pytest.mark.parametrize("size", [None, -1])
def test_a_split_that_does_not_exist_is_a_value_error_as_in_the_original(size, split, why, named):
    with pytest.raises(ValueError, match=f"it must be {why}$"):
        tfds.load("fashion_mnist", split=split, batch_size=size)


def test_no_examples_are_no_tensors(named):
    with pytest.raises(errors.ArgumentError, match=r"split is 'test\[:0\]'; it must be one with examples"):
        tfds.load("fashion_mnist", split="test[:0]", batch_size=-1)


@pytest.mark.parametrize("name", ["mnist", "kmnist"])
def test_other_datasets_are_other_datasets(name, named):
    with pytest.raises(errors.DownloadError, match="MNIST"):
        tfds.load(name, split="train", download=False)


@pytest.fixture(scope="session")
def prepared(full_data_dir, tmp_path_factory):
    """TensorFlow Datasets, and a folder with its own Fashion-MNIST, made of the same files."""
    original = need("tensorflow_datasets")
    folder = tmp_path_factory.mktemp("tfds")

    def unpack(self, urls):
        target = folder / "unpacked"
        target.mkdir(exist_ok=True)
        unpacked = {}
        for key, url in urls.items():
            name = os.path.basename(url)
            unpacked[key] = str(target / name)
            (target / name).write_bytes(gzip.decompress((full_data_dir / name).read_bytes()))
        return unpacked

    change = pytest.MonkeyPatch()
    change.setattr(original.download.DownloadManager, "download_and_extract", unpack)
    try:
        original.builder("fashion_mnist", data_dir=folder).download_and_prepare()
    finally:
        change.undo()
    return original, folder


def digests(dataset):
    return sorted(
        hashlib.sha256(image.tobytes() + bytes([label])).digest() for image, label in dataset.as_numpy_iterator()
    )


def test_the_examples_are_those_of_the_original(prepared, full_data_dir, monkeypatch):
    original, folder = prepared
    monkeypatch.setenv("IDXHUB_MIRRORS", str(full_data_dir))
    theirs, their_info = original.load("fashion_mnist", data_dir=folder, download=False, with_info=True)
    mine, info = tfds.load("fashion_mnist", with_info=True)
    assert set(mine) == set(theirs)
    for name, dataset in theirs.items():
        assert mine[name].element_spec == dataset.element_spec
        assert mine[name].cardinality() == dataset.cardinality()
        assert info.splits[name].num_examples == their_info.splits[name].num_examples
    options = {"split": "test", "as_supervised": True}
    one, other = (load("fashion_mnist", **options, data_dir=folder) for load in (tfds.load, original.load))
    assert one.element_spec == other.element_spec
    assert digests(one) == digests(other)
    for size in (64, -1):
        options = {"split": "test", "as_supervised": True, "batch_size": size, "data_dir": folder}
        one, other = (load("fashion_mnist", **options) for load in (tfds.load, original.load))
        if size == -1:
            assert [type(each) for each in one] == [type(each) for each in other]
            assert [(each.shape, each.dtype) for each in one] == [(each.shape, each.dtype) for each in other]
        else:
            assert one.element_spec == other.element_spec
    label, their_label = (each.features["label"] for each in (info, their_info))
    assert (label.num_classes, label.names) == (their_label.num_classes, their_label.names)
    assert info.supervised_keys == their_info.supervised_keys
    assert info.features["image"].shape == their_info.features["image"].shape


def test_the_signature_is_the_originals():
    theirs = inspect.signature(need("tensorflow_datasets").load).parameters
    mine = inspect.signature(tfds.load).parameters
    assert set(theirs) == {*mine, *tfds._OTHERS} - {"others"}
    for name in set(mine) - {"others"}:
        assert (mine[name].default, mine[name].kind) == (theirs[name].default, theirs[name].kind)
