"""Records as `idxhub bench load` writes them, made up, with what can go wrong among them."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

_MACHINE = {
    "cpu": "A processor",
    "cores": 2,
    "memory": 8 * 2**30,
    "system": "Linux 6",
    "file system": "ext4",
    "thread variables": {},
}
_RATES = {
    ("idxhub torch DataLoader", "float32"): (900e3, 1000e3, 1200e3),
    ("torchvision", "float32"): (18e3, 20e3, 30e3),
    ("idxhub torch DataLoader", "uint8"): (1400e3, 1500e3, 1600e3),
    ("NumPy X[permutation]", "float32"): (2000e3, 2100e3, 2200e3),
    ("NumPy X[permutation]", "uint8"): (3000e3, 3100e3, 3200e3),
    ("grain", "uint8"): (30e3, 31e3, 35e3),
}


def records() -> Iterator[dict[str, Any]]:
    head = {"kind": "run", "bench": "load", "dataset": "fashion-mnist", "repeats": 3, "seed": 0, "images": 60_000}
    yield head | {"payload": 47_100_000, "processes": 6, "load": 0.5, "machine": _MACHINE}
    yield {"kind": "missing", "row": "MXNet Gluon", "why": "mxnet not installed"}
    failure = {"kind": "failure", "row": "TensorDataset", "figures": ["rate", "cpu"], "workers": 0}
    yield failure | {"why": "ERROR: not the same data or order: made up", "cheat": True}
    for row in sorted({row for row, _ in _RATES}):
        yield {"kind": "row", "row": row, "versions": {"python": "3.11.7"}, "threads": {"torch": 1}}
    for number in range(3):
        for (row, dtype), values in _RATES.items():
            for size in (32, 128):
                images = 6_400 if row == "torchvision" else 60_000
                common = {"kind": "sample", "row": row, "dtype": dtype, "size": size, "workers": 0, "round": number + 1}
                common |= {"images": images, "warm-up": 0.1, "load": 0.5, "process": 2.0}
                yield common | {"figure": "rate", "value": values[number] * size / 128}
                yield common | {"figure": "cpu", "value": 2e-6}
        warm = {"kind": "sample", "figure": "warm", "round": number + 1}
        yield warm | {"row": "idxhub torch DataLoader", "value": 0.010 + number / 1000}
        yield warm | {"row": "torchvision", "value": 0.060 + number / 1000}
        yield {"kind": "round", "round": number + 1, "seconds": 10.0, "load": 0.6, "files in page cache": 1.0}
