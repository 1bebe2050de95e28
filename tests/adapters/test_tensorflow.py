"""The TensorFlow adapter: the kit, and what tf.data, Keras and tf.distribute make of its datasets."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
from support import kit, made
from support.needs import need
from support.processes import python, without

import idxhub
from idxhub import conformance

tf = need("tensorflow")

NAME = "fashion-mnist-sample"


@conformance.parametrize("tensorflow")
def test_conformance(check, tmp_path):
    check(conformance.case("tensorflow", tmp_path))


def test_what_is_not_applicable():
    assert kit.not_applicable("tensorflow") == kit.DEVICE | {
        *("class-names", "index", "index-out-of-range", "pickling", "workers-fork", "workers-spawn")
    }


@pytest.mark.parametrize(
    ("option", "value", "must_be"),
    [
        *[("batch_size", value, "an integer of 1 or more") for value in (0, -1, "8", 8.5, True)],
        *[("seed", value, "an integer of 0 or more") for value in (-1, "a", None, True)],
        *[(switch, value, "True or False") for switch in ("shuffle", "drop_last") for value in ("no", 1, None)],
        ("drop_last", True, "False if batch_size is not given"),
    ],
    ids=repr,
)
def test_a_wrong_option_is_refused_before_any_file_is_searched_for(option, value, must_be, cache_dir):
    with pytest.raises(idxhub.errors.ArgumentError) as caught:
        idxhub.get_dataset("fashion-mnist", framework="tensorflow", download=False, **{option: value})
    assert (caught.value.kind, caught.value.must_be) == (option, must_be)
    assert not cache_dir.exists()


@pytest.fixture
def truth():
    return idxhub.get_dataset(NAME)


def get(**arguments):
    return idxhub.get_dataset(NAME, framework="tensorflow", **arguments)


def joined(dataset):
    images, labels = zip(*dataset.as_numpy_iterator(), strict=True)
    return np.concatenate(images), np.concatenate(labels)


@pytest.mark.parametrize(
    ("arguments", "image", "label", "cardinality"),
    [
        ({}, ((28, 28, 1), "uint8"), (), 2000),
        ({"dtype": "float32", "layout": "CHW"}, ((1, 28, 28), "float32"), (), 2000),
        ({"batch_size": 128}, ((None, 28, 28, 1), "uint8"), (None,), 16),
        ({"batch_size": 128, "drop_last": True}, ((128, 28, 28, 1), "uint8"), (128,), 15),
        ({"batch_size": 128, "drop_last": True, "shuffle": True}, ((128, 28, 28, 1), "uint8"), (128,), 15),
        ({"batch_size": 100, "shuffle": True, "layout": "HW"}, ((None, 28, 28), "uint8"), (None,), 20),
        ({"shuffle": True}, ((28, 28, 1), "uint8"), (), 2000),
        ({"batch_size": 5000, "shuffle": True}, ((None, 28, 28, 1), "uint8"), (None,), 1),
        ({"batch_size": 2**70, "shuffle": True}, ((None, 28, 28, 1), "uint8"), (None,), 1),
        ({"batch_size": 2**70, "drop_last": True}, ((2**32, 28, 28, 1), "uint8"), (2**32,), 0),
    ],
    ids=str,
)
def test_the_element_spec_and_cardinality_are_known_and_right(arguments, image, label, cardinality):
    dataset = get(**arguments)
    assert dataset.element_spec == (tf.TensorSpec(*image), tf.TensorSpec(label, "int64"))
    assert int(dataset.cardinality()) == cardinality
    assert sum(1 for _ in dataset) == cardinality


def test_shuffled_batches_are_the_shared_order_and_each_iteration_the_next_epoch(truth):
    dataset = get(batch_size=128, shuffle=True, seed=5)
    for epoch in range(2):
        images, labels = joined(dataset)
        where = idxhub.order(2000, 5, epoch)
        assert np.array_equal(images[..., 0], truth.images[where])
        assert np.array_equal(labels, truth.labels[where])


def test_shuffled_examples_are_in_the_same_order(truth):
    labels = [int(label) for _, label in get(shuffle=True, seed=5)]
    assert labels == truth.labels[idxhub.order(2000, 5, 0)].tolist()


def test_the_images_are_not_copied(monkeypatch):
    copied = []
    constant = tf.constant
    monkeypatch.setattr(tf, "constant", lambda value, *rest: copied.append(np.size(value)) or constant(value, *rest))
    get(batch_size=128)
    assert max(copied, default=0) <= 2000  # the labels


MEMORY = """
    import sys
    import numpy as np, tensorflow as tf, idxhub
    from idxhub import DatasetSpec, Resource, SplitSpec, idx

    def anonymous():
        (line,) = [line for line in open("/proc/self/status") if line.startswith("RssAnon")]
        return int(line.split()[1]) / 1024  # MiB

    for name, shape in (("images", (65_536, 32, 32)), ("labels", (65_536,))):
        with open(f"{sys.argv[1]}/{name}", "wb") as file:
            file.write(idx.encode(np.zeros(shape, np.uint8)))
    files = SplitSpec(*(Resource.from_file(f"{sys.argv[1]}/{name}") for name in ("images", "labels")))
    spec = DatasetSpec("zeros", {"train": files}, folders=(sys.argv[1],))
    images, labels = idxhub.get_dataset(spec)  # 64 MiB
    warm = tf.data.Dataset.range(10).batch(2).map(lambda i: i + 1, num_parallel_calls=2).prefetch(2)
    list(warm)
    before = anonymous()
    if sys.argv[2] == "ours":
        dataset = idxhub.get_dataset(spec, framework="tensorflow", batch_size=128, shuffle=True)
    else:
        dataset = tf.data.Dataset.from_tensor_slices((images, labels)).batch(128)
    for _ in dataset.take(20):
        pass
    print(anonymous() - before)
"""


@pytest.mark.parametrize(("whose", "least", "most"), [("ours", -64, 24), ("from_tensor_slices", 60, 640)])
def test_memory_does_not_grow_by_the_images(whose, least, most, tmp_path):
    if not Path("/proc/self/status").exists():
        without("/proc/self/status")
    grown = float(python(MEMORY, tmp_path, whose).stdout)
    assert least < grown < most, f"{grown} MiB for 64 MiB of images"


def test_a_slice_that_does_not_start_on_a_boundary_is_read_right(truth):
    images, labels = joined(get(split="train[1:100]", batch_size=32))
    assert np.array_equal(images[..., 0], truth.images[1:100])
    assert np.array_equal(labels, truth.labels[1:100])


def test_float32_bits_survive_the_graph_optimiser():
    expected, _ = idxhub.get_dataset(NAME, dtype="float32")
    images, _ = joined(get(dtype="float32", batch_size=500))
    assert np.array_equal(images[..., 0].view(np.uint32), expected.view(np.uint32))


def test_under_tf_function():
    dataset = get(batch_size=100)

    @tf.function
    def total():
        result = tf.constant(0, tf.int64)
        for images, _ in dataset:
            result += tf.reduce_sum(tf.cast(images, tf.int64))
        return result

    assert int(total()) == int(idxhub.get_dataset(NAME).images.sum(dtype=np.int64))


def test_keras_fits_on_it():
    tf.keras.utils.set_random_seed(0)
    model = tf.keras.Sequential([tf.keras.layers.Flatten(), tf.keras.layers.Dense(10)])
    model.compile("sgd", tf.keras.losses.SparseCategoricalCrossentropy(from_logits=True))
    history = model.fit(get(dtype="float32", batch_size=32, shuffle=True), epochs=2, verbose=0, shuffle=False)
    assert history.history["loss"][1] < history.history["loss"][0]


def test_a_distribution_strategy_sees_one_epoch():
    devices = tf.config.list_logical_devices("CPU")
    strategy = tf.distribute.MirroredStrategy([device.name for device in devices])
    spread = strategy.experimental_distribute_dataset(get(batch_size=128, shuffle=True))
    seen = [label for _, labels in spread for part in strategy.experimental_local_results(labels) for label in part]
    assert sorted(map(int, seen)) == sorted(idxhub.get_dataset(NAME).labels.tolist())


@pytest.mark.parametrize("dtype", ["uint8", "float32"])
@pytest.mark.parametrize("batch_size", [None, 128])
def test_an_iterator_over_the_order_of_the_file_is_saved_and_restored(batch_size, dtype, tmp_path):
    passing = iter(get(dtype=dtype, batch_size=batch_size))
    for _ in range(3):
        next(passing)
    path = tf.train.Checkpoint(passing=passing).save(str(tmp_path / "iterator"))
    again = iter(get(dtype=dtype, batch_size=batch_size))
    tf.train.Checkpoint(passing=again).restore(path)
    for expected, restored in zip(passing, again, strict=True):
        assert [part.numpy().tobytes() for part in expected] == [part.numpy().tobytes() for part in restored]


def test_a_program_in_the_style_of_tensorflow_1_is_told_what_to_use():
    code = f"""
        import tensorflow as tf
        from idxhub import errors, get_dataset, get_loader

        tf.compat.v1.disable_eager_execution()
        for read in (get_dataset, lambda name, **how: next(iter(get_loader(name, batch_size=8, **how)))):
            try:
                read({NAME!r}, framework="tensorflow")
            except errors.ArgumentError as error:
                print(error)
    """
    said = python(code).stdout.splitlines()
    assert len(said) == 2
    assert all(line.startswith("framework is 'tensorflow'; it must be 'numpy' in a program that ") for line in said)


@pytest.mark.parametrize("dtype", ["uint8", "float32"])
def test_a_tf_function_may_make_the_dataset(dtype):
    @tf.function(autograph=False)
    def total():
        return get(dtype=dtype, batch_size=128).reduce(np.int64(0), lambda sum_, batch: sum_ + tf.reduce_sum(batch[1]))

    assert [total().numpy(), total().numpy()] == [9000, 9000]


@pytest.mark.parametrize("count", [2, 3])
def test_sharding_by_data_gives_one_epoch(count):
    dataset = get(batch_size=100)
    images = [image for i in range(count) for image in joined(dataset.shard(count, i))[0]]
    assert len(images) == 2000
    assert len({image.tobytes() for image in images}) == len(
        {image.tobytes() for image in idxhub.get_dataset(NAME).images}
    )


def test_get_loader_gives_eager_tensors_in_the_shared_order(truth):
    loader = idxhub.get_loader(NAME, framework="tensorflow", batch_size=128, seed=3)
    batches = list(loader)
    assert all(isinstance(part, tf.Tensor) for batch in batches for part in batch)
    assert batches[0][0].shape == (128, 28, 28, 1)
    labels = np.concatenate([labels.numpy() for _, labels in batches])
    assert labels.tolist() == truth.labels[idxhub.order(2000, 3, 0)].tolist()


@pytest.mark.parametrize(("option", "value"), [("batch_size", np.uint8(200)), ("batch_size", np.int16(3000))], ids=repr)
def test_numpys_integers_will_do(option, value):
    plain, same = (
        idxhub.get_dataset(NAME, framework="tensorflow", shuffle=True, **{option: each}) for each in (int(value), value)
    )
    for (images, labels), (others, their_labels) in zip(plain, same, strict=True):
        assert (images.numpy() == others.numpy()).all()
        assert (labels.numpy() == their_labels.numpy()).all()


def test_images_without_pixels_are_refused(tmp_path):
    """TensorFlow would abort the process."""
    mine = made.make(tmp_path / "published", shape=(0, 4))
    with pytest.raises(idxhub.errors.ArgumentError, match="with no pixel"):
        idxhub.get_dataset(mine.spec, framework="tensorflow", data_dir=mine.folder, download=False)
