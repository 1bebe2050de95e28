"""The dataset of PyTorch in other processes: its pickles, its copies, and the workers of a DataLoader."""

from __future__ import annotations

import copy
import os
import pickle
import warnings

import pytest
from support.needs import need
from support.processes import python

import idxhub
from idxhub import conformance

torch = need("torch")

NAME = "fashion-mnist-sample"
unpickled = pickle.loads


@pytest.fixture
def dataset():
    return idxhub.get_dataset(NAME, framework="torch")


def test_it_pickles_by_reference_until_something_is_written(dataset):
    small = pickle.dumps(dataset)
    assert len(small) < 20_000
    dataset.targets[0] = 5
    dataset.data[0] = 0
    large = pickle.dumps(dataset)
    assert len(large) > 2000 * 784
    again = unpickled(large)
    assert again.targets[0] == 5
    assert int(again.data[0].sum()) == 0
    assert unpickled(small).targets[0] != 5


def test_a_pickle_names_what_is_public(dataset):
    assert b"idxhub_adapters.torch\x94\x8c\nIdxDataset" in pickle.dumps(dataset, 4)
    assert repr(type(dataset)) == "<class 'idxhub_adapters.torch.IdxDataset'>"


@pytest.mark.parametrize("name", ["IdxDataset", "Gathered", "Sample", "Resident"])
def test_the_names_in_pickles_made_before_this_was_a_package(name):
    assert isinstance(unpickled(f"cidxhub_adapters.torch\n{name}\n.".encode()), type)


def test_replaced_data_and_targets_travel_too(dataset):
    dataset.data, dataset.targets = dataset.data[:50], dataset.targets[:50]
    again = unpickled(pickle.dumps(dataset))
    assert len(again) == len(again.targets) == 50
    assert torch.equal(again[49][0], dataset[49][0])


def test_a_deep_copy_is_independent(dataset):
    other = copy.deepcopy(dataset)
    other.data.zero_()
    assert int(dataset.data.sum()) > 0


def test_a_collate_function_gets_a_plain_list_in_a_worker_too():
    python(
        """
        import sys, idxhub, torch
        from torch.utils.data import DataLoader, default_collate

        def doubled(batch):
            collated = default_collate(batch)
            assert type(collated) is list  # functions for nested containers take a subclass for a leaf
            return [tensor * 2 for tensor in collated]

        dataset = idxhub.get_dataset(sys.argv[1], framework="torch", split="train[:8]")
        for workers in (0, 1):
            for images, labels in DataLoader(dataset, batch_size=8, num_workers=workers, collate_fn=doubled):
                assert torch.equal(images[:, 0], dataset.data * 2)
                assert torch.equal(labels, dataset.targets * 2)
        """,
        NAME,
    )


def test_a_worker_sends_small_tensors_as_bytes_and_large_ones_in_shared_memory():
    python(
        """
        import sys, idxhub
        from torch.utils.data import DataLoader

        dataset = idxhub.get_dataset(sys.argv[1], framework="torch")
        for size, shared in ((100, False), (1000, True)):
            images, labels = next(iter(DataLoader(dataset, batch_size=size, num_workers=1)))
            assert (images.is_shared(), labels.is_shared()) == (shared, False)
        """,
        NAME,
    )


@pytest.mark.parametrize("method", ["fork", "spawn"])
@pytest.mark.parametrize("dtype", ["uint8", "float32"])
def test_workers_give_the_same_batches(method, dtype):
    python(  # a process of its own: in this one, another framework may have started threads, which forking ends
        """
        import sys, idxhub, torch
        from torch.utils.data import DataLoader
        name, dtype, method = sys.argv[1:]
        dataset = idxhub.get_dataset(name, framework="torch", dtype=dtype)
        alone = list(DataLoader(dataset, batch_size=300))
        shared = list(DataLoader(dataset, batch_size=300, num_workers=2, multiprocessing_context=method))
        for one, other in zip(alone, shared, strict=True):
            assert all(torch.equal(a, b) for a, b in zip(one, other, strict=True))
        """,
        *(NAME, dtype, method),
    )


@pytest.mark.skipif(not hasattr(os, "fork"), reason="needs os.fork")
@pytest.mark.parametrize(
    ("warning", "shown"),
    [
        ("os.fork() was called. os.fork() is incompatible with multithreaded code, and JAX is multithreaded", 0),
        ("something else", 1),
    ],
)
def test_workers_are_forked_without_the_one_warning_that_does_not_apply(warning, shown, dataset, monkeypatch, recwarn):
    fork = os.fork
    monkeypatch.setattr(os, "fork", lambda: warnings.warn(warning, RuntimeWarning, stacklevel=1) or fork())
    batches = list(conformance.subject("torch").workers(dataset, 1000, 1, "fork"))
    assert len(batches) == 2
    assert len(recwarn) == shown
