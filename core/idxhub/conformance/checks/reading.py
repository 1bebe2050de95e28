"""Checks of reading a native dataset: twice, by index, in other processes, and without side effects."""

from __future__ import annotations

import multiprocessing
import pickle
import random
import warnings
from typing import Any

import numpy as np

from idxhub._api import get_loader
from idxhub.conformance.checks.common import check, require_capability, require_equal
from idxhub.conformance.kit import Case, NotHere, Violation, require


@check()
def two_passes(case: Case) -> None:
    """Two passes give the same examples."""
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
    """After a pass that ended early, the next pass is complete."""
    native = case.dataset()
    next(iter(case.subject.batches(native, 32)))
    images, _ = case.read(native)
    require_equal(case.flat(images), case.truth.images["train"], "images after a pass that ended early")


@check()
def last_short_batch(case: Case) -> None:
    """All batches but the last one are full."""
    sizes = [len(case.array(labels)) for _, labels in case.subject.batches(case.dataset(), 64)]
    require(sizes == [64, 64, 64, 64, 1], f"batch sizes {sizes}")


@check("index length")
def index(case: Case) -> None:
    """Index i gives example i, and a negative index counts from the end."""
    native = case.dataset()
    for i in (0, 1, 100, 256, -1, -257):
        image, label = require_capability(case.subject.element)(native, i)
        require_equal(case.flat(case.array(image)[np.newaxis])[0], case.truth.images["train"][i], f"image {i}")
        require(int(label) == case.truth.labels["train"][i], f"label {i} is {label!r}")


@check("index length")
def index_out_of_range(case: Case) -> None:
    """An index out of range raises an IndexError."""
    native = case.dataset()
    for i in (257, -258):
        try:
            require_capability(case.subject.element)(native, i)
        except IndexError:
            continue
        raise Violation(f"[{i}] of 257 examples gave an example")


@check()
def mutation_isolated(case: Case) -> None:
    """Writing into one dataset changes neither another dataset nor the cache."""

    def overwrite(array: Any) -> None:
        try:
            array[...] = 0
        except (TypeError, ValueError, RuntimeError):  # an array that cannot be written to is safe as well
            return

    native = case.dataset()
    for images, labels in case.subject.batches(native, 300):
        overwrite(images)
        overwrite(labels)
    images, labels = case.read(case.dataset())
    require_equal(case.flat(images), case.truth.images["train"], "images opened afterwards")
    require_equal(labels, case.truth.labels["train"], "labels opened afterwards")


@check("pickle")
def pickling(case: Case) -> None:
    """A dataset is the same after pickling."""
    conversions: dict[str, Any] = {}
    if "float32" in case.subject.capabilities:
        conversions["dtype"] = "float32"
    if "layouts" in case.subject.capabilities:
        conversions["layout"] = "HWC"
    for arguments in ({}, conversions):
        native = case.dataset("train[:100]", **arguments)
        before = case.read(native)
        after = case.read(pickle.loads(pickle.dumps(native)))  # noqa: S301 -- pickled in the same line
        for what, one, other in zip(("images", "labels"), before, after, strict=True):
            require(one.dtype == other.dtype, f"{what} are {other.dtype} after pickling, were {one.dtype}")
            require_equal(other, one, f"{what} after pickling")


@check("workers")
def workers_fork(case: Case) -> None:
    """Worker processes that were started by fork deliver every example once, in order."""
    _workers(case, "fork")


@check("workers")
def workers_spawn(case: Case) -> None:
    """Worker processes that were started by spawn deliver every example once, in order."""
    _workers(case, "spawn")


def _workers(case: Case, start_method: str) -> None:
    if start_method not in multiprocessing.get_all_start_methods():
        raise NotHere(f"this system starts no process by {start_method}")
    images, labels = case.joined(require_capability(case.subject.workers)(case.dataset(), 32, 2, start_method))
    require_equal(case.flat(images), case.truth.images["train"], "images from workers")
    require_equal(labels, case.truth.labels["train"], "labels from workers")


@check()
def no_warnings(case: Case) -> None:
    """Opening and reading a dataset give no warning."""
    with warnings.catch_warnings(record=True) as seen:
        warnings.simplefilter("always")
        case.read(case.dataset())
    require(not seen, "; ".join(f"{w.category.__name__}: {w.message}" for w in seen))


@check()
def random_state_untouched(case: Case) -> None:
    """The caller's random state does not change."""

    def state() -> tuple[object, str]:
        return random.getstate(), pickle.dumps(np.random.get_state()).hex()  # noqa: NPY002 -- the check is about the global state

    before = state()
    case.read(case.dataset())
    require(state() == before, "the state of random or numpy.random has changed")
    arguments: dict[str, Any] = {"cache_dir": case.cache_dir, "download": False, "plugins": case.plugins}
    loader = get_loader(case.truth.spec, framework=case.subject.framework, batch_size=32, **arguments)
    case.joined(case.subject.pair(batch) for batch in loader)
    require(state() == before, "the state of random or numpy.random has changed in a shuffled pass of get_loader")
