"""Records as `idxhub bench load`, `train` and `device` write them, made up, with what can go wrong among them."""

from __future__ import annotations

import json
from collections.abc import Iterable, Iterator
from pathlib import Path
from typing import Any

from click.testing import CliRunner, Result

from idxhub_bench.command import bench

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


def write(path: Path, records: Iterable[dict[str, Any]]) -> Path:
    path.write_text("".join(json.dumps(record) + "\n" for record in records), encoding="utf-8")
    return path


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


def training(*, rate: float = 0.02, device: str | None = None, epochs: int = 2) -> Iterator[dict[str, Any]]:
    """Three rows that were trained, one that failed, one that could not be."""
    head = {"kind": "run", "bench": "train", "dataset": "fashion-mnist", "examples": 12_000, "epochs": epochs}
    yield head | {"batch_size": 400, "rate": rate, "seed": 0, "device": device, "load": 0.5, "machine": _MACHINE}
    yield from trained("torch", [(20.0, 0.1), (10.0, 0.2)])
    yield {"kind": "failure", "row": "tensorflow", "why": "no such instruction"}
    yield from trained("jax", [(150.0, 4.0), (150.0, 5.0)])
    yield {"kind": "missing", "row": "torch with torchvision", "why": "torchvision not installed"}
    yield from trained("torch with torchvision, 2 workers", [(20.0, 3.0), (20.0, 1.0)])
    yield agreement()


def trained(row: str, epochs: list[tuple[float, float]]) -> Iterator[dict[str, Any]]:
    """`epochs` are their seconds, and those of them that a step waited."""
    yield {"kind": "row", "row": row, "versions": {"python": "3.11.7", "numpy": "2.4.6"}, "threads": {"all": 2}}
    for number, (seconds, waiting) in enumerate(epochs, 1):
        said = {"kind": "epoch", "row": row, "epoch": number, "load": 0.5, "seconds": seconds, "waiting": waiting}
        yield said | {"steps": 30, "images": 12_000, "loss": 2.5 - number / 10, "accuracy": 0.5 + number / 100}
    yield {"kind": "losses", "row": row, "losses": [2.3, 2.29]}


def agreement(worst: float = 1.2e-6) -> dict[str, Any]:
    found = {"kind": "agreement", "steps": 10, "worst": worst, "step": 6, "between": ["torch", "jax"]}
    return found | {"tolerance": 1e-5, "holds": worst <= 1e-5}


def device(name: str = "cuda", *, found: bool = True) -> Iterator[dict[str, Any]]:
    """PyTorch, on a device that copies 2,000 GB/s, if it was found; JAX, which has no such device."""
    head = {"kind": "run", "bench": "device", "dataset": "fashion-mnist", "device": name, "sizes": [128, 512]}
    yield head | {"repeats": 3, "load": 0.5, "machine": _MACHINE}
    if found:
        about = {"device": f"a {name} of some make", "pixels": 784, "versions": {"torch": "2.13.0"}}
        copy = {"bytes": 2**28, "seconds": 2**29 / 2e12, "bandwidth": 2e12}
        yield {"kind": "row", "row": "torch", "copy": copy} | about
        for way, rate in (("resident", 100e6), ("ordinary", 1e6)):
            for number in range(3):
                sample = {"kind": "sample", "row": "torch", "figure": "device rate", "way": way, "dtype": "uint8"}
                yield sample | {"size": 512, "round": number, "value": rate * (number + 1)}
    else:
        yield {"kind": "missing", "row": "torch", "why": f"torch has no {name}"}
    yield {"kind": "missing", "row": "jax", "why": f"jax has no {name}"}


LOAD, TRAIN, DEVICE = tuple(records()), tuple(training()), tuple(device())
# as it was written before it said of which benchmark it is
UNMARKED = ({name: value for name, value in LOAD[0].items() if name != "bench"}, *LOAD[1:])


def report(*arguments: object) -> Result:
    """Runs `idxhub bench report`."""
    return CliRunner().invoke(bench, ["report", *map(str, arguments)])
