"""A process in which one framework is measured: `python -m idxhub_bench.device.child JSON` prints one JSON line."""

from __future__ import annotations

import json
import sys
from collections.abc import Iterable
from time import perf_counter
from typing import Any

import numpy as np

from idxhub import errors, get_loader, load
from idxhub_bench import hub
from idxhub_bench.device import places

_COPY = 1 << 28  # bytes: more than any cache holds


def main() -> None:
    """Measure what the first argument asks for."""
    asked = json.loads(sys.argv[1])
    try:
        answer = measure(**asked)
    except ModuleNotFoundError as error:
        answer = {"missing": f"{error.name} is not installed"}
    except errors.ArgumentError as error:  # what torch and jax say of a device that is not there
        answer = {"missing": str(error)}
    print(json.dumps(answer))  # noqa: T201 -- its answer


def measure(
    *, framework: str, device: str, sizes: list[int], dtypes: list[str], repeats: int, copy: int = _COPY, **data: Any
) -> dict[str, Any]:
    """Passes over the train split: images a second with the data on the device, and with batches that travel there.

    `copy` is how many bytes are copied for the device's bandwidth, which counts what is read and what is written.
    """
    common = {"framework": framework, "download": False, "plugins": hub.plugins(framework), **data}
    resident = get_loader(**common, batch_size=sizes[0], device=device)  # which finds out whether there is the device
    there = places.make(framework, device)
    seconds = there.copied(copy)
    readings = []
    for dtype in dtypes:
        for size in sizes:
            how = common | {"batch_size": size, "dtype": dtype}
            resident, ordinary = get_loader(**how, device=device), get_loader(**how)
            _check(there, resident, ordinary)
            for number in range(repeats):
                for way, loader in (("resident", resident), ("ordinary", ordinary)):
                    value = len(loader.split) / _pass(there, loader, put=way == "ordinary")
                    readings.append({"way": way, "dtype": dtype, "size": size, "round": number, "value": value})
    pixels = load(**{name: data[name] for name in ("name", "cache_dir")}, download=False).images[0].size
    packages = ("idxhub", "numpy", *hub.PACKAGES[framework])
    return {
        "device": there.name,
        "copy": {"bytes": copy, "seconds": seconds, "bandwidth": 2 * copy / seconds},
        "pixels": pixels,
        "readings": readings,
        "versions": hub.versions(packages),
    }


def _pass(there: places.Device, loader: Any, *, put: bool) -> float:
    """Seconds for a whole pass, its permutation included; the device is waited for once, at the end."""
    labels = []
    start = perf_counter()
    for batch in loader:
        arrays = there.put(batch) if put else batch
        labels.append(arrays[1])  # images are given up, as after a step; what made them made the labels
    there.wait((arrays, labels))
    return perf_counter() - start


def _check(there: places.Device, resident: Iterable[Any], ordinary: Iterable[Any]) -> None:
    """Both give the same, bit for bit; a pass that warms up as well."""
    for mine, theirs in zip(resident, ordinary, strict=True):
        there.wait(mine)
        for one, other in zip(mine, theirs, strict=True):
            seen, expected = (np.asarray(each.cpu() if hasattr(each, "cpu") else each) for each in (one, other))
            if seen.dtype != expected.dtype or seen.tobytes() != expected.tobytes():
                raise RuntimeError("batches on the device are not those of the ordinary loader")


if __name__ == "__main__":
    main()
