"""A loader's state: resuming in the middle of an epoch, what is refused, and pickling."""

from __future__ import annotations

import copy
import itertools
import json
import pickle

import numpy as np
import pytest
from support.needs import need

from idxhub import Plugins, errors, get_loader, order

N = 30  # train images of `toy`


@pytest.mark.parametrize("stop", range(5))
@pytest.mark.parametrize("prefetch", [0, 2])
def test_resuming_gives_the_very_next_batch(stop, prefetch, loader, numbers_of):
    uninterrupted = loader(seed=2)
    expected = [numbers_of(uninterrupted) for _ in range(3)]
    first = loader(seed=2, prefetch=prefetch)
    list(first)  # epoch 0
    taken = list(itertools.islice(iter(first), stop))
    state = json.loads(json.dumps(first.state_dict()))
    second = loader(seed=2, prefetch=prefetch)
    second.load_state_dict(state)
    if stop == len(second):  # nothing is left of that epoch, and no empty pass
        assert (second.state_dict()["epoch"], second.state_dict()["batch"]) == (2, 0)
        assert [numbers_of(taken), numbers_of(second)] == expected[1:]
    else:
        assert numbers_of(taken) + numbers_of(second) == expected[1]
        assert numbers_of(second) == expected[2]


def test_the_state_is_that_of_the_newest_of_two_passes(loader):
    once = loader()
    older, newest = iter(once), iter(once)
    next(newest)
    list(older)
    assert (once.state_dict()["epoch"], once.state_dict()["batch"]) == (1, 1)
    passing = iter(once)
    once.set_epoch(7)
    next(passing)
    assert (once.state_dict()["epoch"], once.state_dict()["batch"]) == (7, 0)


@pytest.mark.parametrize("duplicate", [copy.copy, copy.deepcopy])
def test_a_pass_goes_on_in_the_original_alone(duplicate, loader):
    once = loader()
    passing = iter(once)
    next(passing)
    copied = duplicate(once)
    next(passing)
    assert [each.state_dict()["batch"] for each in (once, copied)] == [2, 1]


def test_the_state_after_a_whole_pass_is_the_next_epochs_start(loader):
    once = loader()
    assert (once.state_dict()["epoch"], once.state_dict()["batch"]) == (0, 0)
    list(once)
    assert (once.state_dict()["epoch"], once.state_dict()["batch"]) == (1, 0)


@pytest.mark.parametrize(
    ("here", "saved", "names"),
    [
        ({"seed": 1}, {}, "seed"),
        ({"batch_size": 4}, {}, "batch_size"),
        ({"split": "test"}, {}, "split"),
        ({"shuffle": False}, {}, "shuffle"),
        ({"drop_last": True}, {}, "drop_last"),
        ({"shard": (0, 2)}, {}, "shard"),
        ({"shard": (0, 1), "equal": "pad"}, {}, "equal"),
        *[({}, {"split": split}, "split") for split in ("train[:29]", "test", "tran", 5, None)],
        *[({}, {"shard": shard}, "shard") for shard in (np.array([1, 2]), {0, 1}, None)],
        ({}, {"seed": np.array([0, 1])}, "seed"),
    ],
    ids=lambda value: value if isinstance(value, str) else str(value or "the default"),
)
def test_the_state_of_another_loader_is_refused(here, saved, names, loader):
    state = loader().state_dict() | saved
    with pytest.raises(errors.StateError, match=f"its {names} is"):
        loader(**here).load_state_dict(state)


def test_another_datasets_state_is_refused(loader):
    state = get_loader("fashion-mnist-sample", batch_size=8).state_dict()
    with pytest.raises(errors.StateError, match="its dataset is 'fashion-mnist-sample', but here it is 'toy'"):
        loader().load_state_dict(state)


@pytest.mark.parametrize(
    "place", [{"batch": 5}, {"batch": -1}, {"epoch": -1}, {"epoch": "0"}, {"batch": None}, {"batch": True}]
)
def test_a_position_that_does_not_exist_is_refused(place, loader):
    with pytest.raises(errors.StateError, match="the position in this state is not one of 4 batches"):
        loader().load_state_dict(loader().state_dict() | place)


@pytest.mark.parametrize("state", [None, 5, [], "x", {}], ids=repr)
def test_something_else_than_a_state_is_refused(state, loader):
    with pytest.raises(errors.StateError, match=r"is not the state of a loader|this state has no 'format'"):
        loader().load_state_dict(state)


@pytest.mark.parametrize(("saved", "here"), [("train", "train[:]"), ("train[0:100%]", "train"), ("all", "train+test")])
def test_a_state_of_the_same_examples_is_taken(saved, here, loader):
    first, second = loader(split=saved), loader(split=here)
    whole = [labels.tolist() for _, labels in loader(split=here)]
    passing = iter(first)
    next(passing)
    second.load_state_dict(first.state_dict())
    assert [labels.tolist() for _, labels in second] == whole[1:]


@pytest.mark.parametrize("form", [tuple, list, np.array, lambda shard: [np.int64(each) for each in shard]])
def test_a_state_may_come_back_in_other_types(form, loader, numbers_of):
    """Formats other than JSON have tuples, arrays and integers of their own."""
    once = loader(shard=(1, 3))
    state = once.state_dict() | {"epoch": 2, "batch": 1}
    saved = {"shard": form(state["shard"]), "epoch": np.int64(2), "batch": np.uint8(1), "seed": np.array(0)}
    once.load_state_dict(state | saved)
    assert json.loads(json.dumps(once.state_dict())) == state
    assert numbers_of(once) == order(N, 0, 2)[1::3].tolist()[8:]


@pytest.mark.parametrize("shard", [[np.int64(0), 1], np.array([0, 1])])
def test_a_loader_of_numpys_numbers_has_a_state_for_json(shard, loader):
    state = loader(seed=np.int64(3), batch_size=np.uint8(8), shard=shard).state_dict()
    assert json.loads(json.dumps(state)) == loader(seed=3).state_dict()


def test_a_state_may_hold_tensors(loader):
    torch = need("torch")
    once = loader(batch_size=torch.tensor(8), seed=torch.tensor(3), shard=(torch.tensor(1), torch.tensor(2)))
    state = json.loads(json.dumps(once.state_dict()))
    once.load_state_dict(state | {"shard": torch.tensor([1, 2]), "seed": torch.tensor(3)})
    assert once.state_dict() == state


def test_a_pickled_loader_goes_on_where_it_stood(loader, numbers_of):
    plain = loader(seed=2)
    passing = iter(plain)
    next(passing)
    again = pickle.loads(pickle.dumps(plain))  # noqa: S301
    assert again.state_dict() == plain.state_dict()
    assert numbers_of(again) == order(N, 2, 1).tolist()


def test_a_loader_of_an_adapter_of_ones_own_cannot_be_pickled(loader):
    plugins = Plugins()
    plugins.register("mine", plugins.adapter("numpy")._hooks.idxhub_batch.get_hookimpls()[0].plugin)
    with pytest.raises(TypeError, match="'mine' is not installed"):
        pickle.dumps(loader(framework="mine", plugins=plugins))
