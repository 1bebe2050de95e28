"""The MXNet adapter: the kit, and what a dataset of Gluon promises beyond it."""

from __future__ import annotations

import pickle

import numpy as np
import pytest
from support import digests, kit, made
from support.needs import need
from support.processes import python

import idxhub
from idxhub import conformance

mxnet = need("mxnet")
from mxnet import autograd, gluon  # noqa: E402 -- after the skip where it is absent
from mxnet.gluon.data import DataLoader, Dataset  # noqa: E402
from mxnet.gluon.data.vision.transforms import ToTensor  # noqa: E402

NAME = "fashion-mnist-sample"
unpickled = pickle.loads


@conformance.parametrize("mxnet")
def test_conformance(check, tmp_path):
    check(conformance.case("mxnet", tmp_path))


def test_what_is_not_applicable():
    assert kit.not_applicable("mxnet") == kit.DEVICE | {"wrong-options"}


def test_the_digests_of_all_frameworks():
    assert digests.read("mxnet") == (digests.FILE_ORDER, digests.SHUFFLED)


def test_with_a_newer_numpy_it_says_what_to_install():
    done = python(
        """
        import numpy, idxhub
        numpy.__deprecated_attrs__.clear()  # the names that 1.24 no longer has
        try:
            idxhub.get_dataset("fashion-mnist-sample", framework="mxnet")
        except idxhub.errors.MissingFrameworkError as error:
            print(error)
        """
    )
    assert done.stdout.startswith("mxnet needs NumPy before 1.24, so an environment of its own; install it with: pip ")


def get(**arguments):
    return idxhub.get_dataset(NAME, framework="mxnet", **arguments)


@pytest.fixture
def truth():
    return idxhub.get_dataset(NAME)


@pytest.mark.parametrize(
    ("arguments", "shape", "dtype"),
    [
        ({}, (28, 28, 1), "uint8"),
        ({"dtype": "float32"}, (28, 28, 1), "float32"),
        ({"layout": "HW"}, (28, 28), "uint8"),
        ({"layout": "CHW", "dtype": "float32"}, (1, 28, 28), "float32"),
    ],
)
def test_an_element_and_a_batch(arguments, shape, dtype, truth):
    dataset = get(**arguments)
    assert isinstance(dataset, Dataset)
    image, label = dataset[3]
    assert (type(image), image.shape, image.dtype, label.dtype) == (mxnet.nd.NDArray, shape, np.dtype(dtype), "int32")
    images, labels = next(iter(DataLoader(dataset, batch_size=64)))
    assert type(images) is type(labels) is mxnet.nd.NDArray
    assert (images.shape, images.dtype, labels.dtype) == ((64, *shape), np.dtype(dtype), np.int32)
    assert np.array_equal(images.asnumpy()[3], image.asnumpy())
    assert labels.asnumpy().tolist() == truth.labels[:64].tolist()


def test_its_attributes():
    dataset = get()
    assert len(dataset) == 2000
    assert dataset.classes[:2] == ["T-shirt/top", "Trouser"]
    assert dataset.info.dataset == NAME


def test_a_slice_is_several_examples(truth):
    images, labels = get()[-3:]
    assert np.array_equal(images.asnumpy()[..., 0], truth.images[-3:])
    assert labels.tolist() == truth.labels[-3:].tolist()


def test_gluons_transforms_give_what_dtype_gives():
    images, _ = next(iter(DataLoader(get().transform_first(ToTensor()), batch_size=100)))
    expected, _ = next(iter(DataLoader(get(dtype="float32", layout="CHW"), batch_size=100)))
    assert images.shape == expected.shape
    assert np.allclose(images.asnumpy(), expected.asnumpy(), atol=1e-7)
    labels = [label for _, label in get().filter(lambda element: element[1] == 9).take(5)]
    assert labels == [9] * 5
    assert len(get().shard(3, 0)) == 667


def test_float32_has_numpys_bits():
    expected, _ = idxhub.get_dataset(NAME, dtype="float32")
    images, _ = get(dtype="float32")[:]
    assert np.array_equal(images.asnumpy()[..., 0].view(np.uint32), expected.view(np.uint32))


def test_an_element_is_a_view_that_changes_no_file(cache_dir, truth):
    dataset = get()
    before = {path: path.read_bytes() for path in cache_dir.rglob("*.npy")}
    dataset[0][0][:] = 7
    mxnet.nd.waitall()
    assert (dataset[0][0].asnumpy() == 7).all()
    assert {path: path.read_bytes() for path in cache_dir.rglob("*.npy")} == before
    assert np.array_equal(get()[0][0].asnumpy()[..., 0], truth.images[0])


@pytest.mark.parametrize("dtype", ["uint8", "float32"])
def test_a_pickle_has_what_was_written(dtype):
    dataset = get(dtype=dtype)
    dataset[0][0][:] = 7
    mxnet.nd.waitall()
    again = unpickled(pickle.dumps(dataset))
    assert (again[0][0].asnumpy() == 7).all()
    assert np.array_equal(again[1][0].asnumpy(), dataset[1][0].asnumpy())


def test_it_is_pickled_by_reference():
    assert len(pickle.dumps(get())) < 10_000


def test_what_a_program_gives_to_the_adapter_stays_writable():
    images, labels = np.zeros((2, 28, 28, 1), np.uint8), np.zeros(2, np.int32)
    from idxhub_adapters.mxnet import idxhub_batch  # noqa: PLC0415 -- after the skip where MXNet is absent

    idxhub_batch(images, labels)
    assert images.flags.writeable
    assert labels.flags.writeable


def test_arrays_in_the_style_of_numpy(truth):
    mxnet.npx.set_np()
    try:
        image, _ = get()[1]
        images, labels = next(iter(DataLoader(get(), batch_size=8)))
        (batch, _), *_ = idxhub.get_loader(NAME, framework="mxnet", batch_size=8, shuffle=False)
        assert type(image) is type(images) is type(labels) is type(batch) is mxnet.np.ndarray
        assert np.array_equal(image.asnumpy()[..., 0], truth.images[1])
        assert np.array_equal(batch.asnumpy(), images.asnumpy())
    finally:
        mxnet.npx.reset_np()


def test_a_dtype_that_mxnet_does_not_take_is_refused(tmp_path):
    mine = made.make(tmp_path / "published", dtype="int16")
    options = {"framework": "mxnet", "data_dir": mine.folder, "download": False}
    for refused in (
        lambda: idxhub.get_dataset(mine.spec, **options),
        lambda: list(idxhub.get_loader(mine.spec, batch_size=8, **options)),
    ):
        with pytest.raises(idxhub.errors.ArgumentError, match=r"is 'int16'; it must be one that MXNet takes"):
            refused()


def test_batches_come_in_the_shared_order(truth):
    batches = list(idxhub.get_loader(NAME, framework="mxnet", batch_size=128, seed=3))
    assert all(type(batch) is list for batch in batches)
    where = idxhub.order(2000, 3, 0)
    assert np.array_equal(np.concatenate([images.asnumpy() for images, _ in batches])[..., 0], truth.images[where])
    assert np.concatenate([labels.asnumpy() for _, labels in batches]).tolist() == truth.labels[where].tolist()


def test_a_model_trains_on_it():
    mxnet.random.seed(0)
    network = gluon.nn.Dense(10)
    network.initialize()
    trainer = gluon.Trainer(network.collect_params(), "sgd", {"learning_rate": 0.1})
    loss_of = gluon.loss.SoftmaxCrossEntropyLoss()
    losses = []
    for _ in range(3):
        total = 0.0
        for images, labels in idxhub.get_loader(NAME, framework="mxnet", batch_size=64, dtype="float32"):
            with autograd.record():
                loss = loss_of(network(images), labels)
            loss.backward()
            trainer.step(len(labels))
            total += float(loss.sum().asscalar())
        losses.append(total)
    assert losses[2] < losses[1] < losses[0]
