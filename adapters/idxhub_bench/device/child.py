"""A measured process of `idxhub bench device`: `python -m idxhub_bench.device.child JSON` prints one JSON line."""

from __future__ import annotations

from collections.abc import Iterable
from time import perf_counter
from typing import Any

import numpy as np

from idxhub import get_loader, load
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
        for size in sizes:
            options = common | {"batch_size": size, "dtype": dtype}
            resident, ordinary = get_loader(**options, device=device), get_loader(**options)
            _check(used, resident, ordinary)
            for number in range(repeats):
                for way, loader in (("resident", resident), ("ordinary", ordinary)):
                    value = len(loader.split) / _time_pass(used, loader, put=way == "ordinary")
                    readings.append({"way": way, "dtype": dtype, "size": size, "round": number, "value": value})
    pixels = load(data["name"], cache_dir=data["cache_dir"], download=False).images[0].size
    return {
        "device": used.name,
        "copy": {"bytes": copy, "seconds": seconds, "bandwidth": 2 * copy / seconds},
        "pixels": pixels,
        "readings": readings,
        "versions": machine.versions(["idxhub", "numpy", *hub.PACKAGES[framework]]),
    }


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


def _time_pass(used: devices.Device, loader: Any, *, put: bool) -> float:
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


if __name__ == "__main__":
    hub.answer(measure)
