"""A split is pickled by reference to the cache, or by value if it is no longer what the cache has."""

import pickle
from dataclasses import replace

import numpy as np
import pytest
from support.processes import python

from idxhub import load
from idxhub.cache.layout import list_cache_folders


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
    arrived = pickle.loads(pickle.dumps(split))  # noqa: S301
    np.testing.assert_array_equal(arrived.images, split.images)
    np.testing.assert_array_equal(arrived.labels, split.labels)
