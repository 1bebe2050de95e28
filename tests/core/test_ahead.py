"""Orders that threads draw ahead for a loader on a device: the same orders, bounded memory, threads that end."""

from __future__ import annotations

import gc
import os
import pickle
import signal
import threading
import time
import weakref

import numpy as np
import pytest
from support.installed import ByHand

import idxhub.data.ahead
from idxhub import Plugins, errors, get_loader, hookimpl, order
from idxhub.data.ahead import OrdersAhead

N = 30  # train images of `toy`
I32 = np.iinfo(np.int32).max


class Device:
    """What a framework would keep on a device: it counts the transfers, and makes batches of (epoch's tag, indices)."""

    def __init__(self) -> None:
        self.transfers: list[int] = []
        self.dtypes: set[str] = set()

    def send(self, orders):
        self.transfers.append(len(orders))
        self.dtypes |= {each.dtype.name for each in orders}
        assert threading.current_thread() is threading.main_thread()
        return [Sent(each) for each in orders]

    def __call__(self, indices, size):
        assert threading.current_thread() is threading.main_thread()
        rows = indices.rows if isinstance(indices, Sent) else indices
        return iter([rows[start : start + size].tolist() for start in range(0, len(rows), size)])


class Sent:
    """Indices on the device, of which only a slice can be taken."""

    def __init__(self, rows):
        self.rows = rows

    def __getitem__(self, index):
        assert isinstance(index, slice)
        return Sent(self.rows[index])


class Adapter(ByHand):
    def __init__(self) -> None:
        self.device = Device()

    @hookimpl
    def idxhub_resident(self, split):
        return self.device


def whole(indices):
    return indices


def threads_that_draw():
    return [each for each in threading.enumerate() if each.name.startswith("idxhub-order")]


def wait_for_threads():
    end = time.monotonic() + 20
    while threads_that_draw():
        assert time.monotonic() < end
        time.sleep(0.001)


@pytest.fixture
def device():
    return Device()


@pytest.fixture
def resident(toy):
    """Makes loaders of an adapter that takes orders ahead; `.adapter.device` has counted."""
    plugins = Plugins([])
    adapter = Adapter()
    plugins.register("a", adapter)

    def make(**arguments):
        asked = {"batch_size": 8, "data_dir": toy.folder, "download": False, "device": "there", "seed": 5}
        return get_loader(toy.spec, framework="a", plugins=plugins, **(asked | arguments))

    make.adapter = adapter
    return make


def joined(batches):
    return [index for batch in batches for index in batch]


@pytest.mark.parametrize("pause", [False, True])
def test_each_epoch_is_the_shared_order(device, pause):
    ahead = OrdersAhead(1000, 7, whole, device.send)
    for epoch in range(50):
        assert np.array_equal(ahead(epoch).rows, order(1000, 7, epoch))
        if pause:
            wait_for_threads()
    wait_for_threads()
    assert device.dtypes == {"int32"}


def test_several_orders_are_sent_in_one_transfer(device, monkeypatch):
    drawn_here, compared, pools = [], [], []

    def draw(n, seed, epoch):
        (drawn_here if threading.current_thread() is threading.main_thread() else compared).append(epoch)
        return order(n, seed, epoch)

    monkeypatch.setattr(idxhub.data.ahead, "order", draw)
    real = idxhub.data.ahead.Threads
    monkeypatch.setattr(idxhub.data.ahead, "Threads", lambda *given: pools.append(given) or real(*given))
    ahead = OrdersAhead(1000, 7, whole, device.send)
    for epoch in range(34):
        ahead(epoch)
        wait_for_threads()
    # one by one until the second epoch has begun, then all that are ready
    assert device.transfers[:3] == [1, 1, 16]
    assert max(device.transfers) == 16
    assert len(device.transfers) <= 6
    assert (drawn_here, compared) == ([0, 1], [1])  # threads drew the others, without the lock
    assert len(pools) <= 5


@pytest.mark.parametrize(("processors", "threads"), [(None, 1), (1, 1), (2, 1), (6, 3), (64, 4)])
def test_half_of_the_processors_and_at_most_four_draw(processors, threads, device, monkeypatch):
    pools = []
    real = idxhub.data.ahead.Threads
    monkeypatch.setattr(idxhub.data.ahead, "Threads", lambda *given: pools.append(given) or real(*given))
    monkeypatch.setattr(os, "cpu_count", lambda: processors)
    ahead = OrdersAhead(100, 7, whole, device.send)
    ahead(0), ahead(1)
    assert pools == [(threads, "idxhub-order")]


def test_one_epoch_or_epochs_that_do_not_follow_start_no_thread(device, monkeypatch):
    monkeypatch.setattr("idxhub.data.ahead.Threads", None)
    ahead = OrdersAhead(100, 0, whole, device.send)
    for epoch in (3, 0, 2, 2, 5, 3, 0):
        assert np.array_equal(ahead(epoch).rows, order(100, 0, epoch))


def test_after_a_jump_the_orders_are_those_of_the_new_epochs(device):
    ahead = OrdersAhead(100, 3, whole, device.send)
    for epoch in (0, 1, 2, 40, 41, 42, 3, 4, 4, 5, 43, 12):
        assert np.array_equal(ahead(epoch).rows, order(100, 3, epoch))
        wait_for_threads()
    assert {*ahead._drawn, *ahead._sent} <= {*range(12, 29)}  # those of the other epochs are forgotten


@pytest.mark.parametrize(("n", "most"), [(100, 16), (1 << 18, 8), (1 << 20, 2), (I32, 1), (I32 + 1, 1)])
def test_what_is_drawn_ahead_is_bounded(n, most, device, monkeypatch):
    monkeypatch.setattr(idxhub.data.ahead, "order", lambda n, seed, epoch: np.full(3, epoch))
    monkeypatch.setattr(idxhub.data.ahead, "_order_without_lock", lambda n, seed, epoch: np.full(3, epoch))
    ahead = OrdersAhead(n, 0, whole, device.send)
    for epoch in range(40):
        assert ahead(epoch).rows.tolist() == [epoch] * 3
        wait_for_threads()
        assert len(ahead._drawn) + len(ahead._sent) <= most
    assert len(ahead._drawn) + len(ahead._sent) >= most // 2
    assert device.dtypes == {"int32" if n <= I32 else "int64"}


def test_another_release_of_numpy_may_draw_other_permutations(device, monkeypatch):
    other = idxhub.data.ahead._order_without_lock
    asked = []
    monkeypatch.setattr(
        idxhub.data.ahead, "_order_without_lock", lambda n, *rest: asked.append(n) or other(n, *rest)[::-1]
    )
    ahead = OrdersAhead(100, 3, whole, device.send)
    for epoch in range(40):
        assert np.array_equal(ahead(epoch).rows, order(100, 3, epoch))
        wait_for_threads()
    assert len(asked) == 1  # it was compared once, and not used


@pytest.mark.parametrize("seed", range(8))
def test_two_permutations_of_a_few_may_be_equal_by_chance(seed, device, monkeypatch):
    other = idxhub.data.ahead._order_without_lock
    monkeypatch.setattr(idxhub.data.ahead, "_order_without_lock", lambda n, seed, epoch: other(n, seed, epoch + 1_000))
    ahead = OrdersAhead(2, seed, whole, device.send)
    for epoch in range(40):
        assert np.array_equal(ahead(epoch).rows, order(2, seed, epoch))
        wait_for_threads()


def test_a_generator_of_this_numpy_draws_the_same():
    for n in (1, 2, 257, 65_537):
        assert idxhub.data.ahead._is_drawn_without_lock(n, 11, 4)


def test_where_no_thread_can_be_started_the_orders_are_the_same(device, monkeypatch):
    class NoPool:
        def __init__(self, *_):
            raise RuntimeError("can't start new thread")

    monkeypatch.setattr("concurrent.futures.ThreadPoolExecutor", NoPool)
    ahead = OrdersAhead(100, 3, whole, device.send)
    for epoch in range(20):
        assert np.array_equal(ahead(epoch).rows, order(100, 3, epoch))


def test_a_thread_that_fails_costs_nothing_but_its_work(device, monkeypatch):
    def fails(n, seed, epoch):
        if epoch % 3 == 0 and threading.current_thread() is not threading.main_thread():
            raise MemoryError
        return order(n, seed, epoch)

    monkeypatch.setattr(idxhub.data.ahead, "_order_without_lock", fails)
    monkeypatch.setattr(idxhub.data.ahead, "_is_drawn_without_lock", lambda *_: True)
    ahead = OrdersAhead(100, 3, whole, device.send)
    for epoch in range(40):
        assert np.array_equal(ahead(epoch).rows, order(100, 3, epoch))
        wait_for_threads()


def test_nothing_is_left_when_a_loader_is_gone(resident):
    loader = resident()
    for _ in range(3):
        list(loader)
    gone = weakref.ref(loader._ahead)
    del loader
    wait_for_threads()
    gc.collect()
    assert gone() is None


@pytest.mark.parametrize(
    "arguments",
    [{}, {"shard": (1, 3)}, {"shard": (2, 7), "equal": "pad"}, {"shard": (2, 7), "equal": "drop"}, {"drop_last": True}],
    ids=str,
)
@pytest.mark.parametrize("prefetch", [0, 2])
def test_a_loader_gives_the_indices_that_it_gives_without_a_device(arguments, prefetch, resident, numbers_of):
    here, there = resident(device=None, **arguments), resident(prefetch=prefetch, **arguments)
    for _ in range(20):
        assert joined(there) == numbers_of(here)


def test_a_resumed_pass_and_the_passes_after_it(resident):
    uninterrupted = resident()
    expected = [list(uninterrupted) for _ in range(8)]
    first = resident()
    for _ in range(3):
        list(first)
    passing = iter(first)
    seen = [next(passing), next(passing)]
    second = resident()
    second.load_state_dict(first.state_dict())
    assert seen + list(second) == expected[3]
    assert [list(second) for _ in range(4)] == expected[4:]
    assert list(passing) == expected[3][2:]
    assert [list(first) for _ in range(4)] == expected[4:]


def test_two_passes_at_once(resident):
    loader = resident()
    list(loader)
    one, other = iter(loader), iter(loader)
    pairs = list(zip(one, other, strict=True))
    assert joined(batch for batch, _ in pairs) == order(N, 5, 1).tolist()
    assert joined(batch for _, batch in pairs) == order(N, 5, 2).tolist()


def test_without_shuffle_nothing_is_drawn(resident, monkeypatch):
    monkeypatch.setattr("idxhub.data.ahead.Threads", None)
    loader = resident(shuffle=False)
    for _ in range(3):
        assert joined(loader) == list(range(N))


def test_it_is_pickled_without_its_threads():
    ahead = OrdersAhead(100, 3, whole, list)
    for epoch in range(3):
        ahead(epoch)
    again = pickle.loads(pickle.dumps(ahead))  # noqa: S301 -- made here
    assert [again(epoch).tolist() for epoch in range(4)] == [order(100, 3, epoch).tolist() for epoch in range(4)]


@pytest.mark.skipif(not hasattr(os, "fork"), reason="needs fork")
@pytest.mark.filterwarnings("ignore:.*use of fork:DeprecationWarning")
def test_a_forked_process_draws_by_itself():
    """It has no copy of the threads: waiting for what they were drawing would take for ever."""
    parent, is_drawing, going_on = os.getpid(), threading.Event(), threading.Event()

    def part(indices):
        if os.getpid() == parent and threading.current_thread() is not threading.main_thread():
            is_drawing.set()
            assert going_on.wait(20)
        return indices

    ahead = OrdersAhead(1000, 3, part, list)
    for epoch in range(2):
        ahead(epoch)
    assert is_drawing.wait(20)
    child = os.fork()
    if child == 0:
        signal.alarm(30)  # a hang is a failure
        right = all(np.array_equal(ahead(epoch), order(1000, 3, epoch)) for epoch in range(2, 8))
        os._exit(0 if right else 1)
    going_on.set()
    assert os.waitstatus_to_exitcode(os.waitpid(child, 0)[1]) == 0


def test_what_ends_a_program_in_send_is_an_error_of_the_adapter(resident):
    def leave(orders):
        raise SystemExit

    resident.adapter.device.send = leave
    with pytest.raises(errors.AdapterError, match=r"'a': send of the function that idxhub_resident returned raised"):
        list(resident())
