"""A split is pickled by reference to the cache, or by value if it is no longer what the cache has."""

import pickle
from dataclasses import replace

import numpy as np
import pytest
from support.processes import python

from idxhub import load
from idxhub.cache.layout import list_cache_folders
from idxhub.data.arrays import have_same_bytes


@pytest.mark.parametrize("text", ["train", "train[10:20]", "train+test", "train[:0]"])
def test_an_untouched_split_is_pickled_by_reference(large, text):
    split = load(large.spec, text, data_dir=large.folder)
    changed = replace(split, labels=split.labels.astype(np.int32), dtype="float32", layout="CHW")
    data = pickle.dumps(changed)
    assert len(data) < 4000
    arrived = pickle.loads(data)  # noqa: S301
    np.testing.assert_array_equal(arrived.images, split.images)
    np.testing.assert_array_equal(arrived.labels, split.labels)
    assert (arrived.labels.dtype, arrived.dtype, arrived.layout) == (np.int32, "float32", "CHW")
    assert arrived.info == split.info
    arrived.images[:] = 0  # copy-on-write there too
    np.testing.assert_array_equal(load(large.spec, text).images, split.images)


def test_a_reference_is_read_in_another_process(large):
    split = load(large.spec, "train[:100]", data_dir=large.folder)
    done = python("print(len(given), int(given.images.sum()), int(given.labels.sum()))", given=split)
    assert done.stdout.split() == [str(each) for each in (100, split.images.sum(), split.labels.sum())]


def write_into(array):
    array[3] = 1 + array[3]


BY_VALUE = {
    "images written into": lambda split, _: write_into(split.images),
    "labels written into": lambda split, _: write_into(split.labels),
    "records gone": lambda _, record: record.unlink(),
    "records damaged": lambda _, record: record.write_text("{"),
}


@pytest.mark.parametrize("change", BY_VALUE)
def test_a_split_that_the_cache_does_not_have_is_pickled_by_value(large, cache_dir, change):
    split = load(large.spec, "train", data_dir=large.folder)
    (folder,) = list_cache_folders(cache_dir)
    for record in folder.glob("*.json"):
        BY_VALUE[change](split, record)
    files = {path: path.read_bytes() for path in folder.iterdir()}
    data = pickle.dumps(split)
    assert len(data) > split.images.nbytes
    assert {path: path.read_bytes() for path in folder.iterdir()} == files  # nothing was built again
    arrived = pickle.loads(data)  # noqa: S301
    np.testing.assert_array_equal(arrived.images, split.images)
    np.testing.assert_array_equal(arrived.labels, split.labels)


@pytest.mark.parametrize("at", [0, (1 << 22) - 1, 1 << 22, -1])
def test_bytes_are_compared_to_the_end(at):
    one = np.zeros((9, 1 << 20), np.uint8)  # three steps of 4 MiB
    other = one.copy()
    assert have_same_bytes(one, other)
    other.reshape(-1)[at] = 1
    assert not have_same_bytes(one, other)


@pytest.mark.parametrize(
    ("one", "other", "same"),
    [
        (np.zeros(4, np.uint8), np.zeros(3, np.uint8), False),
        (np.zeros(3, np.uint8), np.zeros(4, np.uint8), False),
        (np.zeros((4, 1), np.uint8), np.zeros(4, np.uint8), False),
        (np.zeros(4, np.uint8), np.zeros(4, np.int8), False),
        (np.zeros(4, np.float32), -np.zeros(4, np.float32), False),
        (np.full(4, np.nan), np.full(4, np.nan), True),
        (np.zeros((0, 5)), np.zeros((0, 5)), True),
        (np.zeros((0, 5)), np.zeros((0, 4)), False),
        (np.zeros((5, 0)), np.zeros((5, 0)), True),
    ],
)
def test_arrays_with_the_same_bytes(one, other, same):
    assert have_same_bytes(one, other) is same
