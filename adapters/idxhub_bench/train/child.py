"""A process that trains one row: `python -m idxhub_bench.train.child QUESTION FILE`.

A step is finished before the next batch is asked for, and a batch is on the device before its step begins, so that the
time spent waiting for data is measured. On a device that could compute meanwhile it is an upper bound.
"""

from __future__ import annotations

from collections.abc import Iterable
from time import perf_counter
from typing import Any

import numpy as np

from idxhub import Loader, get_loader
from idxhub_bench import hub, machine
from idxhub_bench.train import convnet, nets

_TEST_BATCH = 500


def main() -> None:
    """Train as the first argument says, and write the answer."""
    hub.answer(train)


def train(
    *,
    framework: str,
    workers: int | None,
    epochs: int,
    batch_size: int,
    rate: float,
    seed: int,
    device: str | None,
    **data: Any,
) -> dict[str, Any]:
    """Train a network: the loss of each step; for each epoch its seconds, the seconds of waiting, and the accuracy."""
    net = nets.make(framework, rate, device)
    test = list(_loader(net, framework, data, split=data["test"], batch_size=_TEST_BATCH, shuffle=False))
    options = {"batch_size": batch_size, "seed": seed, "drop_last": True, "device": device}
    batches = _loader(net, framework, data, split=data["train"], **options)
    if workers is not None:
        from idxhub_bench import vision  # noqa: PLC0415 -- two rows alone need it

        pin = device not in (None, "cpu")
        batches = vision.batches(data["root"], len(batches) * batch_size, batch_size, workers, pin=pin)
    _warm_up(net, batches, test, batch_size, seed)
    losses: list[float] = []
    trained = [
        _epoch(net, batches, losses, batch_size, seed) | {"accuracy": _accuracy(net, test)} for _ in range(epochs)
    ]
    packages = ["idxhub", "numpy", *hub.PACKAGES[framework], *["torchvision"] * (workers is not None)]
    return {"epochs": trained, "losses": losses, "threads": net.threads(), "versions": machine.versions(packages)}


def _epoch(net: nets.Net, batches: Iterable[Any], losses: list[float], size: int, seed: int) -> dict[str, Any]:
    waiting = computing = 0.0
    before = len(losses)
    start = perf_counter()
    iterator = iter(batches)  # which may start workers
    while (batch := next(iterator, None)) is not None:
        images, labels = net.ready(batch)
        waiting += perf_counter() - start
        mask = convnet.mask(seed, len(losses), size)  # not counted: no user draws it like this
        start = perf_counter()
        losses.append(net.step(images, labels, mask))
        computing += perf_counter() - start
        start = perf_counter()
    waiting += perf_counter() - start
    steps = len(losses) - before
    return {
        "seconds": waiting + computing,
        "waiting": waiting,
        "steps": steps,
        "images": steps * size,
        "loss": float(np.mean(losses[before:])),
    }


def _warm_up(net: nets.Net, batches: Iterable[Any], test: list[Any], size: int, seed: int) -> None:
    """Let the framework compile and start what it needs; then set the weights and the order back."""
    weights = convnet.initial(seed)
    net.load(weights)
    images, labels = net.ready(next(iter(batches)))
    net.step(images, labels, convnet.mask(seed, 0, size))
    _accuracy(net, [test[0], test[-1]])
    if isinstance(batches, Loader):
        batches.set_epoch(0)
    net.load(weights)


def _accuracy(net: nets.Net, test: list[Any]) -> float:
    right = total = 0
    for images, labels in test:
        right += int((net.classes(images) == np.asarray(labels)).sum())
        total += len(labels)
    return right / total


def _loader(net: nets.Net, framework: str, data: dict[str, Any], **asked: Any) -> Any:
    if framework == "tensorflow":  # it has no loader for a device
        asked.pop("device", None)
    options: dict[str, Any] = {"name": data["dataset"], "framework": framework, "dtype": "float32"}
    options |= {"layout": net.layout, "cache_dir": data["cache_dir"], "download": False}
    return get_loader(**options, plugins=hub.plugins(framework), **asked)


if __name__ == "__main__":
    main()
