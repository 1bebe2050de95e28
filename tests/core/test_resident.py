"""`get_loader(device=)`: what the core asks of an adapter, and what it says of one that keeps no data on a device."""

from __future__ import annotations

import sys

import pytest
from support.installed import ADAPTER, ByHand, entry

from idxhub import Plugins, get_loader, hookimpl
from idxhub.errors import AdapterError, ArgumentError

RESIDENT = f"""{ADAPTER}
    @hookimpl
    def idxhub_resident(split, device):
        return lambda indices, size: iter([(split, device, indices.tolist(), size)])
"""
IN_A_CLASS = """
    class Adapter:
        def idxhub_resident(self, split):
            return None

    adapter = Adapter()
"""


def loader(toy, plugins, **arguments):
    asked = {"batch_size": 8, "shuffle": False, "data_dir": toy.folder, "download": False} | arguments
    return get_loader(toy.spec, framework="a", plugins=plugins, **asked)


def test_an_adapter_gets_the_split_the_device_and_the_indices_of_a_pass(adapters, toy):
    once = loader(toy, adapters(a=RESIDENT), device="there", shard=(1, 2), drop_last=True, dtype="float32")
    ((split, device, indices, size),) = once
    assert (split, device, split.dtype) == (once.split, "there", "float32")
    assert (indices, size) == (list(range(1, 17, 2)), 8)  # of 15 one full batch


def test_a_pass_that_is_resumed_asks_for_what_is_left(adapters, toy):
    once = loader(toy, adapters(a=RESIDENT), device="there")
    once.load_state_dict(once.state_dict() | {"batch": 2})
    ((_, _, indices, _),) = once
    assert indices == list(range(16, 30))


def test_without_a_device_nothing_is_put_on_one(adapters, toy):
    images, labels = next(iter(loader(toy, adapters(a=RESIDENT))))
    assert (len(images), len(labels)) == (8, 8)


def test_an_adapter_that_keeps_no_data_on_a_device_names_those_that_do(adapters, toy, tmp_path):
    adapters(a=ADAPTER, b=RESIDENT, c=IN_A_CLASS, d="raise SystemExit")
    values = {name: f"adapter_{name}" for name in "abd"} | {"c": "adapter_c:adapter", "e": "no.such", "f": "sys"}
    plugins = Plugins([entry(name, value) for name, value in values.items()])
    with pytest.raises(ArgumentError) as caught:
        loader(toy, plugins, device="there", data_dir=tmp_path)  # before anything is looked for
    must_be = "None for a: only loaders of b, c can keep the data on a device"
    assert str(caught.value) == f"device is 'there'; it must be {must_be}"
    assert not {"adapter_b", "adapter_c", "adapter_d"} & sys.modules.keys()


def test_an_error_of_the_adapter_in_a_pass_is_its_own(adapters, toy):
    fails = RESIDENT.replace("iter([(split, device, indices.tolist(), size)])", "iter([1 // 0])")
    with pytest.raises(ZeroDivisionError):
        list(loader(toy, adapters(a=fails), device="there"))


class Forgetful(ByHand):
    @hookimpl
    def idxhub_resident(self, split):
        """Returns nothing."""


def test_adapters_that_were_registered_are_named_too(toy, plugins):
    plugins.register("a", ByHand())
    with pytest.raises(ArgumentError, match=r"only loaders of no framework can keep the data on a device$"):
        loader(toy, plugins, device="there")
    plugins.register("b", Forgetful())
    with pytest.raises(ArgumentError, match=r"only loaders of b can keep the data on a device$"):
        loader(toy, plugins, device="there")


def test_an_adapter_that_gives_nothing_is_an_error(toy, plugins):
    plugins.register("a", Forgetful())
    with pytest.raises(AdapterError, match="'a': idxhub_resident returned nothing"):
        loader(toy, plugins, device="there")


def test_the_built_in_adapters_that_keep_data_on_a_device():
    assert Plugins().resident() == ("jax", "torch")
