"""The tinygrad adapter: the kit, devices, and what is there without a compiler."""

from __future__ import annotations

import os
import pickle
import shutil
import subprocess
import sys

import numpy as np
import pytest
from support import kit, made
from support.needs import need
from support.processes import raised_in

import idxhub
from idxhub import conformance

tinygrad = need("tinygrad")

NAME = "fashion-mnist-sample"


@pytest.fixture(autouse=True)
def _default_device():
    """tinygrad's own: the fastest that works, or the one of the environment variable DEV."""
    try:
        tinygrad.Device.DEFAULT  # noqa: B018 -- it raises RuntimeError if there is none
    except RuntimeError:
        if "DEV" in os.environ:  # as in tox: then a device was promised
            raise
        pytest.skip("no device of tinygrad works here: install the program clang, or set DEV=PYTHON")


@conformance.parametrize("tinygrad")
def test_conformance(check, tmp_path):
    check(conformance.case("tinygrad", tmp_path))


def test_conformance_on_the_cpu():
    if shutil.which("clang") is None:
        pytest.skip("tinygrad's device for the CPU needs the program clang, which Debian's package `clang` has")
    done = subprocess.run(
        [sys.executable, "-m", "idxhub", "conformance", "tinygrad"],
        env=os.environ | {"DEV": "CPU"},
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 0, done.stdout + done.stderr
    assert "tinygrad: 48 passed, 0 failed, 7 skipped" in done.stdout


def test_what_is_not_applicable():
    assert kit.not_applicable("tinygrad") == kit.DEVICE | {"class-names", "workers-fork", "workers-spawn"}


def get(**arguments):
    return idxhub.get_dataset(NAME, framework="tinygrad", **arguments)


def test_it_is_a_pair_of_tensors():
    arrays = get()
    assert isinstance(arrays, idxhub.Arrays)
    images, labels = arrays
    assert isinstance(images, tinygrad.Tensor)
    assert isinstance(labels, tinygrad.Tensor)
    assert images.device == labels.device == tinygrad.Device.DEFAULT
    assert (images.shape, images.dtype) == ((2000, 1, 28, 28), tinygrad.dtypes.uint8)
    assert (labels.shape, labels.dtype) == ((2000,), tinygrad.dtypes.int32)
    expected = idxhub.get_dataset(NAME, layout="CHW")
    assert np.array_equal(images.numpy(), expected.images)
    assert labels.tolist() == expected.labels.tolist()
    assert "(2000, 1, 28, 28)" in arrays._repr_html_()


def test_float32_has_numpys_bits():
    expected, _ = idxhub.get_dataset(NAME, dtype="float32", layout="HW")
    images = get(dtype="float32", layout="HW").images.numpy()
    assert np.array_equal(images.view(np.uint32), expected.view(np.uint32))


def test_a_device_by_its_name():
    images, labels = get(device="npy")
    assert images.device == labels.device == "NPY"
    expected = idxhub.get_dataset(NAME, layout="CHW").images
    assert np.array_equal(images[10:20].numpy(), expected[10:20])
    assert np.array_equal(images.to("PYTHON").numpy(), expected)


@pytest.mark.parametrize("device", ["no-such-device", "", 3, True, ("NPY", "NPY")], ids=repr)
def test_an_unknown_device_is_refused(device, cache_dir):
    with pytest.raises(idxhub.errors.ArgumentError, match=r"^device is .* the name of a device that works here"):
        idxhub.get_dataset("fashion-mnist", framework="tinygrad", device=device, download=False)
    assert not cache_dir.exists()


@pytest.mark.parametrize("function", ["get_dataset(**asked)", "list(get_loader(batch_size=8, **asked))"])
def test_without_any_device_the_error_says_what_to_install(function):
    """Only the CPU is left, and no program is found."""
    error = raised_in(
        f"""
        import tinygrad.device
        from idxhub import get_dataset, get_loader
        tinygrad.device.ALL_DEVICES[:] = ["CPU"]
        asked = {{"name": "fashion-mnist-sample", "framework": "tinygrad"}}
        {function}
        """,
        env=os.environ | {"DEV": "", "PATH": "", "CC": "no-such-compiler"},
    )
    assert isinstance(error, idxhub.errors.MissingFrameworkError)
    assert "needs the program clang; install it, or set the environment variable DEV=PYTHON" in str(error)


@pytest.mark.parametrize("dtype", ["int8", "int16", "int32", "float32", "float64"])
def test_images_of_every_type_of_idx_keep_it(dtype, tmp_path):
    mine = made.make(tmp_path / "published", dtype=dtype)
    options = {"framework": "tinygrad", "data_dir": mine.folder, "download": False}
    expected = mine.array(mine.train_images)[:, None]
    images = pickle.loads(pickle.dumps(idxhub.get_dataset(mine.spec, **options))).images.numpy()  # noqa: S301 -- pickled here
    assert images.dtype == dtype
    assert np.array_equal(images, expected)
    batches = list(idxhub.get_loader(mine.spec, batch_size=8, shuffle=False, **options))
    assert np.array_equal(np.concatenate([images.numpy() for images, _ in batches]), expected)


def test_get_loader_gives_tensors_in_the_shared_order():
    batches = list(idxhub.get_loader(NAME, framework="tinygrad", batch_size=128, seed=3))
    assert all(isinstance(batch, idxhub.Arrays) and isinstance(batch.images, tinygrad.Tensor) for batch in batches)
    labels = np.concatenate([batch.labels.numpy() for batch in batches])
    assert labels.tolist() == idxhub.get_dataset(NAME).labels[idxhub.order(2000, 3, 0)].tolist()
