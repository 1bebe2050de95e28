"""`get_loader(framework="torch", device=)`: on the GPU where this machine has one, and on the CPU."""

from __future__ import annotations

import pickle

import numpy as np
import pytest
from support.needs import need

import idxhub

torch = need("torch")
from idxhub_adapters import torch as adapter  # noqa: E402 -- after the skip where it is absent

NAME = "fashion-mnist-sample"
DEVICES = ["cpu", *(["cuda"] if torch.cuda.is_available() else [])]

pytestmark = pytest.mark.parametrize("device", DEVICES)


def get(device=None, **arguments):
    return idxhub.get_loader(
        NAME, **({"framework": "torch", "batch_size": 128, "seed": 3, "device": device} | arguments)
    )


@pytest.mark.parametrize(
    "arguments", [{}, {"dtype": "float32"}, {"layout": "HWC", "dtype": "float32"}, {"prefetch": 2}], ids=str
)
def test_batches_equal_those_without_a_device(arguments, device):
    for mine, expected in zip(get(device, **arguments), get(**arguments), strict=True):
        assert type(mine) is list
        for one, other in zip(mine, expected, strict=True):
            assert (one.device.type, one.dtype, one.shape) == (device, other.dtype, other.shape)
            assert one.numpy(force=True).tobytes() == other.numpy().tobytes()


@pytest.fixture
def several(monkeypatch):
    """Five batches to a gather, as where starting a kernel takes long."""
    monkeypatch.setattr(adapter.Resident, "_batches_per_gather", lambda self, size: 5)


@pytest.mark.usefixtures("several")
@pytest.mark.parametrize("arguments", [{}, {"dtype": "float32", "drop_last": True}, {"shard": (1, 3)}], ids=str)
def test_several_batches_from_one_gather(arguments, device):
    for mine, expected in zip(get(device, **arguments), get(**arguments), strict=True):
        assert all(torch.equal(one.cpu(), other) for one, other in zip(mine, expected, strict=True))


@pytest.mark.usefixtures("several")
def test_batches_from_one_gather_are_each_their_own(device):
    (first, _), (second, _) = list(get(device, dtype="float32"))[:2]
    weight = torch.ones((), device=device, requires_grad=True)
    product = (weight * second).sum()
    before = second.clone()
    first.mul_(weight)  # as a view of one tensor it could not, or would spoil the product's gradient
    first.detach().zero_()
    product.backward()
    assert torch.equal(second, before)
    assert weight.grad == pytest.approx(float(before.sum()))


def test_the_data_is_copied_to_the_device_once(device):
    loader = get(device)
    kept = loader._make_batches._made._images
    list(loader)
    list(loader)
    assert loader._make_batches._made._images is kept
    assert (kept.dtype, kept.shape, kept.device.type) == (torch.uint8, (2000, 28, 28), device)


@pytest.mark.parametrize("arguments", [{}, {"shard": (1, 3), "equal": "pad"}, {"drop_last": True}], ids=str)
def test_many_epochs_whose_orders_are_drawn_ahead(arguments, device):
    resident, ordinary = get(device, batch_size=500, **arguments), get(batch_size=500, **arguments)
    for _ in range(12):
        for mine, expected in zip(resident, ordinary, strict=True):
            assert all(torch.equal(one.cpu(), other) for one, other in zip(mine, expected, strict=True))


def test_orders_are_sent_together_and_as_int32(device, monkeypatch):
    loader = get(device)
    resident, sent = loader._make_batches._made, []
    send = type(resident).send
    monkeypatch.setattr(type(resident), "send", lambda self, orders: sent.append(orders) or send(self, orders))
    for _ in range(40):
        list(loader)
    assert {order.dtype.name for orders in sent for order in orders} == {"int32"}
    assert sum(map(len, sent)) >= 40
    assert len(sent) < 40
    on_device = resident.send(sent[0] * 2)
    assert [(each.dtype, each.device.type) for each in on_device] == [(torch.int32, device)] * len(sent[0] * 2)


@pytest.mark.filterwarnings("ignore:You are using .torch.load:FutureWarning")  # torch 2.4, of its own pickles
def test_a_resident_split_is_pickled(device):
    loader = get(device)
    list(loader)
    again = pickle.loads(pickle.dumps(loader._make_batches._made))  # noqa: S301 -- made here
    images, _ = next(again(np.arange(3), 3))
    assert images.device.type == device
    assert len(pickle.dumps(loader)) < 10_000


def test_a_device_may_be_an_object_or_a_name(device):
    for given in (torch.device(device), f"{device}:0"):
        images, _ = next(iter(get(given)))
        assert images.device.type == device


@pytest.mark.parametrize("wrong", ["cudda", "cuda:99", 99, 1.5, object()], ids=lambda wrong: type(wrong).__name__)
def test_an_unknown_device_is_refused(wrong, device):
    del device
    with pytest.raises(
        idxhub.errors.ArgumentError, match=r"^device is .*; it must be a device of torch that this machine"
    ):
        get(wrong)


@pytest.mark.skipif("cuda" not in DEVICES, reason="needs a GPU: a CPU does not work by itself")
def test_nothing_waits_for_the_device(device):
    loader = get(device, dtype="float32")
    list(loader)
    torch.cuda.set_sync_debug_mode("error")
    try:
        assert len(list(loader)) == 16
    finally:
        torch.cuda.set_sync_debug_mode("default")
