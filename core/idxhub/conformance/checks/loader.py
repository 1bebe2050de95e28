"""Checks of `get_loader`: an adapter's batches have the same examples as those of every other adapter."""

from __future__ import annotations

import hashlib
from collections.abc import Iterable
from dataclasses import replace
from typing import Any

import numpy as np
from numpy.typing import NDArray

from idxhub._api import get_loader
from idxhub.conformance.checks.common import check, require_equal, to_layout
from idxhub.conformance.kit import Case, Violation, require
from idxhub.data.loader import Loader
from idxhub.errors import ArgumentError, StateError

# the SHA-256 of order(257, 0, 0) as little-endian int64; it must never change
GOLDEN = "13fa01b15b236c58f0f2dfc58f5e948b8bd350e0e2a113842b8c6776e1faaef0"


def _loader(case: Case, **arguments: Any) -> Loader[Any]:
    all_arguments: dict[str, Any] = {
        "batch_size": 32,
        "cache_dir": case.cache_dir,
        "download": False,
        "plugins": case.plugins,
    } | arguments
    return get_loader(case.truth.spec, framework=case.subject.framework, **all_arguments)


def _read(case: Case, batches: Iterable[Any]) -> tuple[NDArray[Any], NDArray[Any]]:
    return case.joined(case.subject.pair(batch) for batch in batches)


def _indices(case: Case, batches: Iterable[Any]) -> list[int]:
    """The indices of the train examples in the batches. They are found by their pixels: no two images are equal."""
    known = {image.tobytes(): i for i, image in enumerate(case.truth.images["train"])}
    read, _ = _read(case, batches)
    images = case.flat(read) if len(read) else read  # a shard may be empty
    found = [known.get(np.ascontiguousarray(image).tobytes()) for image in images]
    require(None not in found, f"{found.count(None)} of {len(found)} images are not in the file")
    return [i for i in found if i is not None]


@check()
def loader_pixels_and_labels(case: Case) -> None:
    """Without shuffling, a loader's batches contain the file, in its order."""
    images, labels = _read(case, _loader(case, shuffle=False))
    require_equal(case.flat(images), case.truth.images["train"], "images")
    require_equal(labels, case.truth.labels["train"], "labels")


@check()
def loader_types(case: Case) -> None:
    """A loader's batches have the layout and the label type that the adapter declares."""
    conventions = case.plugins.adapter(case.subject.framework).conventions
    images, labels = _read(case, _loader(case, shuffle=False))
    require_equal(images, to_layout(case.truth.images["train"], conventions.layout), f"layout {conventions.layout}")
    require(images.dtype == np.uint8, f"images are {images.dtype}")
    require(labels.dtype == np.dtype(conventions.label_dtype), f"labels are {labels.dtype}")


@check()
def loader_float32_bits(case: Case) -> None:
    """With dtype='float32', a loader's images are pixel/255, correctly rounded, bit for bit."""
    images, _ = _read(case, _loader(case, shuffle=False, dtype="float32"))
    require(images.dtype == np.float32, f"dtype {images.dtype}")
    expected = (case.truth.images["train"].astype(np.float64) / 255).astype(np.float32)
    require_equal(case.flat(images).view(np.uint32), expected.view(np.uint32), "bits of float32 images")


@check()
def loader_batch_sizes(case: Case) -> None:
    """All batches but the last one are full, drop_last leaves the last one out, and len is the number of batches."""
    for drop_last, expected in ((False, [64] * 4 + [1]), (True, [64] * 4)):
        loader = _loader(case, batch_size=64, drop_last=drop_last)
        sizes = [len(case.array(case.subject.pair(batch)[1])) for batch in loader]
        require(sizes == expected, f"drop_last={drop_last}: batch sizes {sizes}")
        require(len(loader) == len(expected), f"drop_last={drop_last}: len {len(loader)}")


@check()
def loader_permutation(case: Case) -> None:
    """A shuffled epoch has every example once, and each label belongs to its image."""
    loader = _loader(case)
    indices = _indices(case, loader)
    require(sorted(indices) == list(range(257)), f"{len(set(indices))} different examples among {len(indices)}")
    loader.set_epoch(0)
    require_equal(_read(case, loader)[1], case.truth.labels["train"][indices], "labels")


@check()
def loader_golden_order(case: Case) -> None:
    """The order of seed 0, epoch 0 is the same in every release and on every platform."""
    indices = np.array(_indices(case, _loader(case)), "<i8")
    digest = hashlib.sha256(indices.tobytes()).hexdigest()
    require(digest == GOLDEN, f"the order's digest is {digest}")


@check()
def loader_same_seed(case: Case) -> None:
    """The same seed gives the same order, and another seed gives another order."""
    orders = [_indices(case, _loader(case, seed=seed)) for seed in (1, 1, 2)]
    require(orders[0] == orders[1], "two loaders of seed 1 differ")
    require(orders[0] != orders[2], "seeds 1 and 2 give the same order")


@check()
def loader_next_epoch(case: Case) -> None:
    """Each pass is the next epoch, in an order of its own, and set_epoch repeats an epoch."""
    loader = _loader(case)
    first, second = _indices(case, loader), _indices(case, loader)
    require(first != second, "epochs 0 and 1 have the same order")
    loader.set_epoch(0)
    require(_indices(case, loader) == first, "epoch 0 has another order the second time")


@check()
def loader_shards(case: Case) -> None:
    """Shards are disjoint and complete, even if there are more shards than examples."""
    for count in (1, 2, 3, 7, 300):
        parts = [_indices(case, _loader(case, shard=(i, count))) for i in range(count)]
        seen = sorted(index for part in parts for index in part)
        require(seen == list(range(257)), f"{count} shards: {len(seen)} examples, {len(set(seen))} of them different")


@check()
def loader_shard_of_shuffled(case: Case) -> None:
    """Shard i of n has every n-th example of the shuffled order, beginning with example i."""
    whole = _indices(case, _loader(case, seed=1))
    for i in range(3):
        require(
            _indices(case, _loader(case, seed=1, shard=(i, 3))) == whole[i::3], f"shard {i} of 3 is not order[{i}::3]"
        )


@check()
def loader_resume(case: Case) -> None:
    """A loader that loads the state of another one continues with the next batch, and then with the next epoch."""
    uninterrupted = _loader(case)
    expected = _indices(case, uninterrupted) + _indices(case, uninterrupted)
    first, second = _loader(case), _loader(case)
    passing = iter(first)
    seen = _indices(case, [next(passing) for _ in range(3)])
    second.load_state_dict(first.state_dict())
    seen += _indices(case, second) + _indices(case, second)
    require(seen == expected, f"{sum(a != b for a, b in zip(seen, expected, strict=False))} examples differ")


@check()
def loader_foreign_state(case: Case) -> None:
    """The state of a loader with another seed, batch size, split or dataset is refused."""
    spec = case.truth.spec
    elsewhere = replace(case, truth=replace(case.truth, spec=replace(spec, name=f"{spec.name}-2")))
    try:
        _loader(case).load_state_dict(_loader(elsewhere).state_dict())
    except StateError:
        pass
    else:
        raise Violation("the state of another dataset's loader was accepted")
    for other in ({"seed": 1}, {"batch_size": 16}, {"split": "test"}):
        try:
            _loader(case).load_state_dict(_loader(case, **other).state_dict())
        except StateError:
            continue
        raise Violation(f"a state with {other} was accepted")


@check()
def loader_batches_last(case: Case) -> None:
    """A batch does not change while the next batches are made."""
    batches = list(_loader(case, shuffle=False))
    require_equal(case.flat(_read(case, batches)[0]), case.truth.images["train"], "images, read after the pass")


@check("device")
def device_batches(case: Case) -> None:
    """With device=, a loader's batches are the same as without: their type, the bits of the images, the labels."""
    for arguments in ({}, {"dtype": "float32"}, {"layout": "HWC"}):
        ordinary = list(_loader(case, **arguments))
        resident = list(_loader(case, device=case.subject.device, **arguments))
        require(
            len(resident) == len(ordinary), f"{arguments}: {len(resident)} batches, and without device {len(ordinary)}"
        )
        for number, (mine, expected) in enumerate(zip(resident, ordinary, strict=True)):
            require(type(mine) is type(expected), f"a batch is a {type(mine).__name__}, not {type(expected).__name__}")
            for what, one, other in zip(("images", "labels"), *map(case.subject.pair, (mine, expected)), strict=True):
                seen, right = case.array(one), case.array(other)
                name = f"{what} of batch {number} with {arguments}"
                require(seen.dtype == right.dtype, f"{name} are {seen.dtype}, without device {right.dtype}")
                require_equal(_bits(seen), _bits(right), name)


@check("device")
def device_order(case: Case) -> None:
    """With device=, epochs, shards, drop_last and resumed passes have the same examples as without."""
    for arguments in ({}, {"shard": (1, 3), "equal": "pad"}, {"drop_last": True}):
        passes = []
        for more in ({}, {"device": case.subject.device}):
            loader = _loader(case, seed=2, **arguments, **more)
            begun = iter(loader)
            next(begun)
            state = loader.state_dict()
            resumed = _loader(case, seed=2, **arguments, **more)
            resumed.load_state_dict(state)
            passes.append([_indices(case, batches) for batches in (resumed, resumed, loader)])
        require(passes[0] == passes[1], f"{arguments}: with device= the examples or their order differ")


@check("device")
def device_batches_last(case: Case) -> None:
    """A batch that was gathered on a device does not change while the next batches are made."""
    batches = list(_loader(case, shuffle=False, device=case.subject.device))
    require_equal(case.flat(_read(case, batches)[0]), case.truth.images["train"], "images, read after the pass")


@check("device")
def device_unknown(case: Case) -> None:
    """An unknown device raises an ArgumentError that names it."""
    try:
        _loader(case, device="no-such-device")
    except ArgumentError as error:
        require("no-such-device" in str(error), f"the message does not name the device: {error}")
    else:
        raise Violation("device='no-such-device' was accepted")


def _bits(array: NDArray[Any]) -> NDArray[Any]:
    return array.view(np.uint32) if array.dtype == np.float32 else array
