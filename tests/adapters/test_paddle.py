"""The PaddlePaddle adapter: the kit, and what a Dataset, its DataLoader and a dataset of batches promise beyond it."""

from __future__ import annotations

import hashlib
import pickle

import numpy as np
import pytest
from support import digests, kit
from support.needs import need
from support.processes import python

import idxhub
from idxhub import conformance

paddle = need("paddle")
from paddle.io import DataLoader, Dataset, IterableDataset, Subset  # noqa: E402 -- after the skip where it is absent

from idxhub_adapters.paddle import IdxBatches, IdxDataset  # noqa: E402

NAME = "fashion-mnist-sample"
unpickled = pickle.loads
# of the images and labels of the sample's train split in batches of 128, in the order of seed 3, epoch 0
SHUFFLED = "3ebdf8818ee3d789939aba2b1bcd0af267f79d6b15288fae81667f9946849b28"


@conformance.parametrize("paddle")
def test_conformance(check, tmp_path):
    check(conformance.case("paddle", tmp_path))


def test_what_is_not_applicable():
    assert kit.not_applicable("paddle") == kit.DEVICE


def test_the_digests_of_all_frameworks():
    assert digests.read("paddle") == (digests.FILE_ORDER, digests.SHUFFLED)


def test_after_tensorflow_it_is_refused_since_it_would_crash():
    done = python(
        """
        import sys, types, idxhub
        sys.modules["tensorflow"] = types.ModuleType("tensorflow")
        try:
            idxhub.get_dataset("fashion-mnist-sample", framework="paddle")
        except idxhub.errors.MissingFrameworkError as error:
            print(error)
        """
    )
    assert done.stdout == "PaddlePaddle crashes if TensorFlow was imported before: import paddle first\n"


def get(**arguments):
    return idxhub.get_dataset(NAME, framework="paddle", **arguments)


@pytest.fixture
def truth():
    return idxhub.get_dataset(NAME)


def digest(batches):
    found = hashlib.sha256()
    for images, labels in batches:
        found.update(np.ascontiguousarray(images.numpy()))
        found.update(labels.numpy().astype("<i8"))
    return found.hexdigest()


@pytest.mark.parametrize(
    ("option", "value", "must_be"),
    [
        ("batch_size", 0, "an integer of 1 or more"),
        ("batch_size", "8", "an integer of 1 or more"),
        ("shuffle", True, "False if batch_size is not given"),
        ("drop_last", True, "False if batch_size is not given"),
        ("seed", -1, "an integer of 0 or more"),
        ("shuffle", "yes", "True or False"),
    ],
)
def test_a_wrong_option_is_refused(option, value, must_be, cache_dir):
    with pytest.raises(idxhub.errors.ArgumentError, match=rf"^{option} is {value!r}; it must be {must_be}"):
        idxhub.get_dataset("fashion-mnist", framework="paddle", download=False, **{option: value})
    assert not cache_dir.exists()


@pytest.mark.parametrize(
    ("arguments", "shape", "dtype"),
    [
        ({}, (1, 28, 28), "uint8"),
        ({"dtype": "float32"}, (1, 28, 28), "float32"),
        ({"layout": "HWC"}, (28, 28, 1), "uint8"),
        ({"layout": "HW", "dtype": "float32"}, (28, 28), "float32"),
    ],
)
def test_an_element_and_a_batch(arguments, shape, dtype, truth):
    dataset = get(**arguments)
    assert isinstance(dataset, Dataset)
    image, label = dataset[3]
    assert (type(image), image.shape, image.dtype, label.dtype) == (np.ndarray, shape, dtype, "int64")
    images, labels = next(iter(DataLoader(dataset, batch_size=64)))
    assert type(images) is type(labels) is paddle.Tensor
    assert (tuple(images.shape), images.dtype, labels.dtype) == ((64, *shape), getattr(paddle, dtype), paddle.int64)
    assert np.array_equal(images.numpy()[3], image)
    assert labels.tolist() == truth.labels[:64].tolist()


def test_its_attributes():
    dataset = get()
    assert len(dataset) == 2000
    assert dataset.classes[:2] == ["T-shirt/top", "Trouser"]
    assert dataset.info.dataset == NAME
    assert get(batch_size=8).classes == dataset.classes
    assert get(batch_size=8).info.records == dataset.info.records


def test_a_slice_is_several_examples(truth):
    images, labels = get()[-3:]
    assert np.array_equal(images[:, 0], truth.images[-3:])
    assert labels.tolist() == truth.labels[-3:].tolist()


def test_iterating_ends():
    assert sum(1 for _ in get()) == 2000


@pytest.mark.parametrize("dtype", ["uint8", "float32"])
def test_elements_are_the_callers_own(dtype):
    dataset = get(dtype=dtype)
    dataset[0][0][...] = 0
    assert dataset[0][0].any()


def test_paddles_own_wrapper(truth):
    images, labels = next(iter(DataLoader(Subset(get(), list(range(100, 110))), batch_size=10)))
    assert np.array_equal(images.numpy()[:, 0], truth.images[100:110])
    assert labels.tolist() == truth.labels[100:110].tolist()


def test_it_is_pickled_by_reference_with_what_a_subclass_adds(truth):
    small = pickle.dumps(get())
    assert len(small) < 10_000
    assert np.array_equal(unpickled(small)[7][0][0], truth.images[7])
    dataset = get()
    dataset.note = "mine"
    assert unpickled(pickle.dumps(dataset)).note == "mine"
    batches = get(batch_size=128, shuffle=True, seed=3)
    assert digest(unpickled(pickle.dumps(batches))) == digest(batches)


def test_batches_come_in_the_shared_order(truth):
    batches = get(batch_size=128, shuffle=True, seed=3)
    assert isinstance(batches, IterableDataset)
    for epoch in range(2):
        read = list(batches)
        assert len(read) == len(batches) == 16
        where = idxhub.order(2000, 3, epoch)
        assert np.array_equal(np.concatenate([images.numpy() for images, _ in read])[:, 0], truth.images[where])
        assert np.concatenate([labels.numpy() for _, labels in read]).tolist() == truth.labels[where].tolist()
    assert batches.epoch == 2
    batches.epoch = 0
    assert digest(batches) == SHUFFLED


@pytest.mark.parametrize("dtype", ["uint8", "float32"])
def test_batches_are_those_of_get_loader(dtype):
    batches = get(batch_size=100, shuffle=True, seed=1, dtype=dtype)
    loader = idxhub.get_loader(NAME, framework="paddle", batch_size=100, seed=1, dtype=dtype)
    for mine, theirs in zip(batches, loader, strict=True):
        assert type(mine) is type(theirs) is list
        for one, other in zip(mine, theirs, strict=True):
            assert type(one) is type(other) is paddle.Tensor
            assert one.dtype == other.dtype
            assert np.array_equal(one.numpy(), other.numpy())


def test_batches_through_a_data_loader():
    """The DataLoader iterates over it once for each pass, so each pass is the next epoch here too."""
    batches, alone = (get(batch_size=128, shuffle=True, seed=3) for _ in range(2))
    loader = DataLoader(batches, batch_size=None)
    assert digest(loader) == digest(alone) == SHUFFLED
    assert digest(loader) == digest(alone) != SHUFFLED


def test_without_shuffling_batches_are_the_file(truth):
    batches = get(batch_size=128)
    for _ in range(2):
        assert np.array_equal(np.concatenate([images.numpy() for images, _ in batches])[:, 0], truth.images)
    assert [len(labels) for _, labels in batches][-1] == 80


def test_a_batch_size_may_be_one_of_numpys():
    assert [len(labels) for _, labels in get(batch_size=np.uint8(250))] == [250] * 8


def test_drop_last():
    batches = get(batch_size=128, drop_last=True)
    assert [len(labels) for _, labels in batches] == [128] * 15
    assert len(batches) == 15
    assert list(get(batch_size=128, drop_last=True, split="train[:100]")) == []


def test_worker_processes_are_refused_for_batches():
    """Each of them would read all batches, and the same epoch in each pass."""
    batches = get(batch_size=128)
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(paddle.io, "get_worker_info", object)
        with pytest.raises(RuntimeError, match="write num_workers=0"):
            iter(batches)


def test_float32_has_numpys_bits():
    expected, _ = idxhub.get_dataset(NAME, dtype="float32")
    (images, _), *_ = DataLoader(get(dtype="float32"), batch_size=2000)
    assert np.array_equal(images.numpy()[:, 0].view(np.uint32), expected.view(np.uint32))


def test_a_model_trains_on_it():
    paddle.seed(0)
    model = paddle.nn.Sequential(paddle.nn.Flatten(), paddle.nn.Linear(784, 10))
    optimiser = paddle.optimizer.SGD(0.1, parameters=model.parameters())
    losses = []
    for _ in range(3):
        total = 0.0
        for images, labels in DataLoader(get(dtype="float32"), batch_size=64, shuffle=True):
            loss = paddle.nn.functional.cross_entropy(model(images), labels)
            loss.backward()
            optimiser.step()
            optimiser.clear_grad()
            total += float(loss)
        losses.append(total)
    assert losses[2] < losses[1] < losses[0]


@pytest.mark.filterwarnings("ignore:To copy construct from a tensor:UserWarning")  # Paddle, of each batch of tensors
def test_the_high_level_model_fits_both():
    paddle.seed(0)
    network = paddle.nn.Sequential(paddle.nn.Flatten(), paddle.nn.Linear(784, 10))
    model = paddle.Model(network)
    model.prepare(
        paddle.optimizer.Adam(parameters=network.parameters()), paddle.nn.CrossEntropyLoss(), paddle.metric.Accuracy()
    )
    model.fit(get(dtype="float32"), epochs=1, batch_size=64, verbose=0)
    model.fit(DataLoader(get(dtype="float32", batch_size=64), batch_size=None), epochs=2, verbose=0)
    assert model.evaluate(get(dtype="float32", split="test"), batch_size=64, verbose=0)["acc"] > 0.7


@pytest.mark.parametrize("kind", [IdxDataset, IdxBatches])
def test_the_names_are_public(kind):
    assert kind.__module__ == "idxhub_adapters.paddle"
