"""The Keras adapter: the kit and training on each backend, and which epoch a pass of Keras is."""

from __future__ import annotations

import importlib.util
import os
import pickle
import subprocess
import sys

import numpy as np
import pytest
from support import kit
from support.needs import need, need_elsewhere
from support.processes import python

import idxhub
from idxhub import conformance

keras = need("keras")
from idxhub_adapters.keras import IdxPyDataset  # noqa: E402 -- after the skip where it is absent

NAME = "fashion-mnist-sample"
BACKENDS = ("jax", "tensorflow", "torch")


@conformance.parametrize("keras")
def test_conformance(check, tmp_path):
    check(conformance.case("keras", tmp_path))


OTHERS = [each for each in BACKENDS if each != keras.backend.backend()]


@pytest.fixture(scope="module")
def commands():
    """`idxhub conformance keras` on each other backend that is installed: they run at the same time."""
    command = [sys.executable, "-m", "idxhub", "conformance", "keras"]
    pipes = {"stdout": subprocess.PIPE, "stderr": subprocess.STDOUT, "text": True}
    found = [each for each in OTHERS if importlib.util.find_spec(each)]
    started = {each: subprocess.Popen(command, env=os.environ | {"KERAS_BACKEND": each}, **pipes) for each in found}
    yield started
    for each in started.values():
        each.kill()
        each.communicate()


@pytest.mark.parametrize("backend", OTHERS)
def test_conformance_on_the_other_backends(backend, commands):
    need_elsewhere(backend)
    printed, _ = commands[backend].communicate(timeout=600)
    assert commands[backend].returncode == 0, printed
    assert "keras: 49 passed, 0 failed, 6 skipped" in printed


@pytest.mark.parametrize("backend", BACKENDS)
def test_the_error_for_a_backend_that_is_not_installed_names_the_setting(backend):
    others = " or ".join(each for each in ("tensorflow", "jax", "torch") if each != backend)
    python(
        f"""
        import sys

        sys.modules[{backend!r}] = None  # as if it were not installed
        import idxhub

        try:
            idxhub.get_dataset({NAME!r}, framework="keras")
        except idxhub.errors.MissingFrameworkError as error:
            assert str(error).startswith("Keras needs its backend {backend}, which is not installed; "), error
            assert str(error).endswith("set the environment variable KERAS_BACKEND to {others}"), error
            assert error.name == {backend!r}
        else:
            raise AssertionError
        """,
        env=os.environ | {"KERAS_BACKEND": backend},
    )


def test_what_is_not_applicable():
    assert kit.not_applicable("keras") == kit.DEVICE | {"workers-fork", "workers-spawn"}


@pytest.mark.parametrize(
    ("option", "value", "must_be"),
    [
        *[("batch_size", value, "an integer of 1 or more") for value in (0, -1, "8", 8.5, True, None)],
        *[("seed", value, "an integer of 0 or more") for value in (-1, "a", None, True)],
        *[(switch, value, "True or False") for switch in ("shuffle", "drop_last") for value in ("no", 1, None)],
    ],
    ids=repr,
)
def test_a_wrong_option_is_refused_before_any_file_is_searched_for(option, value, must_be, cache_dir):
    with pytest.raises(idxhub.errors.ArgumentError) as caught:
        idxhub.get_dataset("fashion-mnist", framework="keras", download=False, **{option: value})
    assert (caught.value.kind, caught.value.must_be) == (option, must_be)
    assert not cache_dir.exists()


# With more than one worker, Keras 3.15 trains on some batches twice and on others never, except with TensorFlow.
@pytest.mark.parametrize("option", ["workers", "use_multiprocessing", "max_queue_size"])
def test_there_are_no_workers(option):
    with pytest.raises(idxhub.errors.UnknownNameError, match=f"unknown keras option '{option}'"):
        get(**{option: 1})


def get(**arguments):
    return idxhub.get_dataset(NAME, framework="keras", **arguments)


def labels_of(dataset):
    return np.concatenate([labels for _, labels in dataset]).tolist()


def labels_in(*epochs, seed=0):
    labels = idxhub.get_dataset(NAME).labels
    return [labels[idxhub.order(2000, seed, epoch)].tolist() for epoch in epochs]


def test_an_element_is_a_batch():
    train = get()
    assert isinstance(train, keras.utils.PyDataset)
    assert isinstance(train, IdxPyDataset)
    assert (len(train), train.num_batches, train.num_examples) == (63, 63, 2000)
    images, labels = train[0]
    assert (images.shape, images.dtype, labels.shape, labels.dtype) == ((32, 28, 28, 1), np.uint8, (32,), np.int32)
    assert len(train[-1][1]) == 16
    for index in (63, -64):
        with pytest.raises(IndexError, match=rf"batch {index} is out of range for 63 batches"):
            train[index]
    images, _ = get(dtype="float32", layout="CHW", batch_size=np.uint8(200))[9]
    assert (images.shape, images.dtype) == ((200, 1, 28, 28), np.float32)
    assert train.class_names[9] == "Ankle boot"
    assert repr(train) == "IdxPyDataset('fashion-mnist-sample', split='train', 63 batches)"
    assert "63 of 32" in train._repr_html_()


@pytest.mark.parametrize(("size", "drop_last", "sizes"), [(600, False, [600] * 3 + [200]), (600, True, [600] * 3)])
def test_the_last_batch(size, drop_last, sizes):
    assert [len(labels) for _, labels in get(batch_size=size, drop_last=drop_last)] == sizes


def test_a_batch_is_a_copy():
    train = get(batch_size=100)
    images, labels = train[0]
    images[...], labels[...] = 0, 0
    assert train[0][0].any()
    assert train[0][1].any()


def test_batches_are_those_of_every_framework():
    train = get(batch_size=128, shuffle=True, seed=3, dtype="float32", layout="HW")
    loader = idxhub.get_loader(NAME, batch_size=128, seed=3, dtype="float32")
    for epoch in range(3):
        assert train.epoch == epoch
        for (mine, label), (expected, right) in zip(train, loader, strict=True):
            assert np.array_equal(mine, expected)
            assert np.array_equal(label, right)
        train.on_epoch_end()


def test_an_epoch_ends_when_all_of_its_batches_were_read():
    train = get(batch_size=128, shuffle=True)
    first, second = labels_in(0, 1)
    train.on_epoch_begin()
    train[0]
    train.on_epoch_end()  # as Keras does after it has learnt the shapes
    assert labels_of(train) == labels_of(train) == first
    train.on_epoch_end()
    train.on_epoch_end()  # nothing was read since
    assert labels_of(train) == second
    train.epoch = 0
    assert labels_of(train) == first


def test_a_pickle_has_its_epoch_and_no_pixels():
    train = get(shuffle=True, seed=1)
    train.epoch = 2
    pickled = pickle.dumps(train)
    assert len(pickled) < 20_000
    assert labels_of(pickle.loads(pickled)) == labels_in(2, seed=1)[0]  # noqa: S301 -- pickled in this test


@pytest.mark.parametrize("backend", BACKENDS)
def test_what_a_model_is_trained_on(backend):
    """`fit` gives the weights that `train_on_batch` gives on the batches of get_loader, epoch by epoch."""
    need_elsewhere(backend)
    python(
        """
        import keras, numpy as np, idxhub

        def model():
            keras.utils.set_random_seed(0)
            layers = [keras.Input((28, 28, 1)), keras.layers.Flatten(), keras.layers.Dense(10)]
            made = keras.Sequential(layers)
            loss = keras.losses.SparseCategoricalCrossentropy(from_logits=True)
            made.compile(keras.optimizers.SGD(0.1), loss, metrics=["accuracy"])
            return made

        same = {"name": "fashion-mnist-sample", "framework": "keras", "dtype": "float32", "batch_size": 128, "seed": 1}
        train, test = (idxhub.get_dataset(**same, split=s, shuffle=s == "train") for s in ("train", "test"))
        fitted = model()
        fitted.fit(train, epochs=2, shuffle=False, validation_data=test, verbose=0)
        assert train.epoch == 2
        fitted.fit(train, shuffle=False, verbose=0)  # another fit goes on with the next epoch
        assert train.epoch == 3

        def stepped(epochs):
            other, loader = model(), idxhub.get_loader(**same)
            for epoch in epochs:
                loader.set_epoch(epoch)
                for images, labels in loader:
                    other.train_on_batch(images, labels)
            return other.get_weights()[0]

        found = fitted.get_weights()[0]
        np.testing.assert_allclose(found, stepped([0, 1, 2]), rtol=0, atol=1e-6)
        assert np.abs(found - stepped([1, 2, 3])).max() > 1e-3  # in other epochs, other weights

        x, y = idxhub.get_dataset("fashion-mnist-sample", split="test", dtype="float32", layout="HWC")
        np.testing.assert_allclose(fitted.predict(test, verbose=0), fitted.predict(x, batch_size=128, verbose=0))
        accuracy = fitted.evaluate(test, return_dict=True, verbose=0)["accuracy"]
        assert np.isclose(accuracy, (fitted.predict(test, verbose=0).argmax(1) == y).mean())
        assert accuracy > 0.6
        """,
        env=os.environ | {"KERAS_BACKEND": backend, "TF_CPP_MIN_LOG_LEVEL": "3"},
    )
