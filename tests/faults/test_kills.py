"""Processes that are ended in the middle of their work, and what they leave behind."""

import json
import os
import signal
import subprocess
import time

import pytest
from faults.kill_points import in_turn
from support.calls import Boundary
from support.processes import python_traced, running

from idxhub.cache import atomic as storage
from idxhub.cache.store import Cache


@pytest.mark.row(26)
def test_killed_at_every_boundary(run_kill_points, invariant, request):
    """As often as --kill-points says; `Scenarios` says what the process is doing."""
    count = request.config.getoption("--kill-points", default=200)
    done = run_kill_points(count)
    assert done.returncode == 0, done.stderr
    answer = json.loads(done.stdout)
    assert sum(answer["killed"].values()) == count
    # the last boundaries of a run are not always reached: the number of calls that two threads make varies
    assert answer["met"] >= 0.95 * min(count, answer["boundaries"])
    if count >= 200:  # more than there are kinds of boundaries in all scenarios
        calls = ("mkdir", "open", "write", "fsync", "replace", "flock")
        assert {f"{moment} {call}" for call in calls for moment in ("before", "after")} <= answer["killed"].keys()
    print(done.stdout)  # noqa: T201 -- with pytest's -s or -rP
    invariant()


@pytest.mark.parametrize("seed", range(3))
def test_the_first_kill_points_are_one_of_each_kind(seed):
    points = [(name, Boundary(i, *kind)) for name in "ab" for i, kind in enumerate([("open", "after")] * 50, 1)]
    points += [("b", Boundary(51, "mkdir", "before")), ("b", Boundary(52, "mkdir", "after"))]
    order = in_turn(points, seed)
    assert {(name, *boundary[1:]) for name, boundary in order[:4]} == {(name, *b[1:]) for name, b in points}
    assert sorted(order) == sorted(points)
    assert order == in_turn(points, seed)
    assert order != in_turn(points, seed + 1)


TRACED = """
    import idxhub

    toy, cache = given
    idxhub.load(toy.spec, "train", data_dir=toy.folder, cache_dir=cache, plugins=idxhub.Plugins([]))
"""


@pytest.mark.row(26)
@pytest.mark.parametrize("when", [1, 3])  # counted for each thread
@pytest.mark.parametrize("call", ["write", "fsync", "rename"])
def test_killed_by_the_kernels_tracer(toy, cache_dir, invariant, monkeypatch, call, when):
    monkeypatch.setenv("PYTHONDONTWRITEBYTECODE", "1")  # or the first to be written would be a module's
    done = python_traced(f"{call}:signal=KILL:when={when}", TRACED, given=(toy, cache_dir))
    assert done.returncode == -signal.SIGKILL, done.stderr
    assert cache_dir.exists(), "it was killed before it had anything to do with the cache"
    invariant()


WRITING = """
    import os, signal, sys, threading
    import idxhub, idxhub.acquire.build  # not while calls are counted
    from support import calls

    # started in the background, a shell has them ignored
    signal.signal(signal.SIGINT, signal.default_int_handler)
    signal.signal(signal.SIGTERM, signal.SIG_DFL)
    spec, folder, what, *moment = given
    options = {"data_dir": folder, "download": False, "plugins": idxhub.Plugins([])}
    if what == "a derived file":
        split = idxhub.load(spec, "train", **options)
    once = threading.Lock()  # two threads may be at such a moment at the same time

    def tell(boundary):
        if [boundary.call, boundary.moment] == moment and any_temp() and once.acquire(blocking=False):
            print("there", flush=True)
            sys.stdin.readline()

    def any_temp():
        return any(name.endswith(".tmp") for *_, names in os.walk(os.environ["IDXHUB_CACHE"]) for name in names)

    with calls.wrapped(tell):
        if what == "a derived file":
            split.derived("x.other", lambda: [b"x" * 1000])
        else:
            idxhub.load(spec, "train", **options)
"""


@pytest.mark.row(27)
@pytest.mark.parametrize("what", ["arrays", "a derived file"])
@pytest.mark.parametrize(
    "moment", [("open", "after"), ("write", "half-way through"), ("fsync", "before"), ("replace", "before")], ids=str
)
@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM], ids=str)
def test_a_signal_in_the_middle_of_a_write(toy, cache_dir, invariant, what, moment, number):
    with running(WRITING, given=(toy.spec, toy.folder, what, *moment), stderr=subprocess.PIPE) as child:
        assert child.stdout.readline() == "there\n", child.stderr.read()
        assert temp_files(cache_dir)
        child.send_signal(number)
        time.sleep(0.05)
        _, said = child.communicate("go on\n", timeout=30)
    assert child.returncode == -number, said
    assert temp_files(cache_dir) == []
    invariant(also={"x.other": b"x" * 1000} if what == "a derived file" else {})


@pytest.mark.row(27)
def test_a_program_keeps_its_own_handler(toy, cache_dir, invariant):
    """A program's own handler of SIGTERM is not replaced."""
    mine = lambda number, frame: None  # noqa: E731 -- the handler
    before = signal.signal(signal.SIGTERM, mine)
    try:
        invariant()
        assert signal.getsignal(signal.SIGTERM) is mine
    finally:
        signal.signal(signal.SIGTERM, before)
    assert signal.getsignal(signal.SIGTERM) is signal.SIG_DFL
    cache_dir.rename(cache_dir.with_name("another"))
    invariant()
    assert signal.getsignal(signal.SIGTERM) is signal.SIG_DFL


def temp_files(folder):
    return sorted(folder.rglob("*.tmp"))


DAY = storage._ORPHAN_AGE


@pytest.mark.row(28)
@pytest.mark.parametrize("kind", ["file", "link"])
@pytest.mark.parametrize(("age", "stays"), [(0, True), (DAY - 600, True), (DAY + 60, False), (30 * DAY, False)])
def test_orphaned_temp_files(toy, cache_dir, tmp_path, invariant, kind, age, stays):
    orphan = Cache(cache_dir, toy.spec).folder / ".train-images-idx3-ubyte.npy.1-aa.tmp"
    target = tmp_path / "precious"
    target.write_bytes(b"precious")
    orphan.parent.mkdir(parents=True)
    orphan.write_bytes(b"half") if kind == "file" else orphan.symlink_to(target)
    then = time.time() - age
    os.utime(orphan, (then, then), follow_symlinks=False)
    invariant()
    assert (temp_files(cache_dir) == [orphan]) is stays
    assert target.read_bytes() == b"precious"


@pytest.mark.row(28)
def test_only_temp_files_are_swept(toy, cache_dir, invariant):
    folder = Cache(cache_dir, toy.spec).folder
    folder.mkdir(parents=True)
    mine = folder / "data.tmp"
    mine.write_bytes(b"mine")
    os.utime(mine, (1, 1))
    invariant(also={"data.tmp": b"mine"})
    assert mine.read_bytes() == b"mine"
