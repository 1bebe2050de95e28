"""Batches in the shared order: epochs, shards, resuming, prefetching."""

from __future__ import annotations

import itertools
import json
import os
import pickle
import threading

import numpy as np
import pytest
from support.needs import need
from support.processes import python

import idxhub.data.loader
from idxhub import Plugins, errors, get_loader, order
from idxhub.data.loader import HostBatches

N = 30  # train images of `toy`
SHARDS = [(n, equal) for n in (1, 2, 3, 7, 31, 40) for equal in (None, "drop", "pad")]


@pytest.fixture
def loader(toy):
    """A loader of `toy`; keywords change what is asked for."""

    def make(**changes):
        return get_loader(toy.spec, **({"batch_size": 8, "data_dir": toy.folder, "download": False} | changes))

    return make


@pytest.fixture
def images(toy):
    return toy.array(toy.train_images)


def seen(batches, images) -> list[int]:
    """Which examples batches hold, by their pixels: the images of `toy` are all different."""
    known = {image.tobytes(): i for i, image in enumerate(images)}
    return [known[image.tobytes()] for batch, _ in batches for image in batch]


def test_an_epoch_is_the_shared_order(loader, images, toy):
    batches = list(loader(seed=3))
    assert seen(batches, images) == order(N, 3, 0).tolist()
    assert [len(labels) for _, labels in batches] == [8, 8, 8, 6]
    expected = toy.array(toy.train_labels)[order(N, 3, 0)]
    assert np.concatenate([labels for _, labels in batches]).tolist() == expected.tolist()


def test_without_shuffle_it_is_the_files(loader, images):
    assert seen(loader(shuffle=False), images) == list(range(N))


def test_each_pass_is_the_next_epoch(loader, images):
    once = loader()
    assert [seen(once, images) for _ in range(3)] == [order(N, 0, epoch).tolist() for epoch in range(3)]


def test_a_pass_that_was_broken_off_counts(loader, images):
    once = loader()
    next(iter(once))
    assert seen(once, images) == order(N, 0, 1).tolist()


def test_two_passes_at_once_are_two_epochs(loader, images):
    once = loader()
    one, other = iter(once), iter(once)
    pairs = list(zip(one, other, strict=True))
    assert seen([pair[0] for pair in pairs], images) == order(N, 0, 0).tolist()
    assert seen([pair[1] for pair in pairs], images) == order(N, 0, 1).tolist()


def test_set_epoch(loader, images):
    once = loader()
    once.set_epoch(5)
    assert seen(once, images) == order(N, 0, 5).tolist()
    assert seen(once, images) == order(N, 0, 6).tolist()


@pytest.mark.parametrize(("drop_last", "sizes"), [(False, [8, 8, 8, 6]), (True, [8, 8, 8])])
def test_the_last_batch(drop_last, sizes, loader):
    once = loader(drop_last=drop_last)
    assert [len(labels) for _, labels in once] == sizes
    assert len(once) == len(sizes)


@pytest.mark.parametrize("split", ["train[:0]", "train[:1]", "train+test", "test[-5:]"])
def test_any_split(split, loader, toy):
    once = loader(split=split)
    assert sum(len(labels) for _, labels in once) == len(once.split)
    assert len(list(once)) == len(once)


@pytest.mark.parametrize(("n", "equal"), SHARDS)
def test_shards(n, equal, loader, images):
    shards = [loader(shard=(i, n), equal=equal, seed=1) for i in range(n)]
    parts = [seen(shard, images) for shard in shards]
    whole = order(N, 1, 0).tolist()
    assert [len(shard) for shard in shards] == [-(-len(part) // 8) for part in parts]
    if equal is None:
        assert sorted(itertools.chain(*parts)) == list(range(N))
        assert [i for turn in itertools.zip_longest(*parts) for i in turn if i is not None] == whole
    elif equal == "drop":
        assert {len(part) for part in parts} == {N // n}
        assert sorted(itertools.chain(*parts)) == sorted(whole[: N // n * n])
    else:
        assert {len(part) for part in parts} == {-(-N // n)}
        assert set(itertools.chain(*parts)) == set(range(N))
        # what is repeated is the start of the epoch, so that no example comes three times before all come twice
        counts = np.bincount(list(itertools.chain(*parts)), minlength=N)
        assert counts.max() - counts.min() <= 1


@pytest.mark.parametrize("stop", range(5))
@pytest.mark.parametrize("prefetch", [0, 2])
def test_resuming_gives_the_very_next_batch(stop, prefetch, loader, images):
    uninterrupted = loader(seed=2)
    expected = [seen(uninterrupted, images) for _ in range(3)]
    first = loader(seed=2, prefetch=prefetch)
    list(first)  # epoch 0
    taken = list(itertools.islice(iter(first), stop))
    state = json.loads(json.dumps(first.state_dict()))
    second = loader(seed=2, prefetch=prefetch)
    second.load_state_dict(state)
    if stop == len(second):  # nothing is left of that epoch, and no empty pass
        assert (second.state_dict()["epoch"], second.state_dict()["batch"]) == (2, 0)
        assert [seen(taken, images), seen(second, images)] == expected[1:]
    else:
        assert seen(taken, images) + seen(second, images) == expected[1]
        assert seen(second, images) == expected[2]


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


def test_numpys_integers_will_do(loader, images):
    once = loader(seed=np.int64(3), batch_size=np.uint8(8), shard=[np.int64(0), 1])
    assert json.loads(json.dumps(once.state_dict())) == loader(seed=3).state_dict()


def test_the_state_after_a_whole_pass_is_the_next_epochs_start(loader):
    once = loader()
    assert (once.state_dict()["epoch"], once.state_dict()["batch"]) == (0, 0)
    list(once)
    assert (once.state_dict()["epoch"], once.state_dict()["batch"]) == (1, 0)


@pytest.mark.parametrize(
    ("changes", "names"),
    [
        ({"seed": 1}, "seed"),
        ({"batch_size": 4}, "batch_size"),
        ({"split": "test"}, "split"),
        ({"shuffle": False}, "shuffle"),
        ({"drop_last": True}, "drop_last"),
        ({"shard": (0, 2)}, "shard"),
        ({"shard": (0, 1), "equal": "pad"}, "equal"),
    ],
    ids=lambda value: value if isinstance(value, str) else None,
)
def test_another_loaders_state_is_refused(changes, names, loader):
    once = loader(**changes)
    with pytest.raises(errors.StateError, match=f"its {names} is"):
        once.load_state_dict(loader().state_dict())


def test_another_datasets_state_is_refused(loader):
    state = get_loader("fashion-mnist-sample", batch_size=8).state_dict()
    with pytest.raises(errors.StateError, match="its dataset is 'fashion-mnist-sample', here 'toy'"):
        loader().load_state_dict(state)


@pytest.mark.parametrize(
    "place", [{"batch": 5}, {"batch": -1}, {"epoch": -1}, {"epoch": "0"}, {"batch": None}, {"batch": True}]
)
def test_a_place_that_does_not_exist_is_refused(place, loader):
    with pytest.raises(errors.StateError, match="no position in 4 batches"):
        loader().load_state_dict(loader().state_dict() | place)


@pytest.mark.parametrize("state", [None, 5, [], "x", {}], ids=repr)
def test_what_is_no_state_is_refused(state, loader):
    with pytest.raises(errors.StateError, match=r"is not the state of a loader|its format is None"):
        loader().load_state_dict(state)


@pytest.mark.parametrize(("saved", "here"), [("train", "train[:]"), ("train[0:100%]", "train"), ("all", "train+test")])
def test_a_state_of_the_same_examples_is_taken(saved, here, loader):
    first, second = loader(split=saved), loader(split=here)
    whole = [labels.tolist() for _, labels in loader(split=here)]
    passing = iter(first)
    next(passing)
    second.load_state_dict(first.state_dict())
    assert [labels.tolist() for _, labels in second] == whole[1:]


@pytest.mark.parametrize("split", ["train[:29]", "test", "tran", 5, None])
def test_a_state_of_other_examples_is_refused(split, loader):
    with pytest.raises(errors.StateError, match="its split is"):
        loader().load_state_dict(loader().state_dict() | {"split": split})


def test_a_pickled_loader_goes_on_where_it_stood(loader, images):
    plain = loader(seed=2)
    passing = iter(plain)
    next(passing)
    again = pickle.loads(pickle.dumps(plain))  # noqa: S301
    assert again.state_dict() == plain.state_dict()
    assert seen(again, images) == order(N, 2, 1).tolist()


def test_a_loader_of_an_adapter_of_ones_own_cannot_be_pickled(loader):
    plugins = Plugins()
    plugins.register("mine", plugins.adapter("numpy")._hooks.idxhub_batch.get_hookimpls()[0].plugin)
    with pytest.raises(TypeError, match="'mine' is not an installed one"):
        pickle.dumps(loader(framework="mine", plugins=plugins))


def test_what_a_loader_is_can_be_read(loader):
    assert repr(loader(seed=4)) == "Loader('toy', split='train', 4 batches of 8, shuffled by seed 4)"
    assert repr(loader(split="test", shuffle=False, batch_size=5)) == (
        "Loader('toy', split='test', 3 batches of 5, in the files' order)"
    )


@pytest.mark.parametrize(
    ("changes", "says"),
    [
        ({"foo": 1}, "unknown argument of get_loader 'foo'"),
        (
            {"num_workers": 2},
            "'num_workers': batches are made without processes, and with prefetch= ahead of their use",
        ),
        ({"batchsize": 2}, "did you mean 'batch_size'?"),
        ({"transform": abs, "framework": "torch"}, "'transform': get_dataset has it"),
    ],
    ids=str,
)
def test_an_argument_that_there_is_not(changes, says, loader):
    if "framework" in changes:
        need(changes["framework"])
    with pytest.raises(errors.UnknownNameError, match="Choices: name, batch_size, framework, split, ") as caught:
        loader(**changes)
    assert says in str(caught.value)


@pytest.mark.parametrize(
    "wrong",
    [
        {"equal": "even"},
        {"framework": "numpi"},
        {"split": "tran"},
        {"dtype": "float64"},
        {"layout": "WH"},
    ],
    ids=str,
)
def test_wrong_arguments_name_the_choices(wrong, loader):
    with pytest.raises(errors.UnknownNameError, match="Choices: "):
        loader(**wrong)


@pytest.mark.parametrize(
    ("argument", "value"),
    [
        *[("batch_size", 0), ("batch_size", "1"), ("batch_size", 1.5), ("seed", -1), ("seed", None), ("prefetch", -1)],
        *[("batch_size", True), ("seed", False), ("prefetch", True), ("device", "nowhere")],
        *[(switch, value) for switch in ("shuffle", "drop_last", "download", "verify") for value in ("no", 1, None)],
        *[("shard", shard) for shard in ((1, 1), (-1, 2), (0, 0), 3, None, (0, 1, 2), "01", (0.0, 1))],
        *[("split", split) for split in (5, None, b"train", ("train", "test"))],
    ],
    ids=repr,
)
def test_an_argument_out_of_range_or_of_another_type_is_named(argument, value, loader):
    with pytest.raises(errors.ArgumentError, match=rf"^{argument} is .*; it must be "):
        loader(**{argument: value})


@pytest.mark.parametrize("wrong", [{"batch_size": 0}, {"seed": -1}, {"shard": (2, 1)}, {"equal": "even"}], ids=str)
def test_arguments_are_checked_before_anything_is_looked_for(wrong, loader, tmp_path):
    with pytest.raises(errors.UnknownNameError):
        loader(**{"data_dir": tmp_path, "cache_dir": tmp_path / "cache"} | wrong)


@pytest.mark.parametrize("epoch", [-1, "1", None, True])
def test_set_epoch_takes_epochs(epoch, loader):
    with pytest.raises(errors.ArgumentError, match=r"^epoch is "):
        loader().set_epoch(epoch)


def test_batches_are_their_owners(loader, images):
    once = loader(shuffle=False)
    for batch, labels in once:
        batch[:] = 0
        labels[:] = 0
    assert seen(once, images) == list(range(N))


@pytest.mark.parametrize("prefetch", [1, 3, 100])
def test_prefetching_changes_nothing(prefetch, loader, images):
    assert seen(loader(prefetch=prefetch), images) == order(N, 0, 0).tolist()


@pytest.mark.parametrize("prefetch", [0, 2, 10**9])
def test_no_more_is_prefetched_than_there_is(prefetch, loader, monkeypatch):
    asked = []
    loaders = idxhub.data.loader
    real = loaders._prefetch_batches
    monkeypatch.setattr(
        loaders, "_prefetch_batches", lambda batches, count, *more: asked.append(count) or real(batches, count, *more)
    )
    once = loader(prefetch=prefetch)
    assert len(list(once)) == 4
    state = once.state_dict() | {"epoch": 0, "batch": 3}
    once.load_state_dict(state)
    assert len(list(once)) == 1
    assert asked == ([] if not prefetch else [min(prefetch, 4), 1])
    assert list(loader(prefetch=prefetch, split="train[:0]")) == []


def test_a_prefetching_thread_ends_with_its_pass(loader):
    batches = iter(loader(prefetch=2))
    next(batches)
    assert any(thread.name.startswith("idxhub-prefetch") for thread in threading.enumerate())
    del batches
    assert not any(thread.name.startswith("idxhub-prefetch") for thread in threading.enumerate())


def test_what_fails_while_prefetching_is_raised(loader):
    once = loader(prefetch=2)

    def fails(images, labels):
        raise RuntimeError("no such device")

    once._make_batches = HostBatches(once.split, fails)
    with pytest.raises(RuntimeError, match="no such device"):
        next(iter(once))


def test_layout_and_dtype(loader):
    batch, labels = next(iter(loader(dtype="float32", layout="HWC")))
    assert (batch.shape, batch.dtype, labels.dtype) == ((8, 6, 5, 1), np.float32, np.int64)


def test_a_pass_that_is_broken_off_waits_for_no_batch_behind_the_one_in_hand(loader):
    made, going_on = [], threading.Event()
    once = loader(batch_size=1, prefetch=20)
    native = once._make_batches

    def slow(indices, size):
        for batch in native(indices, size):
            made.append(1)
            if len(made) > 1:
                assert going_on.wait(10)
            yield batch

    once._make_batches = slow
    passing = iter(once)
    next(passing)
    threading.Timer(0.1, going_on.set).start()
    passing.close()
    assert len(made) <= 3


@pytest.mark.parametrize("shard", [(1, 3), [1, 3], np.array([1, 3])], ids=repr)
def test_a_state_may_come_back_in_other_types(shard, loader, images):
    """Formats other than JSON have tuples, arrays and integers of their own."""
    once = loader(shard=(1, 3))
    state = once.state_dict() | {"shard": shard, "epoch": np.int64(2), "batch": np.uint8(1), "seed": np.array(0)}
    once.load_state_dict(state)
    assert seen(once, images) == order(N, 0, 2)[1::3].tolist()[8:]


@pytest.mark.parametrize(
    "change", [{"shard": np.array([1, 2])}, {"shard": {0, 1}}, {"seed": np.array([0, 1])}, {"shard": None}], ids=repr
)
def test_a_state_of_odd_types_is_refused_as_any_other(change, loader):
    with pytest.raises(errors.StateError, match=f"its {next(iter(change))} is"):
        loader().load_state_dict(loader().state_dict() | change)


@pytest.mark.parametrize(
    "shard", [(False, True), {0, 3}, (0,), (0, 1, 2), "01", 5, None, (0.0, 1), (1, 1), (-1, 2)], ids=repr
)
def test_what_is_no_shard_is_refused(shard, loader):
    with pytest.raises(errors.ArgumentError, match=r"it must be \(i, n\) with 0 <= i < n"):
        loader(shard=shard)


@pytest.mark.parametrize("dtype", [None, "float32"])
def test_gathering_knows_no_index_but_those_there_are(dtype, loader):
    split = loader(dtype=dtype).split
    assert len(split.gather(np.empty(0, np.int64))) == 0
    assert (split.gather(np.array([N - 1])) == split.batch(slice(N - 1, N))).all()
    for wrong in ([-1], [N], [0, 10**6, 1], [-(2**63)]):
        with pytest.raises(IndexError, match="out of range for 30 examples"):
            split.gather(np.array(wrong))
    for wrong in ([0] * 1000, 0, np.array(0), np.zeros((1, 2), np.int64), np.array([0.0]), np.array([0], ">i8")):
        with pytest.raises(errors.ArgumentError, match="it must be an array of int64") as caught:
            split.gather(wrong)
        assert len(str(caught.value)) < 80


@pytest.mark.skipif(not hasattr(os, "fork"), reason="needs fork")
@pytest.mark.parametrize("taken", [0, 1, 3])
def test_a_forked_child_goes_on_with_a_prefetching_pass(taken, toy, tmp_path):
    """The thread that makes batches ahead is not copied by a fork: waiting for it would take for ever."""
    code = """
        import os, pickle, signal, sys
        from idxhub import get_loader

        spec, folder, taken = pickle.load(open(sys.argv[1], "rb"))
        options = {"batch_size": 8, "data_dir": folder, "download": False, "prefetch": 2}
        batches = iter(get_loader(spec, **options))
        for _ in range(taken):
            next(batches)
        child = os.fork()
        signal.alarm(30)  # a hang is a failure
        rest = [labels.tolist() for _, labels in batches] if child == 0 or os.waitpid(child, 0)[1] == 0 else None
        expected = [labels.tolist() for _, labels in get_loader(spec, **options | {"prefetch": 0})][taken:]
        if child == 0:
            os._exit(rest != expected)
        print(rest == expected)
    """
    told = tmp_path / "told"
    told.write_bytes(pickle.dumps((toy.spec, toy.folder, taken)))
    assert python(code, told).stdout == "True\n"


@pytest.mark.parametrize("form", [tuple, np.asarray, lambda shard: [np.int64(each) for each in shard]])
def test_a_state_may_come_back_with_numpys_numbers(form, loader):
    once = loader(shard=(1, 2))
    next(iter(once))
    state = once.state_dict()
    saved = state | {"shard": form(state["shard"]), "seed": np.int64(0), "batch": np.int64(1)}
    again = loader(shard=(1, 2))
    again.load_state_dict(saved)
    assert again.state_dict() == state
    json.dumps(again.state_dict())


def test_a_loader_asked_for_with_numpys_numbers_has_a_state_for_json(loader):
    state = loader(batch_size=np.int64(8), seed=np.uint8(3), shard=np.array([0, 2])).state_dict()
    assert json.loads(json.dumps(state)) == state


def test_a_state_may_hold_tensors(loader):
    torch = need("torch")
    once = loader(batch_size=torch.tensor(8), seed=torch.tensor(3), shard=(torch.tensor(1), torch.tensor(2)))
    state = json.loads(json.dumps(once.state_dict()))
    once.load_state_dict(state | {"shard": torch.tensor([1, 2]), "seed": torch.tensor(3)})
    assert once.state_dict() == state
