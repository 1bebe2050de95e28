"""How a native dataset is read: more than once, at an index, by other processes; and what that leaves alone."""

from __future__ import annotations

import pickle
import random
import warnings
from typing import Any

import numpy as np

from idxhub._api import get_loader
from idxhub.conformance.checks.common import check, require_capability, require_equal
from idxhub.conformance.kit import Case, require


@check()
def two_passes(case: Case) -> None:
    """Two passes give the same."""
    native = case.dataset()
    first, second = case.read(native), case.read(native)
    for what, one, other in zip(("images", "labels"), first, second, strict=True):
        require_equal(other, one, f"{what} of the second pass")


@check()
def interleaved(case: Case) -> None:
    """Two iterators over one dataset do not disturb each other."""
    native = case.dataset()
    one, other = iter(case.subject.batches(native, 32)), iter(case.subject.batches(native, 32))
    first = [next(one)]
    rest = list(other)
    images, labels = case.joined([*first, *one])
    require_equal(case.flat(images), case.truth.images["train"], "the first iterator's images")
    require_equal(labels, case.truth.labels["train"], "the first iterator's labels")
    require_equal(case.joined(rest)[1], case.truth.labels["train"], "the second iterator's labels")


@check()
def early_break(case: Case) -> None:
    """A pass that was broken off leaves the next one whole."""
    native = case.dataset()
    next(iter(case.subject.batches(native, 32)))
    images, _ = case.read(native)
    require_equal(case.flat(images), case.truth.images["train"], "images after a broken pass")


@check()
def last_short_batch(case: Case) -> None:
    """Batches are full but for the last one."""
    sizes = [len(case.array(labels)) for _, labels in case.subject.batches(case.dataset(), 64)]
    require(sizes == [64, 64, 64, 64, 1], f"batch sizes {sizes}")


@check("index length")
def index(case: Case) -> None:
    """Example i is example i, from the end too."""
    native = case.dataset()
    for i in (0, 1, 100, 256, -1, -257):
        image, label = require_capability(case.subject.element)(native, i)
        require_equal(case.flat(case.array(image)[np.newaxis])[0], case.truth.images["train"][i], f"image {i}")
        require(int(label) == case.truth.labels["train"][i], f"label {i} is {label!r}")


@check("index length")
def index_out_of_range(case: Case) -> None:
    """An index out of range is an IndexError."""
    native = case.dataset()
    for i in (257, -258):
        try:
            require_capability(case.subject.element)(native, i)
        except IndexError:
            continue
        require(condition=False, seen=f"[{i}] of 257 examples gave an example")


@check()
def mutation_isolated(case: Case) -> None:
    """What is written into one dataset is in no other, nor in the cache."""

    def scribble(array: Any) -> None:
        try:
            array[...] = 0
        except (TypeError, ValueError, RuntimeError):  # read-only, or of a framework that cannot: safe as well
            return

    native = case.dataset()
    for images, labels in case.subject.batches(native, 300):
        scribble(images)
        scribble(labels)
    images, labels = case.read(case.dataset())
    require_equal(case.flat(images), case.truth.images["train"], "images opened afterwards")
    require_equal(labels, case.truth.labels["train"], "labels opened afterwards")


@check("pickle")
def pickling(case: Case) -> None:
    """A pickled dataset comes back the same."""
    asked = {"float32": {"dtype": "float32"}, "layouts": {"layout": "HWC"}}
    able = {
        name: value for what, each in asked.items() if what in case.subject.capabilities for name, value in each.items()
    }
    for arguments in ({}, able):
        native = case.dataset("train[:100]", **arguments)
        before = case.read(native)
        after = case.read(pickle.loads(pickle.dumps(native)))  # noqa: S301 -- pickled in the same line
        for what, one, other in zip(("images", "labels"), before, after, strict=True):
            require(one.dtype == other.dtype, f"{what} come back as {other.dtype}, were {one.dtype}")
            require_equal(other, one, f"{what} after pickling")


@check("workers")
def workers_fork(case: Case) -> None:
    """Worker processes made by fork deliver every example once, in order."""
    _workers(case, "fork")


@check("workers")
def workers_spawn(case: Case) -> None:
    """Worker processes made by spawn deliver every example once, in order."""
    _workers(case, "spawn")


def _workers(case: Case, start_method: str) -> None:
    images, labels = case.joined(require_capability(case.subject.workers)(case.dataset(), 32, 2, start_method))
    require_equal(case.flat(images), case.truth.images["train"], "images from workers")
    require_equal(labels, case.truth.labels["train"], "labels from workers")


@check()
def no_warnings(case: Case) -> None:
    """Opening and reading give no warning."""
    with warnings.catch_warnings(record=True) as seen:
        warnings.simplefilter("always")
        case.read(case.dataset())
    require(not seen, "; ".join(f"{w.category.__name__}: {w.message}" for w in seen))


@check()
def random_state_untouched(case: Case) -> None:
    """The caller's random state is left alone."""

    def state() -> tuple[object, str]:
        return random.getstate(), pickle.dumps(np.random.get_state()).hex()  # noqa: NPY002 -- the global state is what is watched

    before = state()
    case.read(case.dataset())
    require(state() == before, "random or numpy.random moved on")
    arguments: dict[str, Any] = {"cache_dir": case.cache_dir, "download": False, "plugins": case.plugins}
    loader = get_loader(case.truth.spec, framework=case.subject.framework, batch_size=32, **arguments)
    case.joined(case.subject.pair(batch) for batch in loader)
    require(state() == before, "random or numpy.random moved on in a shuffled pass of get_loader")
