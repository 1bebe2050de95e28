"""The MLX adapter: the kit, when arrays are made, and the types that MLX would change without a word."""

from __future__ import annotations

import pickle

import numpy as np
import pytest
from support import kit, made
from support.needs import need

import idxhub
from idxhub import conformance

mx = need("mlx.core")
from idxhub_adapters.mlx import LazyArrays  # noqa: E402 -- after the skip where it is absent

NAME = "fashion-mnist-sample"


@conformance.parametrize("mlx")
def test_conformance(check, tmp_path):
    check(conformance.case("mlx", tmp_path))


def test_what_is_not_applicable():
    # an index out of range is not noticed, as MLX documents for its arrays
    assert kit.not_applicable("mlx") == kit.DEVICE | {
        *("class-names", "index", "index-out-of-range", "workers-fork", "workers-spawn", "wrong-options")
    }


def get(**arguments):
    return idxhub.get_dataset(NAME, framework="mlx", **arguments)


def test_it_is_a_pair_of_arrays():
    dataset = get()
    assert isinstance(dataset, LazyArrays)
    images, labels = dataset
    assert isinstance(images, mx.array)
    assert isinstance(labels, mx.array)
    assert (images.shape, images.dtype) == ((2000, 28, 28), mx.uint8)
    assert (labels.shape, labels.dtype) == ((2000,), mx.int32)
    expected = idxhub.get_dataset(NAME)
    assert np.array_equal(np.asarray(images), expected.images)
    assert labels.tolist() == expected.labels.tolist()
    assert repr(dataset) == "LazyArrays('fashion-mnist-sample', split='train', images=uint8 (2000, 28, 28))"
    assert "uint8 (2000, 28, 28), HW" in dataset._repr_html_()


def test_an_array_is_made_once_and_when_it_is_asked_for(monkeypatch):
    array, given = mx.array, []
    monkeypatch.setattr(mx, "array", lambda *arguments: given.append(arguments) or array(*arguments))
    dataset = get()
    assert not given
    assert dataset.labels.shape == (2000,)
    assert len(given) == 1
    assert dataset.images is dataset.images
    assert len(given) == 2


def test_float32_has_numpys_bits():
    expected, _ = idxhub.get_dataset(NAME, dtype="float32")
    images = np.asarray(get(dtype="float32").images)
    assert np.array_equal(images.view(np.uint32), expected.view(np.uint32))
    assert get(dtype="float32", layout="HWC").images.shape == (2000, 28, 28, 1)


def test_what_is_written_into_an_array_stays_there():
    first, second = get(), get()
    first.images[:], first.labels[:] = 0, 0
    assert np.asarray(second.images).any()
    assert np.asarray(second.labels).any()
    assert np.array_equal(idxhub.get_dataset(NAME).images, np.asarray(get().images))


def test_a_pickle_has_no_pixels():
    dataset = get(split="train[:100]", dtype="float32")
    assert dataset.images.shape == (100, 28, 28)
    pickled = pickle.dumps(dataset)
    assert len(pickled) < 20_000
    again = pickle.loads(pickled)  # noqa: S301 -- pickled in this test
    assert np.array_equal(np.asarray(again.images), np.asarray(dataset.images))


@pytest.mark.parametrize("dtype", ["int8", "int16", "int32", "float32", "float64"])
def test_images_of_every_type_of_idx_keep_it(dtype, tmp_path):
    """MLX itself makes float32 of float64: of NumPy's arrays, and of a pickle of its own."""
    mine = made.make(tmp_path / "published", dtype=dtype)
    options = {"framework": "mlx", "data_dir": mine.folder, "download": False}
    expected = mine.array(mine.train_images)
    images = np.asarray(pickle.loads(pickle.dumps(idxhub.get_dataset(mine.spec, **options))).images)  # noqa: S301 -- as above
    assert images.dtype == dtype
    assert np.array_equal(images, expected)
    batches = list(idxhub.get_loader(mine.spec, batch_size=8, shuffle=False, **options))
    assert batches[0].images.dtype == getattr(mx, dtype)
    assert np.array_equal(np.concatenate([np.asarray(images) for images, _ in batches]), expected)


def test_get_loader_gives_arrays_in_the_shared_order():
    batches = list(idxhub.get_loader(NAME, framework="mlx", batch_size=128, seed=3))
    assert all(isinstance(batch, idxhub.Arrays) and isinstance(batch.images, mx.array) for batch in batches)
    labels = np.concatenate([np.asarray(batch.labels) for batch in batches])
    assert labels.tolist() == idxhub.get_dataset(NAME).labels[idxhub.order(2000, 3, 0)].tolist()
