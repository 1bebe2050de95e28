"""The Ray adapter: the kit, where blocks are read, and in which order they come."""

from __future__ import annotations

import logging
import os
import pickle
import shutil
import signal
import sys
import time
import warnings

import numpy as np
import pytest
from support import kit
from support.needs import need
from support.processes import mounted, python

import idxhub
from idxhub import conformance

need("ray.data")
import ray  # noqa: E402

from idxhub_adapters import ray as adapter  # noqa: E402

NAME = "fashion-mnist-sample"
unpickled = pickle.loads
EVERY_LAYOUT = {"HW": (28, 28), "CHW": (1, 28, 28), "HWC": (28, 28, 1)}


@pytest.fixture(scope="module", autouse=True)
def cluster():
    conformance.subject("ray").start()
    yield
    ray.shutdown()


@pytest.mark.parametrize("value", [0, -1, "3", 2.5, True], ids=repr)
def test_a_wrong_number_of_blocks_is_refused(value, cache_dir):
    with pytest.raises(idxhub.errors.ArgumentError, match=r"^override_num_blocks is .* an integer of 1 or more$"):
        idxhub.get_dataset("fashion-mnist", framework="ray", override_num_blocks=value, download=False)
    assert not cache_dir.exists()


@conformance.parametrize("ray")
def test_conformance(check, tmp_path):
    check(conformance.case("ray", tmp_path))


def test_what_is_not_applicable():
    assert kit.not_applicable("ray") == kit.DEVICE | {
        *("class-names", "index", "index-out-of-range", "workers-fork", "workers-spawn")
    }


@pytest.fixture
def truth():
    return idxhub.get_dataset(NAME)


def get(name=NAME, **arguments):
    return idxhub.get_dataset(name, framework="ray", **arguments)


def joined(dataset, size=128):
    batches = list(dataset.iter_batches(batch_size=size))
    return tuple(np.concatenate([batch[column] for batch in batches]) for column in ("image", "label"))


@pytest.mark.parametrize("layout", EVERY_LAYOUT)
@pytest.mark.parametrize("dtype", ["uint8", "float32"])
def test_the_columns_are_tensors_and_numbers(layout, dtype):
    dataset = get(layout=layout, dtype=dtype)
    image, label = dataset.schema().types
    assert dataset.schema().names == ["image", "label"]
    assert (tuple(image.shape), label) == (EVERY_LAYOUT[layout], "int64")
    assert dtype.removesuffix("32") in str(image)
    row = dataset.take(1)[0]
    assert (row["image"].shape, row["image"].dtype, row["label"]) == (EVERY_LAYOUT[layout], dtype, 9)


def test_blocks_are_read_by_the_workers_and_what_is_known_is_not_read(toy, tmp_path):
    cache = tmp_path / "cache"
    dataset = get(toy.spec, data_dir=toy.folder, cache_dir=cache, download=False)
    shutil.rmtree(cache)
    shutil.rmtree(toy.folder)
    assert dataset.count() == 30
    assert dataset.schema().names == ["image", "label"]
    with pytest.raises(ray.exceptions.RayTaskError, match=r"DownloadError.*published' does not exist"):
        dataset.take(1)


def test_a_worker_without_a_cache_makes_its_own(toy, tmp_path):
    cache = tmp_path / "cache"
    dataset = get(toy.spec, data_dir=toy.folder, cache_dir=cache, download=False)
    shutil.rmtree(cache)
    images, _ = joined(dataset)
    assert np.array_equal(images, toy.array(toy.train_images))
    assert list(cache.rglob("*.npy"))


def test_a_worker_takes_no_damaged_array(toy, tmp_path):
    cache = tmp_path / "cache"
    dataset = get(toy.spec, data_dir=toy.folder, cache_dir=cache, download=False)
    for path in cache.rglob("*.npy"):
        content = bytearray(path.read_bytes())
        content[-1] ^= 1
        path.write_bytes(content)
    images, labels = joined(dataset)
    assert np.array_equal(images, toy.array(toy.train_images))
    assert np.array_equal(labels, toy.array(toy.train_labels))


def test_a_task_holds_a_reference_and_no_images():
    datasource = adapter.IdxDatasource(idxhub.load(NAME))
    tasks = datasource.get_read_tasks(4)
    assert [task.metadata.num_rows for task in tasks] == [500] * 4
    assert sum(task.metadata.size_bytes for task in tasks) == datasource.estimate_inmemory_data_size() == 2000 * 792
    assert all(len(ray.cloudpickle.dumps(task)) < 20_000 for task in tasks)  # the images are 1.5 MB


def test_the_order_is_the_files_whatever_is_ready_first(truth, tmp_path):
    other, first = tmp_path / "another block was read", truth.images[0]

    def first_is_last(batch):
        if not np.array_equal(batch["image"][0], first):
            other.touch()
        for _ in range(600):
            if other.exists():
                break
            time.sleep(0.1)
        return {"label": batch["label"], "worker": np.full(len(batch["label"]), os.getpid())}

    rows = get(override_num_blocks=8).map_batches(first_is_last, batch_size=None).take_all()
    assert other.exists()
    assert [row["label"] for row in rows] == truth.labels.tolist()
    assert len({row["worker"] for row in rows}) == 2
    assert os.getpid() not in {row["worker"] for row in rows}


@pytest.mark.parametrize("blocks", [1, 7, 40])
def test_blocks(blocks, toy):
    dataset = get(toy.spec, data_dir=toy.folder, override_num_blocks=blocks).materialize()
    assert dataset.num_blocks() == min(blocks, 30)
    assert np.array_equal(joined(dataset)[0], toy.array(toy.train_images))


def test_the_first_rows_are_the_files(truth):
    assert [row["label"] for row in get().limit(700).take_all()] == truth.labels[:700].tolist()


def test_the_context_is_this_datasets_alone():
    assert get().context.execution_options.preserve_order
    assert not ray.data.DataContext.get_current().execution_options.preserve_order


def test_split_for_two_trainers_is_one_epoch(truth):
    parts = get(override_num_blocks=8).streaming_split(2, equal=True)

    @ray.remote(num_cpus=0)
    def labels(part):
        return [int(label) for batch in part.iter_batches(batch_size=100) for label in batch["label"]]

    seen = ray.get([labels.remote(part) for part in parts], timeout=60)
    assert [len(part) for part in seen] == [1000, 1000]
    assert sorted(seen[0] + seen[1]) == sorted(truth.labels.tolist())


def test_float32_has_numpys_bits():
    expected, _ = idxhub.get_dataset(NAME, dtype="float32")
    assert np.array_equal(joined(get(dtype="float32"))[0].view(np.uint32), expected.view(np.uint32))


def test_an_empty_split_knows_its_columns():
    dataset = get(split="train[5:5]")
    assert dataset.count() == 0
    assert dataset.schema().names == ["image", "label"]
    assert dataset.take_all() == []


def test_it_pickles_by_reference():
    dataset = get()
    sent = pickle.dumps(dataset)
    assert len(sent) < 50_000
    assert unpickled(sent).count() == 2000


def test_get_loader_gives_what_iter_batches_gives(truth):
    batches = list(idxhub.get_loader(NAME, framework="ray", batch_size=128, seed=3))
    assert all(set(batch) == {"image", "label"} for batch in batches)
    labels = np.concatenate([batch["label"] for batch in batches])
    assert labels.tolist() == truth.labels[idxhub.order(2000, 3, 0)].tolist()


@pytest.mark.parametrize(
    ("warning", "shown"),
    [
        ("os.fork() was called. os.fork() is incompatible with multithreaded code, and JAX is multithreaded", 0),
        ("something else", 1),
    ],
)
def test_ray_is_started_without_the_one_warning_that_does_not_apply(warning, shown, monkeypatch, recwarn):
    monkeypatch.setattr(ray, "is_initialized", lambda: False)
    monkeypatch.setattr(ray, "init", lambda **_: warnings.warn(warning, RuntimeWarning, stacklevel=1))
    conformance.subject("ray").start()
    assert len(recwarn) == shown


@pytest.fixture
def by_value():
    """Functions of this module are sent to the workers, which cannot import it."""
    module = sys.modules[__name__]
    ray.cloudpickle.register_pickle_by_value(module)
    yield
    ray.cloudpickle.unregister_pickle_by_value(module)


def pairs(batches):
    """What batches hold: a list of (bytes of an image, label)."""
    return [(image.tobytes(), int(label)) for b in batches for image, label in zip(b["image"], b["label"], strict=True)]


def epoch_of(seed, epoch, **arguments):
    loader = idxhub.get_loader(NAME, batch_size=100, seed=seed, **arguments)
    loader.set_epoch(epoch)
    return [(i.tobytes(), int(label)) for images, labels in loader for i, label in zip(images, labels, strict=True)]


@pytest.mark.parametrize("blocks", [None, 1, 7])
@pytest.mark.parametrize("dtype", ["uint8", "float32"])
def test_each_pass_over_a_shuffled_dataset_is_the_next_epoch_of_the_shared_order(blocks, dtype):
    dataset = get(shuffle=True, seed=3, override_num_blocks=blocks, dtype=dtype)
    assert dataset.count() == 2000  # not a pass
    for epoch in range(3):
        assert pairs(dataset.iter_batches(batch_size=128)) == epoch_of(3, epoch, dtype=dtype)
    assert pairs(get(shuffle=True, seed=4).iter_batches(batch_size=128)) == epoch_of(4, 0)


def test_what_is_made_from_a_shuffled_dataset_is_shuffled_too(by_value):
    halved = get(shuffle=True).map_batches(lambda batch: {**batch, "image": batch["image"] // 2})
    assert [label for _, label in pairs(halved.iter_batches(batch_size=50))] == [label for _, label in epoch_of(0, 0)]


def test_two_workers_of_a_shuffled_dataset_have_one_epoch_together(by_value):
    @ray.remote(num_cpus=0)  # the tasks that read need the CPUs
    def read(iterator):
        return [pairs(iterator.iter_batches(batch_size=64)) for _ in range(2)]

    parts = ray.get([read.remote(each) for each in get(shuffle=True, override_num_blocks=8).streaming_split(2)])
    for epoch in range(2):
        together = sorted([*parts[0][epoch], *parts[1][epoch]])
        assert together == sorted(epoch_of(0, epoch))


@pytest.mark.parametrize("dtype", ["uint8", "float32"])
def test_iter_torch_batches_gives_the_shared_order_as_tensors(dtype):
    torch = need("torch")
    need("pydantic")  # Ray imports its Train there
    dataset = get(shuffle=True, seed=3, dtype=dtype)
    for epoch in range(2):
        batches = list(dataset.iter_torch_batches(batch_size=100))
        assert all(batch["image"].dtype == getattr(torch, dtype) for batch in batches)
        assert all(batch["label"].dtype == torch.int64 for batch in batches)
        arrays = [{name: tensor.numpy() for name, tensor in batch.items()} for batch in batches]
        assert pairs(arrays) == epoch_of(3, epoch, dtype=dtype)


def test_a_worker_that_is_killed_half_way_costs_no_example(by_value, tmp_path):
    killed = tmp_path / "killed"

    def kill_once(batch):
        """Called in the task that reads, for each 50 images: the third call ends its process."""
        calls.append(None)
        if len(calls) == 3 and not killed.exists():
            killed.touch()
            os.kill(os.getpid(), signal.SIGKILL)
        return batch

    calls = []
    dataset = get(shuffle=True, seed=3, override_num_blocks=4).map_batches(kill_once, batch_size=50)
    for epoch in range(2):
        assert pairs(dataset.iter_batches(batch_size=128)) == epoch_of(3, epoch)
        assert killed.exists()


# Two nodes of one cluster, of one CPU each. A block is held back until the other node reads one too, so each node reads
# at least one of the four.
TWO_NODES = """
import logging, subprocess, sys, time
from pathlib import Path
import ray
import idxhub

marks, second_cache = map(Path, sys.argv[1:])
spec, data_dir, command = given
small = 100 << 20
silent = {"include_dashboard": False, "log_to_driver": False, "logging_level": logging.ERROR}
ray.init("local", num_cpus=1, object_store_memory=small, **silent)
ray.data.DataContext.get_current().enable_progress_bars = False
logging.getLogger("ray.data").setLevel(logging.ERROR)
dataset = idxhub.get_dataset(spec, framework="ray", data_dir=data_dir, shuffle=True, seed=3, override_num_blocks=4)

def wait_for_the_other(batch):
    (marks / ray.get_runtime_context().get_node_id()).touch()
    for _ in range(600):
        if len(list(marks.iterdir())) == 2:
            return batch
        time.sleep(0.1)
    raise TimeoutError("one node read everything")

start = f"import ray.scripts.scripts as s; s.cli(['start', '--address={ray.get_runtime_context().gcs_address}', "
start += f"'--num-cpus=1', '--object-store-memory={small}', '--block'])"
with subprocess.Popen([*command, sys.executable, "-c", start], stdout=subprocess.DEVNULL) as node:
    try:
        while sum(each["Alive"] for each in ray.nodes()) < 2:
            assert node.poll() is None
            time.sleep(0.1)
        assert not list(second_cache.iterdir())
        read = dataset.map_batches(wait_for_the_other, batch_size=None)
        for epoch in range(2):
            loader = idxhub.get_loader(spec, data_dir=data_dir, batch_size=30, seed=3)
            loader.set_epoch(epoch)
            ((images, labels),) = loader
            (batch,) = read.iter_batches(batch_size=30)
            assert (batch["image"] == images).all() and (batch["label"] == labels).all()
        assert len(list(second_cache.rglob("*.npy"))) == 2
    finally:
        node.terminate()
        ray.shutdown()
"""


@pytest.mark.parametrize("source", ["a folder", "a mirror"])
def test_a_node_with_an_empty_cache_fills_it_by_itself(source, toy, server, cache_dir, tmp_path, open_dir):
    """The second node sees another folder in the place of the cache, as another machine does."""
    marks, second = tmp_path / "marks", tmp_path / "second"
    for folder in (marks, second, cache_dir):
        folder.mkdir(parents=True)
    command = mounted(f"mount --bind {second} {cache_dir}")
    if source == "a mirror":
        server.serve(toy.folder)
        given = toy.mirrored(server.url), None, command
    else:
        given = toy.spec, str(toy.folder), command
    # `ray start` leaves the address there for every `ray.init`; of a short path, because sockets lie below it
    environment = os.environ | {"RAY_TMPDIR": str(open_dir)}
    python(TWO_NODES, marks, second, given=given, timeout=240, env=environment)


def rows(dataset):
    """What rows hold that are batches: for each row a list of (bytes of an image, label)."""
    return [pairs([row]) for row in dataset.iter_rows()]


@pytest.mark.parametrize("blocks", [None, 1, 7])
@pytest.mark.parametrize("dtype", ["uint8", "float32"])
def test_with_a_batch_size_each_row_is_a_batch_of_the_shared_order(blocks, dtype):
    dataset = get(shuffle=True, seed=3, batch_size=128, override_num_blocks=blocks, dtype=dtype)
    assert dataset.count() == 16
    for epoch in range(2):
        expected = epoch_of(3, epoch, dtype=dtype)
        assert rows(dataset) == [expected[at : at + 128] for at in range(0, 2000, 128)]


@pytest.mark.parametrize("size", [1, 100, 128, 1500, 2000, 3000])
@pytest.mark.parametrize("drop_last", [False, True])
def test_a_last_batch_that_is_short_is_a_row_of_its_own_or_left_out(size, drop_last, truth, caplog):
    dataset = get(batch_size=size, drop_last=drop_last)
    logger = logging.getLogger("ray.data")
    logger.addHandler(caplog.handler)  # it does not propagate
    with caplog.at_level("WARNING", "ray.data"):
        lengths = [len(row["label"]) for row in dataset.iter_rows()]
        labels = [label for row in dataset.iter_rows() for label in row["label"].tolist()]
    assert dataset.count() == len(lengths)
    assert labels == truth.labels[: len(labels)].tolist()
    assert lengths == [size] * (2000 // size) + [2000 % size] * (2000 % size > 0 and not drop_last)
    logger.removeHandler(caplog.handler)
    # Ray says once in a process that its progress bars are off; Ray 2.56 says in each read that no CPU is free
    usual = ("Progress bars disabled", "Cluster resources are not enough")
    assert not [each for each in caplog.records if not each.getMessage().startswith(usual)]


@pytest.mark.parametrize("seed", [None, 3])
@pytest.mark.parametrize(
    ("size", "counts"), [(None, [300] * 6 + [200]), (100, [3] * 6 + [2]), (128, [2] * 8), (400, [1] * 5), (3000, [1])]
)
def test_a_task_gives_whole_rows_in_parts(size, counts, seed, monkeypatch):
    (task,) = adapter.IdxDatasource(idxhub.load(NAME), seed, size).get_read_tasks(1)
    whole = list(task())
    monkeypatch.setattr(adapter, "_PART", 300 * 784)
    parts = list(task())
    assert [part.num_rows for part in parts] == counts
    expected, found = (ray.data.from_arrow(blocks).take_all() for blocks in (whole, parts))
    for one, other in zip(expected, found, strict=True):
        assert all(np.array_equal(one[column], other[column]) for column in ("image", "label"))


def test_memory_of_parts_is_used_again_when_nothing_refers_to_it():
    memory = adapter._Memory(4096)
    images = memory.array((10, 5, 7), "float32")
    images[...] = np.arange(350).reshape(images.shape)
    where, expected = images.ctypes.data, images.copy()
    block = adapter._block(images, np.arange(10), 5)
    del images
    other = memory.array((10, 5, 7), "float32")
    other[...] = -1
    assert other.ctypes.data != where
    (found,) = ray.data.from_arrow(block).take_batch(2)["image"].reshape(1, *expected.shape)
    assert np.array_equal(found, expected)
    del block, found
    again = memory.array((4096,), "uint8")
    assert again.ctypes.data == where
    assert memory.array((4097,), "uint8").shape == (4097,)


def test_only_so_much_memory_is_kept():
    memory = adapter._Memory(4096)
    arrays = [memory.array((4,), "uint8") for _ in range(adapter._MOST_KEPT + 3)]
    addresses = {each.ctypes.data for each in arrays}
    assert len(addresses) == len(arrays)
    del arrays
    assert len(memory._free) == adapter._MOST_KEPT


@pytest.mark.parametrize("layout", EVERY_LAYOUT)
def test_batches_of_one_length_are_one_tensor_column(layout):
    dataset = get(batch_size=100, layout=layout, dtype="float32")
    image, label = dataset.schema().types
    assert (tuple(image.shape), tuple(label.shape)) == ((100, *EVERY_LAYOUT[layout]), (100,))
    (four, *_) = dataset.iter_batches(batch_size=4)
    assert (four["image"].shape, four["image"].dtype) == ((4, 100, *EVERY_LAYOUT[layout]), "float32")
    assert (four["label"].shape, four["label"].dtype) == ((4, 100), "int64")


def test_batches_that_are_mapped_and_split_between_two_trainers_stay_whole(by_value):
    @ray.remote(num_cpus=0)
    def lengths(part):
        return [len(row["label"]) for row in part.iter_rows()]

    dataset = get(shuffle=True, batch_size=100, override_num_blocks=4).map(lambda batch: {"label": batch["label"] + 1})
    parts = ray.get([lengths.remote(part) for part in dataset.streaming_split(2)], timeout=60)
    assert sorted([*parts[0], *parts[1]]) == [100] * 20


def test_an_empty_split_has_no_batches():
    dataset = get(split="train[5:5]", batch_size=10)
    assert (dataset.count(), dataset.schema().names, dataset.take_all()) == (0, ["image", "label"], [])


def test_drop_last_needs_a_batch_size():
    with pytest.raises(idxhub.errors.ArgumentError, match=r"^drop_last is True; it must be False if batch_size is not"):
        get(drop_last=True)


@pytest.mark.parametrize(
    ("option", "value"),
    [
        ("batch_size", 0),
        ("batch_size", 1.5),
        ("drop_last", 1),
        ("shuffle", 1),
        ("shuffle", "yes"),
        ("seed", -1),
        ("seed", 1.5),
    ],
)
def test_wrong_values_are_refused_before_anything_is_loaded(option, value, cache_dir):
    with pytest.raises(idxhub.errors.ArgumentError, match=f"^{option} is {value!r}; it must be "):
        idxhub.get_dataset("fashion-mnist", framework="ray", download=False, **{option: value})
    assert not cache_dir.exists()


@pytest.mark.parametrize(
    ("size", "cpus", "blocks"),
    [
        (0, 2, 1),
        (1000, 64, 1),
        (47 << 20, 2, 2),
        (47 << 20, 16, 16),
        (47 << 20, 100, 47),
        (188 << 20, 2, 2),
        (4700 << 20, 2, 37),
    ],
)
def test_blocks_are_as_many_as_cpus_and_neither_small_nor_large(size, cpus, blocks, monkeypatch):
    monkeypatch.setattr(ray, "cluster_resources", lambda: {"CPU": float(cpus)})
    assert adapter._default_blocks(size) == blocks
