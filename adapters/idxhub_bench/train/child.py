"""A process that trains one row: `python -m idxhub_bench.train.child JSON` prints one JSON line.

A step is finished before the next batch is asked for, and a batch is on the device before its step begins: what is
spent waiting for data is then seen for what it is. Where a device could have worked meanwhile it is an upper bound.
"""

from __future__ import annotations

import json
import sys
from collections.abc import Iterable
from time import perf_counter
from typing import Any

import numpy as np

from idxhub import Loader, get_loader
from idxhub_bench import hub
from idxhub_bench.train import convnet, nets

_TEST_BATCH = 500


def main() -> None:
    """Train as the first argument says."""
    asked = json.loads(sys.argv[1])
    try:
        answer = train(**asked)
    except ModuleNotFoundError as error:
        answer = {"missing": error.name}
    print(json.dumps(answer))  # noqa: T201 -- its answer


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
    """The loss of each step; for each epoch its seconds, those spent waiting for data, the accuracy after it."""
    net = nets.make(framework, rate, device)
    test = list(_hub(net, framework, data, split=data["test"], batch_size=_TEST_BATCH, shuffle=False))
    how = {"batch_size": batch_size, "seed": seed, "drop_last": True, "device": device}
    batches = _hub(net, framework, data, split=data["train"], **how)
    if workers is not None:
        from idxhub_bench.train import torchvision  # noqa: PLC0415 -- two rows' peer

        pin = device not in (None, "cpu")
        batches = torchvision.batches(data["root"], len(batches) * batch_size, batch_size, workers, pin=pin)
    _warm_up(net, batches, test, batch_size, seed)
    losses: list[float] = []
    told = [_epoch(net, batches, losses, batch_size, seed) | {"accuracy": _accuracy(net, test)} for _ in range(epochs)]
    packages = ["idxhub", "numpy", *hub.PACKAGES[framework], *["torchvision"] * (workers is not None)]
    return {"epochs": told, "losses": losses, "threads": net.threads(), "versions": hub.versions(packages)}


def _epoch(net: nets.Net, batches: Iterable[Any], losses: list[float], size: int, seed: int) -> dict[str, Any]:
    waiting = computing = 0.0
    before = len(losses)
    start = perf_counter()
    passing = iter(batches)  # which may start workers
    while (batch := next(passing, None)) is not None:
        images, labels = net.ready(batch)
        waiting += perf_counter() - start
        mask = convnet.mask(seed, len(losses), size)  # which no user draws like this: not counted
        start = perf_counter()
        losses.append(net.step(images, labels, mask))
        computing += perf_counter() - start
        start = perf_counter()
    waiting += perf_counter() - start
    done = len(losses) - before
    return {
        "seconds": waiting + computing,
        "waiting": waiting,
        "steps": done,
        "images": done * size,
        "loss": float(np.mean(losses[before:])),
    }


def _warm_up(net: nets.Net, batches: Iterable[Any], test: list[Any], size: int, seed: int) -> None:
    """Compile what is compiled and start what is started; then the weights are as if nothing had been."""
    weights = convnet.initial(seed)
    net.load(weights)
    passing = iter(batches)
    images, labels = net.ready(next(passing))
    del passing
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


def _hub(net: nets.Net, framework: str, data: dict[str, Any], **asked: Any) -> Any:
    if framework == "tensorflow":  # which has no batches on a device
        asked.pop("device", None)
    where = {"cache_dir": data["cache_dir"], "download": False, "plugins": hub.plugins(framework)}
    what = {"name": data["dataset"], "framework": framework, "dtype": "float32", "layout": net.layout}
    options: dict[str, Any] = {**what, **where, **asked}
    return get_loader(**options)


if __name__ == "__main__":
    main()
