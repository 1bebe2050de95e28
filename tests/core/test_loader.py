"""Batches in the shared order: epochs, shards, prefetching, and what a loader refuses to be asked for."""

from __future__ import annotations

import itertools
import os
import re
import threading

import numpy as np
import pytest
from support.needs import need
from support.processes import python

import idxhub.data.loader
from idxhub import errors, order
from idxhub.data.loader import HostBatches

N = 30  # train images of `toy`
SHARDS = [(n, equal) for n in (1, 2, 3, 7, 31, 40) for equal in (None, "drop", "pad")]


def test_an_epoch_is_the_shared_order(loader, numbers_of, toy):
    batches = list(loader(seed=3))
    assert numbers_of(batches) == order(N, 3, 0).tolist()
    assert [len(labels) for _, labels in batches] == [8, 8, 8, 6]
    expected = toy.array(toy.train_labels)[order(N, 3, 0)]
    assert np.concatenate([labels for _, labels in batches]).tolist() == expected.tolist()


def test_without_shuffle_it_is_the_files(loader, numbers_of):
    assert numbers_of(loader(shuffle=False)) == list(range(N))


def test_each_pass_is_the_next_epoch(loader, numbers_of):
    once = loader()
    assert [numbers_of(once) for _ in range(3)] == [order(N, 0, epoch).tolist() for epoch in range(3)]


def test_a_pass_that_ended_early_counts_as_an_epoch(loader, numbers_of):
    once = loader()
    next(iter(once))
    assert numbers_of(once) == order(N, 0, 1).tolist()


def test_two_passes_at_once_are_two_epochs(loader, numbers_of):
    once = loader()
    one, other = iter(once), iter(once)
    pairs = list(zip(one, other, strict=True))
    assert numbers_of([pair[0] for pair in pairs]) == order(N, 0, 0).tolist()
    assert numbers_of([pair[1] for pair in pairs]) == order(N, 0, 1).tolist()


def test_set_epoch(loader, numbers_of):
    once = loader()
    once.set_epoch(5)
    assert numbers_of(once) == order(N, 0, 5).tolist()
    assert numbers_of(once) == order(N, 0, 6).tolist()


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
def test_shards(n, equal, loader, numbers_of):
    shards = [loader(shard=(i, n), equal=equal, seed=1) for i in range(n)]
    parts = [numbers_of(shard) for shard in shards]
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


@pytest.mark.parametrize(("i", "number"), [(5, 5), (N + 3, 3), (10**15, 10**15 % N)])
def test_of_very_many_shards_each_has_one_example_of_the_epoch(i, number, loader, numbers_of):
    shard = loader(shard=(i, 10**18), equal="pad", seed=1)
    assert numbers_of(shard) == [order(N, 1, 0)[number]]


def test_the_repr_describes_a_loader(loader):
    assert repr(loader(seed=4)) == "Loader('toy', split='train', 4 batches of 8, shuffled by seed 4)"
    assert repr(loader(split="test", shuffle=False, batch_size=5)) == (
        "Loader('toy', split='test', 3 batches of 5, in the files' order)"
    )


@pytest.mark.parametrize(
    ("changes", "says"),
    [
        ({"foo": 1}, "unknown get_loader argument 'foo'"),
        (
            {"num_workers": 2},
            "'num_workers': get_loader uses no worker processes; prefetch= gathers batches in advance",
        ),
        ({"batchsize": 2}, "did you mean 'batch_size'?"),
        ({"transform": abs, "framework": "torch"}, "'transform': transform is an argument of get_dataset"),
    ],
    ids=str,
)
def test_an_unknown_argument_is_refused_with_the_choices(changes, says, loader):
    if "framework" in changes:
        need(changes["framework"])
    with pytest.raises(errors.UnknownNameError, match="Choices: name, batch_size, framework, split, ") as caught:
        loader(**changes)
    assert says in str(caught.value)


@pytest.mark.parametrize(
    ("argument", "value"),
    [("framework", "numpi"), ("split", "tran"), ("dtype", "float64"), ("layout", "WH"), ("layout", np.arange(3))],
)
def test_a_wrong_name_is_refused_with_the_choices_before_anything_is_looked_for(argument, value, loader, tmp_path):
    with pytest.raises(errors.UnknownNameError, match="Choices: "):
        loader(data_dir=tmp_path, **{argument: value})


@pytest.mark.parametrize("equal", ["even", np.arange(3), True], ids=repr)
def test_a_wrong_way_to_make_shards_equal_is_refused(equal, loader):
    with pytest.raises(errors.ArgumentError, match=r"^equal is .*; it must be None, 'drop' or 'pad'$"):
        loader(shard=(0, 2), equal=equal)


SHARDS_WRONG = [(1, 1), (-1, 2), (0, 0), 3, None, (0,), (0, 1, 2), "01", (0.0, 1), (False, True), {0, 3}]


@pytest.mark.parametrize(
    ("argument", "value"),
    [
        *[("batch_size", value) for value in (0, "1", 1.5, True)],
        *[("seed", value) for value in (-1, None, False)],
        *[("prefetch", -1), ("prefetch", True), ("device", "nowhere")],
        *[(switch, value) for switch in ("shuffle", "drop_last", "download", "verify") for value in ("no", 1, None)],
        *[("split", split) for split in (5, None, b"train", ("train", "test"))],
        *[("shard", shard) for shard in SHARDS_WRONG],
    ],
    ids=repr,
)
def test_a_wrong_value_is_refused_by_its_name_before_anything_is_looked_for(argument, value, loader, tmp_path):
    must_be = re.escape("(i, n) with 0 <= i < n" if argument == "shard" else "")
    with pytest.raises(errors.ArgumentError, match=rf"^{argument} is .*; it must be {must_be}"):
        loader(**{"data_dir": tmp_path, argument: value})


@pytest.mark.parametrize("epoch", [-1, "1", None, True])
def test_set_epoch_takes_epochs(epoch, loader):
    with pytest.raises(errors.ArgumentError, match=r"^epoch is "):
        loader().set_epoch(epoch)


def test_writing_into_a_batch_changes_nothing_else(loader, numbers_of):
    once = loader(shuffle=False)
    for batch, labels in once:
        batch[:] = 0
        labels[:] = 0
    assert numbers_of(once) == list(range(N))


@pytest.mark.parametrize("dtype", ["uint8", "float32"])
@pytest.mark.parametrize("size", [1, 4, 5, 32, 333, 1999, 2000])
def test_each_batch_is_aligned_and_has_memory_of_its_own(size, dtype, cache_dir):
    once = idxhub.get_loader("fashion-mnist-sample", batch_size=size, dtype=dtype, shuffle=False, cache_dir=cache_dir)
    batches, others = list(once), list(once)
    assert sum(len(labels) for _, labels in batches) == 2000
    assert {images.ctypes.data % 64 for images, _ in batches} == {0}
    for images, labels in batches[::2]:
        images[:] = labels[:] = 77
    for mine, theirs in zip(batches[1::2], others[1::2], strict=True):
        assert all(np.array_equal(one, other) for one, other in zip(mine, theirs, strict=True))


@pytest.mark.parametrize("prefetch", [1, 3, 100])
def test_prefetching_changes_nothing(prefetch, loader, numbers_of):
    assert numbers_of(loader(prefetch=prefetch)) == order(N, 0, 0).tolist()


@pytest.mark.parametrize("prefetch", [0, 2, 10**9])
def test_prefetching_makes_no_more_batches_than_the_epoch_has(prefetch, loader, monkeypatch):
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


def test_ending_a_pass_early_waits_for_one_batch_at_most(loader, monkeypatch):
    made, going_on = [], threading.Event()
    once = loader(batch_size=1, prefetch=20)
    gather = HostBatches.gather

    def slow(self, indices, size):
        for batch in gather(self, indices, size):
            made.append(1)
            if len(made) > 1:
                assert going_on.wait(10)
            yield batch

    monkeypatch.setattr(HostBatches, "gather", slow)
    passing = iter(once)
    next(passing)
    threading.Timer(0.1, going_on.set).start()
    passing.close()
    assert len(made) <= 3


@pytest.mark.parametrize("prefetch", [0, 2])
def test_an_adapter_is_called_in_the_thread_that_asks_for_batches(prefetch, loader):
    """In another one, a framework may have another default device."""
    once, threads = loader(prefetch=prefetch), []
    once._make_batches = HostBatches(once.split, lambda *_: threads.append(threading.get_ident()))
    assert len(list(once)) == 4
    assert threads == [threading.get_ident()] * 4


@pytest.mark.parametrize("dtype", [None, "float32"])
def test_gathering_refuses_indices_out_of_range(dtype, loader):
    split = loader(dtype=dtype).split
    assert len(split.gather(np.empty(0, np.int64))) == 0
    assert (split.gather(np.array([N - 1])) == split.batch(slice(N - 1, N))).all()
    for wrong in ([-1], [N], [0, 10**6, 1], [-(2**63)]):
        with pytest.raises(IndexError, match="out of range for 30 examples"):
            split.gather(np.array(wrong))
    for wrong, shown in (
        ([0] * 1000, "list"),
        (0, "int"),
        (np.array(0), "<i8 ()"),
        (np.zeros((1, 2), np.int64), "<i8 (1, 2)"),
        (np.array([0.0]), "<f8 (1,)"),
        (np.array([0], ">i8"), ">i8 (1,)"),
    ):
        with pytest.raises(errors.ArgumentError) as caught:
            split.gather(wrong)
        must_be = "it must be a one-dimensional array of int64"
        assert str(caught.value) == f"the argument `where` of gather is {shown!r}; {must_be}"
    nothing = loader(dtype=dtype, split="train[:0]").split
    assert len(nothing.gather(np.empty(0, np.int64))) == 0


@pytest.mark.parametrize("layout", ["HW", "CHW", "HWC"])
@pytest.mark.parametrize("dtype", ["uint8", "float32"])
def test_gathering_into_an_array(dtype, layout, loader):
    split, where = loader(dtype=dtype, layout=layout).split, np.array([3, 0, 29])
    expected = split.gather(where)
    assert expected.ctypes.data % 64 == 0
    out = np.full_like(expected, 7)
    assert split.gather(where, out) is out
    assert np.array_equal(out, expected)
    unwritable = np.full_like(expected, 7)
    unwritable.flags.writeable = False
    strided = np.full((3, 2, *split.element_shape), 7, dtype)[:, 0]
    for wrong in (out[:2], out.astype("int16"), out[..., :0], unwritable, strided, out.tolist()):
        with pytest.raises(
            errors.ArgumentError, match=r"^the argument `out` of gather is .* C-contiguous and writable$"
        ):
            split.gather(where, wrong)
    assert (unwritable == 7).all()
    assert (strided == 7).all()


@pytest.mark.skipif(not hasattr(os, "fork"), reason="needs fork")
@pytest.mark.parametrize("taken", [0, 1, 3])
def test_a_forked_child_goes_on_with_a_prefetching_pass(taken, toy):
    """The thread that makes batches ahead is not copied by a fork: waiting for it would take for ever."""
    code = """
        import os, signal
        from idxhub import get_loader

        spec, folder, taken = given
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
    assert python(code, given=(toy.spec, toy.folder, taken)).stdout == "True\n"
