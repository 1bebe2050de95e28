"""`input_data.read_data_sets`, as in TensorFlow 1."""

from __future__ import annotations

import inspect
import pickle

import numpy as np
import pytest
from support.needs import need

from idxhub import errors
from idxhub_compat import input_data
from idxhub_compat.input_data import read_data_sets


@pytest.fixture(autouse=True)
def named(request, monkeypatch):
    if "fashion" in request.fixturenames:
        monkeypatch.setattr(input_data, "NAME", request.getfixturevalue("fashion").name)
    elif "sample" in request.fixturenames:
        monkeypatch.setattr(input_data, "NAME", request.getfixturevalue("sample").name)


def test_the_parts(fashion):
    data = read_data_sets(fashion.folder, validation_size=500)
    images, labels = fashion.images("train").reshape(-1, 784), fashion.labels("train")
    assert data._fields == ("train", "validation", "test")
    assert [each.num_examples for each in data] == [len(images) - 500, 500, len(fashion.labels("t10k"))]
    assert np.array_equal(data.validation.labels, labels[:500])
    assert np.array_equal(data.train.labels, labels[500:])
    assert (data.train.images.dtype, data.train.labels.dtype) == (np.float32, np.uint8)
    # the original multiplies
    assert np.array_equal(data.train.images, np.multiply(images[500:].astype(np.float32), 1.0 / 255.0))
    assert np.array_equal(data.test.images, np.multiply(fashion.images("t10k").reshape(-1, 784), np.float32(1 / 255)))


def test_the_signature_is_the_originals():
    parameters = inspect.signature(read_data_sets).parameters
    names = ["train_dir", "fake_data", "one_hot", "dtype", "reshape", "validation_size", "seed", "source_url"]
    assert [*parameters] == names
    assert [parameters[name].default for name in names[1:]] == [False, False, np.float32, True, 5000, None, None]
    assert [*inspect.signature(input_data.DataSet.next_batch).parameters] == [
        *("self", "batch_size", "fake_data", "shuffle"),
    ]


def test_options(sample):
    data = read_data_sets(sample.folder, one_hot=True, dtype=np.uint8, reshape=False, validation_size=0)
    assert (data.train.images.shape, data.train.images.dtype) == ((2000, 28, 28, 1), np.uint8)
    assert np.array_equal(data.train.images[..., 0], sample.images("train"))
    assert (data.train.labels.shape, data.train.labels.dtype) == ((2000, 10), np.float64)
    assert np.array_equal(data.train.labels.argmax(1), sample.labels("train"))
    assert (data.train.labels.sum(1) == 1).all()
    images, labels = data.train.next_batch(7)
    assert (images.shape, images.dtype, labels.shape) == ((7, 28, 28, 1), np.uint8, (7, 10))
    with pytest.raises(errors.ArgumentError, match="batch_size is 1; it must be an integer of 0 or less"):
        data.validation.next_batch(1)


@pytest.mark.parametrize("dtype", ["float32", np.float32, np.dtype("float32")])
def test_spellings_of_a_dtype(dtype, sample):
    assert read_data_sets(sample.folder, dtype=dtype, validation_size=0).test.images.dtype == np.float32


def test_a_dtype_of_tensorflow(sample):
    tensorflow = need("tensorflow")
    assert read_data_sets(sample.folder, dtype=tensorflow.uint8, validation_size=0).test.images.dtype == np.uint8


@pytest.mark.parametrize("dtype", [np.float64, "int32", "nothing", 3])
def test_another_dtype_is_a_type_error_as_in_the_original(dtype, sample):
    with pytest.raises(TypeError, match="it must be uint8 or float32"):
        read_data_sets(sample.folder, dtype=dtype)


@pytest.mark.parametrize("size", [-1, 2001, 5000])
def test_a_validation_size_out_of_range_is_a_value_error_as_in_the_original(size, sample):
    with pytest.raises(ValueError, match="validation_size is "):
        read_data_sets(sample.folder, validation_size=size)


class Original:
    """The order of the batches as the original makes them: the images themselves are shuffled, by NumPy's generator."""

    def __init__(self, count, seed):
        self.random, self.rows, self.start = np.random.RandomState(seed), np.arange(count), 0
        self.epochs = 0

    def shuffle(self):
        permutation = np.arange(len(self.rows))
        self.random.shuffle(permutation)
        self.rows = self.rows[permutation]

    def next_batch(self, size, *, shuffle):
        start = self.start
        if self.epochs == 0 and start == 0 and shuffle:
            self.shuffle()
        if start + size <= len(self.rows):
            self.start += size
            return self.rows[start : self.start]
        self.epochs += 1
        tail = self.rows[start:]
        if shuffle:
            self.shuffle()
        self.start = size - len(tail)
        return np.concatenate([tail, self.rows[: self.start]])


@pytest.mark.parametrize("shuffle", [True, False])
@pytest.mark.parametrize("size", [1, 64, 700, 1500])
def test_batches_cross_epochs_as_the_originals_do(size, shuffle, sample):
    data = read_data_sets(sample.folder, dtype="uint8", validation_size=500, seed=3).train
    original = Original(1500, 3)
    images, labels = sample.images("train")[500:].reshape(-1, 784), sample.labels("train")[500:]
    for _ in range(60):
        rows = original.next_batch(size, shuffle=shuffle)
        batch = data.next_batch(size, shuffle=shuffle)
        assert len(rows) == size
        assert np.array_equal(batch[0], images[rows])
        assert np.array_equal(batch[1], labels[rows])
        assert data.epochs_completed == original.epochs


def test_an_epoch_has_every_example_once(sample):
    data = read_data_sets(sample.folder, validation_size=0, seed=0).train
    seen = np.concatenate([data.next_batch(400)[0] for _ in range(5)])
    assert data.epochs_completed == 0  # as in the original: it ends with the first batch that needs more
    expected = sample.images("train").reshape(-1, 784) * np.float32(1 / 255)
    assert np.array_equal(np.sort(seen.sum(1)), np.sort(expected.sum(1)))


def test_a_batch_of_several_epochs_is_not_short(sample):
    data = read_data_sets(sample.folder, validation_size=1990, seed=0).train
    images, labels = data.next_batch(35)
    assert (len(images), len(labels), data.epochs_completed) == (35, 35, 3)
    assert np.bincount(labels, minlength=10).sum() == 35


def test_a_seed_repeats_the_batches_and_leaves_numpys_generator_alone(sample):
    np.random.seed(5)  # noqa: NPY002 -- the generator that the original seeds anew
    expected = np.random.RandomState(5).rand()
    sets = [read_data_sets(sample.folder, seed=1, validation_size=0) for _ in range(2)]
    one, other = (each.train.next_batch(50) for each in sets)
    assert np.array_equal(one[0], other[0])
    assert np.random.rand() == expected  # noqa: NPY002 -- as above


@pytest.mark.parametrize("dtype", ["uint8", "float32"])
def test_what_is_written_into_the_arrays_is_in_the_next_batches(dtype, sample):
    data = read_data_sets(sample.folder, dtype=dtype, validation_size=0).train
    data.images[:], data.labels[:] = 7, 3
    images, labels = data.next_batch(2500)
    assert (images == 7).all()
    assert (labels == 3).all()
    assert not (read_data_sets(sample.folder, dtype=dtype, validation_size=0).train.images == 7).all()


@pytest.mark.parametrize("options", [{}, {"dtype": "uint8", "one_hot": True}, {"fake_data": True}], ids=str)
def test_a_pickled_set_goes_on_with_the_same_batches(options, sample):
    data = read_data_sets(sample.folder, seed=1, validation_size=0, **options)
    data.train.next_batch(700)
    again = pickle.loads(pickle.dumps(data))  # noqa: S301 -- made here
    for one, other in zip(data.train.next_batch(50), again.train.next_batch(50), strict=True):
        assert np.array_equal(one, other)


def test_fake_data_needs_no_files(tmp_path):
    data = read_data_sets(tmp_path, fake_data=True, one_hot=True)
    assert data.train.num_examples == 10_000
    images, labels = data.train.next_batch(2, fake_data=True)
    assert images == [[1] * 784] * 2
    assert labels == [[1] + [0] * 9] * 2
    assert read_data_sets(tmp_path, fake_data=True).test.next_batch(1, fake_data=True)[1] == [0]


def test_a_folder_with_mnist_is_refused(mnist_dir, full_data_dir, monkeypatch):
    monkeypatch.setenv("IDXHUB_MIRRORS", str(full_data_dir))
    with pytest.raises(errors.ChecksumError, match="is a file of MNIST: this folder does not hold Fashion-MNIST"):
        read_data_sets(mnist_dir)


def test_source_url_is_a_mirror(fashion, tmp_path, monkeypatch):
    monkeypatch.delenv("IDXHUB_MIRRORS", raising=False)
    monkeypatch.setenv("IDXHUB_CACHE", str(tmp_path / "cache"))
    data = read_data_sets(tmp_path / "data", source_url=f"{fashion.folder}/", validation_size=0)
    assert data.train.num_examples == len(fashion.labels("train"))
    assert not (tmp_path / "data").exists()
