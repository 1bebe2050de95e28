"""Kill a process at each boundary of what it does to the disk, and see what the next one makes of it.

    python tests/faults/kill_points.py TOLD COUNT

TOLD is a pickled (dataset, the same in an archive, URL that serves both, folder to work in). COUNT kill points are
taken from all there are, in an order that is always the same: first one of each kind in each scenario, then the others,
and again from the first one when all were taken, because two threads interleave differently each time. Each kill point
has its own cache: a forked child is killed, another one checks the invariant. The answer is one line of JSON. This
process has only one thread, because it forks.
"""

import datetime as dt  # noqa: F401 -- this and those marked so below are imported once, for all children
import itertools
import json
import os
import pickle
import random
import shutil
import signal
import sys
import traceback
from collections import Counter
from collections.abc import Callable, Iterable
from functools import partial
from pathlib import Path

import filelock  # noqa: F401 -- as above
from support import calls, invariant
from support.made import Made
from support.streaming import stream_all_if_asked

from idxhub import Plugins, load
from idxhub.cache.store import Cache

SCENARIOS = ("download", "archive", "folder", "mend", "again", "derive")  # methods of `Scenarios`
NAME, CONTENT = "x.other", b"made from the arrays" * 100  # a derived file


class Scenarios:
    """What a process can be killed in: each prepares a cache, and gives the call."""

    def __init__(self, toy: Made, packed: Made, url: str) -> None:
        self.toy, self.packed, self.url, self.plugins = toy, packed, url, Plugins([])
        self._spoiled: dict[Path, bytes] = {}

    def download(self, cache: Path) -> Callable[[], object]:
        """A cold cache, filled from a mirror."""
        return lambda: load(self.toy.mirrored(self.url), "all", cache_dir=cache, plugins=self.plugins)

    def archive(self, cache: Path) -> Callable[[], object]:
        """A cold cache, filled from an archive on a mirror."""
        return lambda: load(self.packed.mirrored(self.url), "all", cache_dir=cache, plugins=self.plugins)

    def folder(self, cache: Path) -> Callable[[], object]:
        """A cold cache, filled from a folder."""
        return lambda: invariant.load_all(self.toy, cache)

    def mend(self, cache: Path) -> Callable[[], object]:
        """Damaged arrays, replaced one after the other."""
        invariant.load_all(self.toy, cache)
        for path in self._files(cache, "npy"):
            self._spoiled[path] = bytes(byte ^ 0xFF for byte in path.read_bytes()[:-3])
            path.write_bytes(self._spoiled[path])
        return self.folder(cache)

    def again(self, cache: Path) -> Callable[[], object]:
        """Sound arrays, written again because their records are gone: at no moment are they anything but sound."""
        invariant.load_all(self.toy, cache)
        for path in self._files(cache, "json"):
            path.unlink()
        return self.folder(cache)

    def derive(self, cache: Path) -> Callable[[], object]:
        """A file in another format, made from a warm cache."""
        (split, *_) = invariant.load_all(self.toy, cache)
        return lambda: split.derived(NAME, lambda: [CONTENT])

    def _files(self, cache: Path, ending: str) -> list[Path]:
        return sorted(Cache(cache, self.toy.spec).folder.glob(f"*.{ending}"))

    def check(self, name: str, cache: Path) -> None:
        """What must hold afterwards."""
        also = {NAME: CONTENT} if name == "derive" else {}
        spoiled = self._spoiled if name == "mend" else {}
        invariant.check(self.packed if name == "archive" else self.toy, cache, spoiled=spoiled, also=also)
        if also:
            getattr(self, name)(cache)()
            invariant.check(self.toy, cache, also=also)


def in_turn(points: Iterable[tuple[str, calls.Boundary]], seed: int = 0) -> list[tuple[str, calls.Boundary]]:
    """The points in an order that the seed decides: first one of each kind in each scenario, then the others."""
    shuffled = list(points)
    random.Random(seed).shuffle(shuffled)  # noqa: S311 -- a sample, and each time the same
    first = {(name, boundary.call, boundary.moment): (name, boundary) for name, boundary in shuffled}
    return [*first.values(), *(point for point in shuffled if point not in first.values())]


def main(told: str, count: str) -> None:
    stream_all_if_asked()
    toy, packed, url, folder = pickle.loads(Path(told).read_bytes())  # noqa: S301 -- the parent wrote it
    scenarios = Scenarios(toy, packed, url)
    points = in_turn(
        (name, boundary) for name in SCENARIOS for boundary in _boundaries(scenarios, name, folder / "whole")
    )
    killed, met = Counter[str](), set[tuple[str, int]]()
    for name, boundary in itertools.cycle(points):
        if killed.total() == int(count):
            break
        cache = folder / "cache"
        action = getattr(scenarios, name)(cache)
        status = in_a_child(partial(killed_at, action, boundary.number))
        if os.WIFSIGNALED(status) and os.WTERMSIG(status) == signal.SIGKILL:
            killed[f"{boundary.moment} {boundary.call}"] += 1
            met.add((name, boundary.number))
        elif status:  # 0: with two threads at work, this time there were fewer boundaries
            sys.exit(f"{name}, {boundary}: the child ended with {status}")
        if in_a_child(partial(scenarios.check, name, cache)):
            sys.exit(f"killed {boundary.moment} {boundary.call}, number {boundary.number} of {name}: see above")
        shutil.rmtree(cache, ignore_errors=True)
    print(json.dumps({"boundaries": len(points), "met": len(met), "killed": killed}))  # noqa: T201 -- its answer


def _boundaries(scenarios: Scenarios, name: str, cache: Path) -> list[calls.Boundary]:
    passed = boundaries_of(getattr(scenarios, name)(cache))
    shutil.rmtree(cache)
    return passed


def boundaries_of(action: Callable[[], object]) -> list[calls.Boundary]:
    """The boundaries that an action passes, in a child."""
    reading, writing = os.pipe()

    def report() -> None:
        passed = calls.boundaries(action)
        with os.fdopen(writing, "wb") as file:
            pickle.dump(passed, file)

    assert in_a_child(report) == 0
    os.close(writing)
    with os.fdopen(reading, "rb") as file:
        passed: list[calls.Boundary] = pickle.load(file)  # noqa: S301 -- the child wrote it
    return passed


def killed_at(action: Callable[[], object], number: int) -> None:
    """Run it up to the boundary with that number."""
    with calls.wrapped(calls.kill(number)):
        action()


def in_a_child(action: Callable[[], object]) -> int:
    """Run it in a fork; the status that `os.waitpid` gives."""
    child = os.fork()
    if child:
        return os.waitpid(child, 0)[1]
    try:
        action()
    except BaseException:  # noqa: BLE001 -- shown, and told by the exit status
        traceback.print_exc()
        os._exit(1)
    os._exit(0)


if __name__ == "__main__":
    main(*sys.argv[1:])
