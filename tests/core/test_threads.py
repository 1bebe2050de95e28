"""What is done where no thread, or no further one, can be started."""

from __future__ import annotations

import gc
import textwrap
import threading
import weakref

import pytest
from support.processes import python

from idxhub.threads import Threads

NONE_MORE = """
    import sys, threading
    import numpy as np
    from idxhub import get_dataset, get_loader, load

    def start(self):
        raise RuntimeError("can't start new thread")

    threading.Thread.start = start
    arguments = {"cache_dir": sys.argv[1]}
"""
USES = {
    "a cold cache": 'print(len(get_dataset("fashion-mnist-sample", **arguments).labels))',
    "prefetching": """
        loader = get_loader("fashion-mnist-sample", batch_size=100, prefetch=3, **arguments)
        ahead = [labels.tolist() for _, labels in loader]
        loader.set_epoch(0)
        object.__setattr__(loader.batching, "prefetch", 0)
        assert ahead == [labels.tolist() for _, labels in loader]
        print(100 * len(ahead))
    """,
    "a derived file": """
        split = load("fashion-mnist-sample", **arguments)
        print(len(split.derived("x.bin", lambda: iter([b"ab"] * 1000)).read_bytes()))
    """,
}


@pytest.mark.parametrize("use", USES)
def test_without_threads_all_work_is_done_in_line(use, tmp_path):
    code = textwrap.dedent(NONE_MORE) + textwrap.dedent(USES[use])
    assert python(code, tmp_path / "cache").stdout.strip() == "2000"


@pytest.fixture
def only_one(monkeypatch):
    """The first thread starts, and no other."""
    real, started = threading.Thread.start, []

    def start(self):
        if started:
            raise RuntimeError("can't start new thread")
        started.append(self)
        real(self)

    monkeypatch.setattr(threading.Thread, "start", start)
    return started


@pytest.mark.parametrize("busy", [False, True])
def test_work_is_done_once_where_a_second_thread_cannot_start(only_one, busy):
    done, held = [], threading.Event()
    with Threads(2) as pool:
        first = pool.submit(held.wait, 10 if busy else 0)
        each = [pool.submit(lambda i=i: done.append(i) or i) for i in range(20)]
        held.set()
        assert [future.result() for future in each] == list(range(20))
        assert first.result() is busy
    assert sorted(done) == list(range(20))
    assert len(only_one) == 1


def test_a_result_is_not_kept_by_what_waits_for_a_thread(only_one):
    held = threading.Event()
    with Threads(2) as pool:
        pool.submit(held.wait, 10)
        future = pool.submit(set)  # done here, but a thread may still find the work
        result = weakref.ref(future.result())
        del future
        gc.collect()
        assert result() is None
        held.set()


def test_an_error_is_raised_where_the_result_is_asked_for(monkeypatch):
    def start(self):
        raise RuntimeError("can't start new thread")

    def fails(error):
        raise error

    monkeypatch.setattr(threading.Thread, "start", start)
    with Threads(1) as pool:
        future = pool.submit(fails, KeyError("x"))
        with pytest.raises(KeyError, match="x"):
            future.result()
        with pytest.raises(KeyboardInterrupt):  # that of Ctrl-C waits for nothing
            pool.submit(fails, KeyboardInterrupt())
