"""`sklearn_datasets.fetch`, in the style of scikit-learn's functions."""

from __future__ import annotations

import copy
import inspect
import pickle
import sys

import numpy as np
import pytest
from support.needs import need

from idxhub import errors
from idxhub_compat.sklearn_datasets import Bunch, fetch

unpickled = pickle.loads


def test_a_bunch(fashion):
    bunch = fetch(fashion.name, data_home=fashion.folder)
    images = np.concatenate([fashion.images("train"), fashion.images("t10k")])
    labels = np.concatenate([fashion.labels("train"), fashion.labels("t10k")])
    assert (bunch.data.dtype, bunch.target.dtype) == (np.uint8, np.int64)
    assert np.array_equal(bunch.data, images.reshape(-1, 784))
    assert np.array_equal(bunch.images, images)
    assert np.array_equal(bunch.target, labels)
    assert bunch.target_names[9] == "Ankle boot"
    assert (bunch.feature_names[0], bunch.feature_names[-1], len(bunch.feature_names)) == ("pixel1", "pixel784", 784)
    assert bunch.frame is None
    assert bunch.DESCR.startswith("Fashion-MNIST")
    assert "xiao2017" in bunch.DESCR


def test_return_x_y_and_split(sample):
    data, target = fetch(sample.name, split="test[:10]", return_X_y=True)
    assert np.array_equal(data, sample.images("t10k")[:10].reshape(-1, 784))
    assert np.array_equal(target, sample.labels("t10k")[:10])


def test_the_default_is_fashion_mnist():
    parameters = inspect.signature(fetch).parameters
    assert parameters["name"].default == "fashion-mnist"
    assert [parameters[each].default for each in ("return_X_y", "as_frame", "download_if_missing", "data_home")] == [
        *(False, False, True, None)
    ]


def test_frames(sample):
    pandas = need("pandas")
    bunch = fetch(sample.name, as_frame=True)
    assert isinstance(bunch.data, pandas.DataFrame)
    assert isinstance(bunch.target, pandas.Series)
    assert [*bunch.frame.columns] == [*bunch.feature_names, "class"]
    assert np.array_equal(
        bunch.frame[bunch.feature_names].to_numpy()[:2000].reshape(-1, 28, 28), sample.images("train")
    )
    assert bunch.frame["class"].equals(bunch.target)
    data, target = fetch(sample.name, as_frame=True, return_X_y=True)
    assert data.equals(bunch.data)
    assert target.equals(bunch.target)


def test_a_missing_pandas_is_an_import_error_as_in_scikit_learn(sample, monkeypatch):
    monkeypatch.setitem(sys.modules, "pandas", None)
    assert fetch(sample.name).frame is None
    with pytest.raises(errors.MissingFrameworkError, match=r"which as_frame=True needs; pip install pandas$"):
        fetch(sample.name, as_frame=True)


def test_missing_files_are_an_os_error_as_in_scikit_learn():
    with pytest.raises(errors.DownloadError) as caught:
        fetch("kmnist", download_if_missing=False)
    assert isinstance(caught.value, OSError)


@pytest.mark.parametrize("change", [copy.copy, lambda bunch: unpickled(pickle.dumps(bunch))])
def test_items_are_attributes(change):
    bunch = change(Bunch(data=1))
    assert bunch.data == bunch["data"] == 1
    bunch.target = 2
    assert bunch["target"] == 2
    assert {"data", "target", "keys"} <= set(dir(bunch))
    with pytest.raises(AttributeError, match="nothing"):
        bunch.nothing  # noqa: B018 -- reading it raises


def test_it_is_like_scikit_learns_own(sample):
    theirs, mine = need("sklearn.datasets").load_digits(), fetch(sample.name)
    assert set(theirs) == set(mine)
    for key in ("data", "target", "images"):
        assert theirs[key].ndim == mine[key].ndim
