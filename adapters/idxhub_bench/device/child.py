"""A measured process of `idxhub bench device`: `python -m idxhub_bench.device.child QUESTION FILE`."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from time import perf_counter
from typing import Any

import numpy as np
from numpy.typing import NDArray

from idxhub import Loader, get_loader, load, order
from idxhub_bench import hub, machine
from idxhub_bench.device import devices

_COPY = 1 << 28  # bytes: more than any cache holds
_COPIES, _ROUNDS = 10, 5


def measure(
    *, framework: str, device: str, sizes: list[int], dtypes: list[str], repeats: int, copy: int = _COPY, **data: Any
) -> dict[str, Any]:
    """Measure images per second with the data on the device, and with batches that are copied to it one by one.

    `copy` is how many bytes are copied on the device to measure its bandwidth, which counts reading and writing.
    """
    common = {"framework": framework, "download": False, "plugins": hub.plugins(framework), **data}
    get_loader(**common, batch_size=sizes[0], device=device)  # raises if there is no such device
    used = devices.make(framework, device)
    seconds = _time_copy(used, copy)
    readings = []
    for dtype in dtypes:
        arrays = _arrays(get_loader(**common | {"batch_size": 1, "dtype": dtype}))
        kept = used.keep(*arrays)
        for size in sizes:
            options = common | {"batch_size": size, "dtype": dtype}
            loaders = get_loader(**options, device=device), get_loader(**options)
            _check(used, *loaders)
            ways = _ways(used, loaders, kept, arrays, size)
            for number in range(repeats):
                for way, rate in ways.items():
                    readings.append({"way": way, "dtype": dtype, "size": size, "round": number, "value": rate(number)})
    pixels = load(data["name"], cache_dir=data["cache_dir"], download=False).images[0].size
    return {
        "device": used.name,
        "copy": {"bytes": copy, "seconds": seconds, "bandwidth": 2 * copy / seconds},
        "pixels": pixels,
        "readings": readings,
        "versions": machine.versions(["idxhub", "numpy", *hub.PACKAGES[framework]]),
    }


def _ways(
    used: devices.Device,
    loaders: tuple[Loader[Any], Loader[Any]],
    kept: devices.ByHand,
    arrays: tuple[NDArray[Any], NDArray[Any]],
    size: int,
) -> dict[str, Callable[[int], float]]:
    """Functions that measure a pass in each way, and return images per second; they get the number of the round."""
    n, (resident, ordinary) = len(arrays[1]), loaders
    begin, epoch = kept.passes(size), kept.whole_epoch(size)
    used.wait(list(begin()))  # which compiles
    _check_whole_epoch(epoch, *arrays, size)

    def time_epoch(number: int) -> float:
        start = perf_counter()
        used.wait(epoch(order(n, 1, number)))
        return n // size * size / (perf_counter() - start)

    return {
        "resident": lambda _: n / _time_pass(used, resident, put=False),
        "ordinary": lambda _: n / _time_pass(used, ordinary, put=True),
        "by hand": lambda _: n / _time_pass(used, begin(), put=False),
        "whole epoch": time_epoch,
    }


def _arrays(loader: Loader[Any]) -> tuple[NDArray[Any], NDArray[Any]]:
    """All images in the dtype and layout of the loader, and the labels."""
    everything = np.arange(len(loader.split))
    return loader.split.gather(everything), loader.split.labels[everything]


def _time_copy(used: devices.Device, size: int) -> float:
    """Seconds for a copy of `size` bytes from the device's memory to its memory; the best of several."""
    copy, best = used.make_copy(size), float("inf")
    for _ in range(_ROUNDS):
        used.wait(copy())
        start = perf_counter()
        for _ in range(_COPIES):
            copied = copy()
        used.wait(copied)
        best = min(best, (perf_counter() - start) / _COPIES)
    return best


def _time_pass(used: devices.Device, loader: Iterable[Any], *, put: bool) -> float:
    """Seconds for a whole pass with its permutation; it waits for the device once, at the end."""
    labels = []
    start = perf_counter()
    for batch in loader:
        arrays = used.put(batch) if put else batch
        labels.append(arrays[1])  # images are given up, as after a training step; they are ready when the labels are
    used.wait((arrays, labels))
    return perf_counter() - start


def _check(used: devices.Device, resident: Iterable[Any], ordinary: Iterable[Any]) -> None:
    """Raise `RuntimeError` unless both give the same batches, bit for bit. The pass warms up as well."""
    for mine, theirs in zip(resident, ordinary, strict=True):
        used.wait(mine)
        for one, other in zip(mine, theirs, strict=True):
            seen, expected = (np.asarray(each.cpu() if hasattr(each, "cpu") else each) for each in (one, other))
            if seen.dtype != expected.dtype or seen.tobytes() != expected.tobytes():
                raise RuntimeError("batches on the device are not those of the ordinary loader")


def _check_whole_epoch(
    epoch: Callable[[NDArray[Any]], Any], images: NDArray[Any], labels: NDArray[Any], size: int
) -> None:
    """Raise `RuntimeError` unless the sums of each batch are those of the shared order; of float32 nearly."""
    for number in range(2):
        indices = order(len(labels), 1, number)
        rows = indices[: len(labels) // size * size].reshape(-1, size)
        found = [np.asarray(each.cpu() if hasattr(each, "cpu") else each) for each in epoch(indices)]
        pixels = images.sum(axis=tuple(range(1, images.ndim)), dtype="float64" if images.dtype.kind == "f" else "int64")
        for what, seen in zip((pixels, labels), found, strict=True):
            expected = what[rows].sum(axis=1)
            same = np.allclose(seen, expected, rtol=1e-4) if what.dtype.kind == "f" else (seen - expected) % 2**32 == 0
            if not np.all(same):
                raise RuntimeError("the batches of a whole epoch in one call are not those of the shared order")


if __name__ == "__main__":
    hub.answer(measure)
