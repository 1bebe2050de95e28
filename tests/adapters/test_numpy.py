"""The NumPy adapter: the kit, and what is NumPy's own."""

from __future__ import annotations

import numpy as np
from support import digests, kit

import idxhub
from idxhub import conformance


@conformance.parametrize("numpy")
def test_conformance(check, tmp_path):
    check(conformance.case("numpy", tmp_path))


def test_what_is_not_applicable():
    missing = {"class-names", "workers-fork", "workers-spawn", "missing-framework", "wrong-options"}
    assert kit.not_applicable("numpy") == kit.DEVICE | missing


def test_the_digests_of_all_frameworks():
    assert digests.read("numpy") == (digests.FILE_ORDER, digests.SHUFFLED)


def test_it_returns_a_pair_with_names():
    arrays = idxhub.get_dataset("fashion-mnist-sample")
    images, labels = arrays
    assert isinstance(arrays, idxhub.Arrays)
    assert arrays.images is images
    assert arrays.labels is labels
    assert (images.shape, images.dtype) == ((2000, 28, 28), np.uint8)
    assert (labels.shape, labels.dtype) == ((2000,), np.int64)
    assert type(images) is np.ndarray


def test_images_are_mapped_and_may_be_written_into(cache_dir):
    images, _ = idxhub.get_dataset("fashion-mnist-sample")
    assert images.flags.writeable
    assert images.ctypes.data % 64 == 0
    before = {path: path.read_bytes() for path in cache_dir.rglob("*.npy")}
    images[:] = 7
    assert {path: path.read_bytes() for path in cache_dir.rglob("*.npy")} == before


def test_float32_is_a_new_array_of_quotients():
    pixels, _ = idxhub.get_dataset("fashion-mnist-sample")
    scaled, _ = idxhub.get_dataset("fashion-mnist-sample", dtype="float32")
    assert np.array_equal(scaled, pixels.astype(np.float32) / np.float32(255))
    assert (scaled.min(), scaled.max()) == (0, 1)


def test_the_full_dataset_is_the_published_one(full_data_dir):
    train, test = idxhub.get_dataset(split=("train", "test"), data_dir=full_data_dir, download=False)
    assert (train.images.shape, test.images.shape) == ((60_000, 28, 28), (10_000, 28, 28))
    assert train.labels[:10].tolist() == [9, 0, 0, 3, 0, 2, 7, 2, 5, 5]
    assert np.bincount(train.labels).tolist() == [6_000] * 10
    assert np.bincount(test.labels).tolist() == [1_000] * 10
    # the mean and standard deviation that its users normalise with
    pixels = train.images / 255
    assert round(float(pixels.mean()), 4) == 0.2860
    assert round(float(pixels.std()), 4) == 0.3530
