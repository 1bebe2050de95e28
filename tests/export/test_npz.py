"""`npz`, read by NumPy in the way of Keras' datasets."""

from __future__ import annotations

import zipfile

import numpy as np
import pytest


@pytest.mark.parametrize("compress", [False, True])
def test_numpy(data, same, compress):
    path = data.exported("npz", compress=compress)
    with np.load(path, allow_pickle=False) as file:
        assert sorted(file) == sorted(f"{letter}_{name}" for name in data.splits for letter in "xy")
        for name, split in data.splits.items():
            assert (file[f"x_{name}"].dtype, file[f"y_{name}"].dtype) == (np.uint8, np.uint8)
            same((file[f"x_{name}"], file[f"y_{name}"]), split)


def test_it_is_smaller_if_it_is_compressed(fashion_mnist):
    plain = fashion_mnist.exported("npz", compress=False)
    small = fashion_mnist.exported("npz", compress=True)
    assert small.stat().st_size < 0.7 * plain.stat().st_size


def test_the_file_is_that_of_numpy_but_for_the_system(odd, tmp_path):
    """So nothing in it depends on when it was written."""
    path = odd.export("npz", tmp_path / "out.npz")
    arrays = {}
    for name, (images, labels) in odd.splits.items():
        arrays |= {f"x_{name}": images, f"y_{name}": labels}
    np.savez(tmp_path / "numpy.npz", **arrays)
    with zipfile.ZipFile(path) as ours, zipfile.ZipFile(tmp_path / "numpy.npz") as theirs:
        assert [each.filename for each in ours.infolist()] == [each.filename for each in theirs.infolist()]
        for one, other in zip(ours.infolist(), theirs.infolist(), strict=True):
            assert ours.read(one) == theirs.read(other)
            assert one.date_time == (1980, 1, 1, 0, 0, 0)
