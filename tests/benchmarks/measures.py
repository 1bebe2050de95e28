"""What is measured, each in a process of its own: `python measures.py NAME '{"argument": ...}'` prints one JSON object.

It carries "value" (seconds, bytes or images a second: the figure says which) and, where data was read, "seen": the
number of images and the sums of their pixels and labels, so that nobody is fast by reading something else. Frameworks
are imported by the function that measures them, before its clock starts. This file needs Python and NumPy alone: an
interpreter that has a peer need not have idxhub.
"""

from __future__ import annotations

import importlib.metadata
import json
import os
import sys
import tempfile
from collections.abc import Callable, Iterable
from time import perf_counter
from typing import Any

BATCH = 128


def versions(packages: list[str]) -> dict[str, Any]:
    """The versions of Python and of the packages that this interpreter has."""
    found = {}
    for package in packages:
        try:
            found[package] = importlib.metadata.version(package)
        except importlib.metadata.PackageNotFoundError:
            continue
    return {"versions": found, "python": ".".join(map(str, sys.version_info[:3]))}


def publish(dataset: str, data_dir: str, cache_dir: str) -> dict[str, Any]:
    """No figure: fill the cache that the warm ones open."""
    import idxhub

    return {"seen": seen(idxhub.get_dataset(dataset, split=("train", "test"), data_dir=data_dir, cache_dir=cache_dir))}


def warm_open(dataset: str, cache_dir: str, call: int) -> dict[str, Any]:
    """The process's first call, which looks for the plugins too, or a later one."""
    import idxhub

    for _ in range(call):
        start = perf_counter()
        arrays = idxhub.get_dataset(dataset, cache_dir=cache_dir, download=False)
        value = perf_counter() - start
    return {"value": value, "seen": seen([arrays])}


def torchvision_open(root: str, call: int) -> dict[str, Any]:
    datasets, _ = import_torchvision()
    for _ in range(call):
        start = perf_counter()
        train = datasets.FashionMNIST(root, train=True)
        value = perf_counter() - start
    return {"value": value, "seen": seen([(train.data.numpy(), train.targets.numpy())])}


def cold_open(dataset: str, data_dir: str, fsync: bool) -> dict[str, Any]:
    """Into an empty cache; without `fsync` the system is not asked to put the files on the disk.

    "fsync" is the time spent in os.fsync, added up over the threads: they wait at the same time.
    """
    import idxhub

    spent = [0.0]
    os.fsync = _timed(os.fsync, spent) if fsync else _nothing
    with tempfile.TemporaryDirectory() as cache_dir:
        start = perf_counter()
        both = idxhub.get_dataset(
            dataset, split=("train", "test"), data_dir=data_dir, cache_dir=cache_dir, download=False
        )
        value = perf_counter() - start
        return {"value": value, "fsync": spent[0], "seen": seen(both)}


def keras_open() -> dict[str, Any]:
    """From the files in KERAS_HOME."""
    import keras

    start = perf_counter()
    both = keras.datasets.fashion_mnist.load_data()
    value = perf_counter() - start
    return {"value": value, "seen": seen(both)}


def memory(dataset: str, cache_dir: str, peak: bool) -> dict[str, Any]:
    """Bytes of resident memory that a warm open adds: afterwards, or at its highest."""
    import idxhub

    # a first open of something else, so that modules imported on first use do not count as data
    idxhub.get_dataset("fashion-mnist-sample", split="test[:1]", cache_dir=f"{cache_dir}-other")
    if peak:
        with open("/proc/self/clear_refs", "w", encoding="ascii") as file:
            file.write("5")  # the kernel's word for "forget the highest so far"
    before = _status("VmRSS")
    arrays = idxhub.get_dataset(dataset, cache_dir=cache_dir, download=False)
    value = _status("VmHWM" if peak else "VmRSS") - before
    return {"value": value, "seen": seen([arrays])}


def numpy_epoch(dataset: str, cache_dir: str) -> dict[str, Any]:
    """The floor: gather the batches of a shuffled epoch from memory, by NumPy, with no loader around it."""
    import numpy as np

    import idxhub

    arrays = idxhub.get_dataset(dataset, cache_dir=cache_dir, download=False)
    images, labels = np.array(arrays.images), np.array(arrays.labels)

    def batches() -> Iterable[tuple[Any, Any]]:
        permutation = np.random.default_rng().permutation(len(labels))
        for start in range(0, len(labels), BATCH):
            where = permutation[start : start + BATCH]
            yield images[where], labels[where]

    epoch(batches(), "uint32")
    return epoch(batches(), "uint32")


def idxhub_epoch(dataset: str, cache_dir: str, dtype: str, workers: int) -> dict[str, Any]:
    import idxhub

    return loader_epoch(
        idxhub.get_dataset(dataset, framework="torch", dtype=dtype, cache_dir=cache_dir, download=False), workers
    )


def torchvision_epoch(root: str, workers: int) -> dict[str, Any]:
    datasets, transforms = import_torchvision()
    return loader_epoch(datasets.FashionMNIST(root, train=True, transform=transforms.ToTensor()), workers)


def tensor_epoch(dataset: str, cache_dir: str, dtype: str, workers: int) -> dict[str, Any]:
    """torch's own TensorDataset, over tensors of the dtype wanted, converted beforehand."""
    import torch

    import idxhub

    arrays = idxhub.get_dataset(dataset, dtype=dtype, layout="CHW", cache_dir=cache_dir, download=False)
    tensors = [torch.tensor(array) for array in arrays]
    return loader_epoch(torch.utils.data.TensorDataset(*tensors), workers)


def loader_epoch(dataset: Any, workers: int) -> dict[str, Any]:
    """The second epoch of a plain DataLoader, workers started anew as it does by default.

    Torch has one thread, as in a worker: with more, whether another program has the other core decides everything.
    """
    import torch

    torch.set_num_threads(1)
    loader = torch.utils.data.DataLoader(dataset, batch_size=BATCH, shuffle=True, num_workers=workers)
    total = torch.float32 if dataset[0][0].is_floating_point() else torch.int32
    epoch(loader, total)
    return epoch(loader, total)


def epoch(batches: Iterable[tuple[Any, Any]], total: Any) -> dict[str, Any]:
    """Images a second. Every batch is summed, within the time: what is not read might not have been made.

    `total` is a dtype that holds the sum of one batch.
    """
    images, pixels, labels, batch = 0, 0, 0, None
    start = perf_counter()
    for batch, batch_labels in batches:
        images += len(batch_labels)
        pixels += batch.sum(dtype=total).item()  # exact for uint8; for float32, in float64 across the batches
        labels += batch_labels.sum().item()
    seconds = perf_counter() - start
    if "float" in str(getattr(batch, "dtype", "")):
        pixels *= 255
    return {"value": images / seconds, "seen": {"images": images, "pixels": pixels, "labels": labels}}


def seen(pairs: Iterable[tuple[Any, Any]]) -> dict[str, float]:
    """The number of images and the sums of pixels and labels, over several splits."""
    pairs = list(pairs)
    return {
        "images": sum(len(labels) for _, labels in pairs),
        "pixels": sum(int(images.sum(dtype="uint64")) for images, _ in pairs),
        "labels": sum(int(labels.sum(dtype="uint64")) for _, labels in pairs),
    }


def import_torchvision() -> tuple[Any, Any]:
    """torchvision's datasets and transforms, with or without its compiled part."""
    import torch

    try:
        from torchvision import datasets, transforms
    except RuntimeError:  # its compiled part is not there, and it wants to describe two of its operators
        for module in [name for name in sys.modules if name.partition(".")[0] == "torchvision"]:
            del sys.modules[module]
        library = torch.library.Library("torchvision", "DEF")
        _KEPT.append(library)
        for operator in ("nms", "qnms"):
            library.define(f"{operator}(Tensor dets, Tensor scores, float iou_threshold) -> Tensor")
        from torchvision import datasets, transforms
    return datasets, transforms


_KEPT: list[Any] = []  # the operators go when their Library does


def _timed(call: Callable[[int], None], spent: list[float]) -> Callable[[int], None]:
    def timed(descriptor: int) -> None:
        start = perf_counter()
        call(descriptor)
        spent[0] += perf_counter() - start

    return timed


def _nothing(descriptor: int) -> None:
    pass


def _status(field: str) -> int:
    with open("/proc/self/status", encoding="ascii") as file:
        for line in file:
            if line.startswith(f"{field}:"):
                return int(line.split()[1]) * 1024
    raise LookupError(f"/proc/self/status has no {field}")


if __name__ == "__main__":
    measure = globals()[sys.argv[1]]
    print(json.dumps(measure(**json.loads(sys.argv[2]))))
