"""The public functions on a dataset of one's own."""

from dataclasses import replace
from types import SimpleNamespace

import numpy as np
import pytest
from support import made

import idxhub
from idxhub import Arrays, Plugins, as_layout, errors, get_dataset, load, to_float32
from idxhub.cache.layout import list_cache_folders
from idxhub.cache.store import Cache
from idxhub.catalog.builtin.fashion_mnist import FASHION_MNIST
from idxhub.data.arrays import LAYOUTS


@pytest.fixture
def options(toy):
    return {"data_dir": toy.folder, "download": False}


def test_load_gives_the_arrays_and_their_description(toy, options):
    split = load(toy.spec, "test", **options)
    assert len(split) == 12
    assert split.classes == made.CLASSES
    assert (split.info.dataset, split.info.split, split.info.num_examples) == ("toy", "test", 12)
    assert split.info.spec == toy.spec
    assert [record.filename for record in split.info.records] == [each.filename for each in toy.spec.resources[2:]]
    np.testing.assert_array_equal(split.images, toy.arrays["test-images-idx3-ubyte"])


@pytest.mark.parametrize("kind", [tuple, list])
def test_several_splits_give_a_tuple(toy, options, kind):
    first, rest, test = get_dataset(toy.spec, split=kind(["train[:50%]", "train[50%:]", "test"]), **options)
    np.testing.assert_array_equal(np.concatenate([first.images, rest.images]), toy.array(toy.train_images))
    assert len(test.labels) == 12
    assert len(get_dataset(toy.spec, split=kind(["test"]), **options)) == 1


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("train", lambda train, test: train),
        ("train[:5]", lambda train, test: train[:5]),
        ("train[-5:]", lambda train, test: train[-5:]),
        ("train[5:5]", lambda train, test: train[5:5]),
        ("train+test", lambda train, test: np.concatenate([train, test])),
        ("test+train[20%:40%]", lambda train, test: np.concatenate([test, train[6:12]])),
        ("test+test", lambda train, test: np.concatenate([test, test])),
        ("all", lambda train, test: np.concatenate([train, test])),
    ],
)
def test_split_strings_give_the_examples_that_they_name(toy, options, text, expected):
    arrays = get_dataset(toy.spec, split=text, **options)
    assert isinstance(arrays, Arrays)
    assert (arrays.images.dtype, arrays.labels.dtype) == (np.uint8, np.int64)
    for what in ("images-idx3", "labels-idx1"):
        whole = expected(toy.arrays[f"train-{what}-ubyte"], toy.arrays[f"test-{what}-ubyte"])
        np.testing.assert_array_equal(arrays[what.startswith("labels")], whole)


@pytest.mark.parametrize(("layout", "shape"), [(None, (6, 5)), ("HW", (6, 5)), ("CHW", (1, 6, 5)), ("HWC", (6, 5, 1))])
@pytest.mark.parametrize("dtype", [None, "uint8", "float32"])
def test_dtype_and_layout(toy, options, layout, shape, dtype):
    images = get_dataset(toy.spec, layout=layout, dtype=dtype, **options).images
    assert images.shape == (30, *shape)
    stored = toy.array(toy.train_images)
    expected = (stored.astype(np.float64) / 255).astype(np.float32) if dtype == "float32" else stored
    assert images.dtype == expected.dtype
    np.testing.assert_array_equal(images.reshape(30, 6, 5), expected)


@pytest.mark.parametrize("dtype", ["uint8", "int16", "int32", "float32"])
def test_every_pixel_value_is_correctly_rounded(dtype):
    scaled = to_float32(np.arange(256).astype(dtype))
    assert scaled.dtype == np.float32
    np.testing.assert_array_equal(scaled, (np.arange(256) / 255).astype(np.float32))


@pytest.mark.parametrize("layout", [None, *LAYOUTS])
def test_layouts_are_views(layout):
    images = np.zeros((4, 3, 2), np.uint8)
    assert np.shares_memory(as_layout(images, layout), images)


def test_an_unknown_layout_is_not_taken_for_another():
    with pytest.raises(errors.UnknownNameError, match="unknown layout 'CWH'; did you mean 'CHW'"):
        as_layout(np.zeros((4, 3, 2), np.uint8), "CWH")


def test_the_default_is_never_another_dataset(monkeypatch):
    """Without the data, get_dataset() fails; it never gives the sample instead."""
    monkeypatch.setenv("IDXHUB_OFFLINE", "1")
    nowhere = replace(FASHION_MNIST, folders=())
    with pytest.raises(errors.DownloadError, match=r"train-.*of fashion-mnist was not found"):
        get_dataset(nowhere)


def test_batches(toy, options):
    split = replace(load(toy.spec, **options), dtype="float32", layout="HWC")
    batch = split.batch(np.array([3, 1, 3]))
    assert (batch.shape, batch.dtype) == ((3, 6, 5, 1), np.float32)
    np.testing.assert_array_equal(batch[..., 0], to_float32(toy.array(toy.train_images)[[3, 1, 3]]))
    assert split.element_shape == (6, 5, 1)


def test_a_name_of_ones_own_never_meets_the_built_in_cache(tmp_path, cache_dir):
    """A spec with a built-in name and other files: neither is ever taken for the other."""
    mine = made.make(tmp_path / "published", name="fashion-mnist-sample")
    for _ in range(2):
        own = get_dataset(mine.spec, data_dir=mine.folder)
        built_in = get_dataset("fashion-mnist-sample")
        np.testing.assert_array_equal(own.images, mine.array(mine.train_images))
        assert built_in.images.shape == (2000, 28, 28)
    assert len(list_cache_folders(cache_dir)) == 2
    assert Cache(cache_dir, replace(mine.spec, name="fashion-mnist")).folder != Cache(cache_dir, FASHION_MNIST).folder


def test_the_same_files_said_to_be_of_another_shape_are_refused(toy, options, cache_dir):
    get_dataset(toy.spec, **options)
    images = replace(toy.train_images, shape=(30, 5, 6))
    other = replace(toy.spec, splits={"train": replace(toy.spec.splits["train"], images=images)})
    with pytest.raises(errors.IdxFormatError, match="the digest is right"):
        get_dataset(other, **options)
    np.testing.assert_array_equal(get_dataset(toy.spec, **options).images, toy.array(toy.train_images))


@pytest.mark.parametrize(
    ("shape", "dtype", "converted"),
    [
        *[(shape, "uint8", "float32") for shape in ((), (7,), (4, 3, 2))],
        *[((6, 5), dtype, dtype) for dtype in ("int16", "float32", "float64")],
    ],
)
def test_other_shapes_and_wider_elements_come_as_they_are(tmp_path, shape, dtype, converted):
    mine = made.make(tmp_path / "published", shape=shape, dtype=dtype)
    images = get_dataset(mine.spec, data_dir=mine.folder).images
    assert images.dtype == dtype
    np.testing.assert_array_equal(images, mine.array(mine.train_images))
    again = get_dataset(mine.spec, dtype=converted).images
    assert (again.shape, again.dtype) == ((30, *shape), converted)
    if shape != (6, 5):
        with pytest.raises(errors.UnknownNameError, match="has arrays of shape"):
            get_dataset(mine.spec, layout="CHW")
    else:
        with pytest.raises(errors.UnknownNameError, match=f"Choices: {dtype}"):
            get_dataset(mine.spec, dtype="uint8")


def test_dir_shows_the_public_names_alone():
    assert dir(idxhub) == sorted(idxhub.__all__) == idxhub.__all__
    for name in idxhub.__all__:
        assert getattr(idxhub, name) is not None


def test_names_are_listed():
    assert {"fashion-mnist", "fashion-mnist-sample"} <= set(idxhub.datasets())
    assert {"numpy", "torch"} <= set(idxhub.adapters())


def test_the_real_dataset(full_data_dir):
    train, test = get_dataset(split=("train", "test"), data_dir=full_data_dir, download=False)
    assert train.images.shape == (60_000, 28, 28)
    assert test.images.shape == (10_000, 28, 28)
    assert train.labels[:5].tolist() == [9, 0, 0, 3, 0]  # the release of 2017-08-31
    np.testing.assert_array_equal(np.bincount(train.labels), [6000] * 10)
    np.testing.assert_array_equal(np.bincount(test.labels), [1000] * 10)
    pixels = train.images.reshape(-1)
    assert round(pixels.mean(dtype=np.float64) / 255, 4) == 0.2860
    split = load(split="train", plugins=Plugins([]), download=False)
    assert all(record.source.startswith(str(full_data_dir)) for record in split.info.records)


def test_what_a_notebook_shows_is_one_line():
    name = "fashion-mnist-sample"
    shown = "images=uint8 (2000, 28, 28), labels=int64 (2000,)"
    arrays = idxhub.get_dataset(name)
    assert repr(arrays) == f"Arrays('{name}', split='train', {shown})"
    assert repr(arrays.info) == f"DatasetInfo('{name}', split='train', num_examples=2000)"
    assert repr(idxhub.load(name)) == f"Split('{name}', split='train', {shown})"
    converted = replace(idxhub.load(name), dtype="float32", layout="CHW")
    assert repr(converted) == f"Split('{name}', split='train', {shown}, dtype='float32', layout='CHW')"
    (batch,) = idxhub.get_loader(name, split="train[:3]", batch_size=3)
    assert repr(batch) == "Arrays(images=uint8 (3, 28, 28), labels=int64 (3,))"
    assert repr(idxhub.Arrays(object(), 3)) == "Arrays(images=object, labels=int)"
    half = SimpleNamespace(dtype="uint8"), SimpleNamespace(shape=(3,))
    assert repr(idxhub.Arrays(*half)) == "Arrays(images=SimpleNamespace, labels=SimpleNamespace)"
