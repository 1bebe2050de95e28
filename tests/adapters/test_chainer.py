"""The Chainer adapter: the kit, and what a TupleDataset and Chainer's iterators make of it."""

from __future__ import annotations

import numpy as np
import pytest
from support import digests, kit
from support.needs import need
from support.processes import python

import idxhub
from idxhub import conformance

chainer = need("chainer")

NAME = "fashion-mnist-sample"


@conformance.parametrize("chainer")
def test_conformance(check, tmp_path):
    check(conformance.case("chainer", tmp_path))


def test_what_is_not_applicable():
    assert kit.not_applicable("chainer") == kit.DEVICE | {"class-names", "wrong-options"}


def test_the_digests_of_all_frameworks():
    assert digests.read("chainer") == (digests.FILE_ORDER, digests.SHUFFLED)


def test_with_a_newer_numpy_it_says_what_to_install():
    done = python(
        """
        import numpy, idxhub
        del numpy.sctypes  # as in NumPy 2
        try:
            idxhub.get_dataset("fashion-mnist-sample", framework="chainer")
        except idxhub.errors.MissingFrameworkError as error:
            print(error)
        """
    )
    assert done.stdout.startswith(
        "chainer needs NumPy before 1.24, so an environment of its own; install it with: pip "
    )


def get(**arguments):
    return idxhub.get_dataset(NAME, framework="chainer", **arguments)


@pytest.fixture
def truth():
    return idxhub.get_dataset(NAME)


@pytest.mark.parametrize(
    ("arguments", "shape", "dtype"),
    [
        ({}, (1, 28, 28), "uint8"),
        ({"dtype": "float32"}, (1, 28, 28), "float32"),
        ({"layout": "HW"}, (28, 28), "uint8"),
        ({"layout": "HWC", "dtype": "float32"}, (28, 28, 1), "float32"),
    ],
)
def test_an_element_and_a_batch(arguments, shape, dtype, truth):
    dataset = get(**arguments)
    assert type(dataset) is chainer.datasets.TupleDataset
    assert len(dataset) == 2000
    image, label = dataset[3]
    assert (image.shape, image.dtype, label.dtype) == (shape, dtype, "int32")
    batch = next(chainer.iterators.SerialIterator(dataset, 64, shuffle=False))
    images, labels = chainer.dataset.concat_examples(batch)
    assert (images.shape, images.dtype, labels.dtype) == ((64, *shape), dtype, "int32")
    assert np.array_equal(images[3], image)
    assert labels.tolist() == truth.labels[:64].tolist()


def test_a_slice_is_a_list_of_elements():
    dataset = get()
    assert [label for _, label in dataset[5:8]] == [dataset[i][1] for i in (5, 6, 7)]


def test_it_is_described():
    assert get().info.dataset == NAME
    assert get().info.records[0].form == "published"


def test_images_are_the_mapped_file(cache_dir):
    dataset = get()
    before = {path: path.read_bytes() for path in cache_dir.rglob("*.npy")}
    dataset[0][0][...] = 7
    assert (dataset[0][0] == 7).all()
    assert {path: path.read_bytes() for path in cache_dir.rglob("*.npy")} == before


def test_batches_come_in_the_shared_order(truth):
    batches = list(idxhub.get_loader(NAME, framework="chainer", batch_size=128, seed=3))
    assert all(type(batch) is tuple for batch in batches)
    where = idxhub.order(2000, 3, 0)
    assert np.array_equal(np.concatenate([images for images, _ in batches])[:, 0], truth.images[where])
    assert np.concatenate([labels for _, labels in batches]).tolist() == truth.labels[where].tolist()


def test_a_model_trains_on_it():
    model = chainer.links.Classifier(chainer.links.Linear(784, 10))
    optimiser = chainer.optimizers.SGD(0.1).setup(model)
    losses = []
    for _ in range(3):
        total = 0.0
        for batch in chainer.iterators.SerialIterator(get(dtype="float32"), 64, repeat=False):
            images, labels = chainer.dataset.concat_examples(batch)
            optimiser.update(model, images, labels)
            total += float(model.loss.array)
        losses.append(total)
    assert losses[2] < losses[1] < losses[0]
