"""What a step of a loader, and an import, are made of: the profile behind goals that are missed or met by little.

    python tests/benchmarks/steps.py --data-dir FOLDER

with Fashion-MNIST's four files in FOLDER. Each line is the best of several passes over an epoch in batches of 128, in
microseconds a batch, or of several processes, in milliseconds. A framework that is not installed is left out, and said.
"""

from __future__ import annotations

import argparse
import collections
import importlib.util
import os
import subprocess
import sys
import tempfile
import timeit
from collections.abc import Callable, Iterable, Iterator
from typing import Any

import click
import numpy as np
from numpy.typing import NDArray

from idxhub import get_dataset, get_loader, load, to_float32

BATCH, PASSES, PROCESSES = 128, 7, 15
PARTS = ("pathlib", "pluggy", "json", "xxhash", "numpy.typing")


def main() -> None:
    """Print one table."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--data-dir", help="the four files; without it where idxhub finds them")
    asked = parser.parse_args()
    click.echo("| what | best |\n| --- | --- |")
    with tempfile.TemporaryDirectory() as folder:
        where = {"data_dir": asked.data_dir, "cache_dir": folder, "download": False}
        for framework, lines in (("torch", torch_lines), ("tensorflow", tensorflow_lines)):
            if importlib.util.find_spec(framework) is None:
                click.echo(f"{framework}: not installed", err=True)
                continue
            for what, seconds in lines(where):
                click.echo(f"| {what} | {seconds * 1e6:.0f} µs |")
    for what, seconds in import_lines():
        click.echo(f"| {what} | {seconds * 1e3:.1f} ms |")


def torch_lines(where: dict[str, Any]) -> Iterator[tuple[str, float]]:
    """A plain DataLoader, and what of it is ours."""
    import torch  # noqa: PLC0415 -- one framework of several
    from torch.utils.data import DataLoader, Dataset  # noqa: PLC0415

    torch.set_num_threads(1)

    class Nothing(Dataset[Any]):
        def __len__(self) -> int:
            return 60_000

        def __getitems__(self, indices: list[int]) -> list[int]:
            return indices

    def alone(batch: list[int]) -> list[int]:
        return batch

    nothing = DataLoader(Nothing(), batch_size=BATCH, shuffle=True, collate_fn=alone)
    yield "torch: a DataLoader over nothing", a_batch(lambda: nothing)
    for dtype in ("uint8", "float32"):
        dataset = get_dataset(framework="torch", dtype=dtype, **where)
        whole = DataLoader(dataset, batch_size=BATCH, shuffle=True)
        yield f"torch: a DataLoader over idxhub's dataset, {dtype}", a_batch(lambda whole=whole: whole)
    stored, labels = dataset.data.numpy().copy(), dataset.targets.numpy().copy()
    places = [each.numpy() for each in torch.randperm(len(dataset)).split(BATCH)]
    yield "torch: the gather alone", a_batch(lambda: (stored.take(p, axis=0) for p in places))
    yield "numpy: the floor, X[permutation], uint8", a_batch(lambda: ((stored[p], labels[p]) for p in places))
    for framework in ("numpy", "torch"):
        loader = get_loader(framework=framework, batch_size=BATCH, **where)
        yield f"{framework}: get_loader, uint8", a_batch(lambda loader=loader: loader)
    parts = np.zeros((BATCH, 1, 28, 28), np.uint8), np.zeros(BATCH, np.int64)

    def there_and_back() -> Iterator[Any]:
        for _ in places:
            batch = [torch.from_numpy(part) for part in parts]
            yield [np.asarray(each) for each in batch]

    yield "torch: one batch made of NumPy's arrays and read as such", a_batch(there_and_back)
    yield "numpy: one batch divided by 255, over and over", a_batch(lambda: (divided(stored[:BATCH]) for _ in places))


def divided(images: NDArray[Any]) -> NDArray[np.float32]:
    """pixel/255, as idxhub makes it of a batch."""
    scaled = images.astype(np.float32)
    return to_float32(scaled, out=scaled)


def tensorflow_lines(where: dict[str, Any]) -> Iterator[tuple[str, float]]:
    """A tf.data pipeline that reads nothing, and those that do."""
    os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "3")
    import tensorflow as tf  # noqa: PLC0415 -- one framework of several

    from idxhub_bench.load.contenders.tensorflow import reading_loop  # noqa: PLC0415

    whole = load(**where)
    source = tf.data.Dataset.from_tensor_slices((np.asarray(whole.images)[..., None], whole.labels))
    usual = source.shuffle(len(whole)).batch(BATCH)
    scaled = usual.map(lambda images, labels: (tf.cast(images, tf.float32) / 255, labels))
    for dtype, each in (("uint8", usual), ("float32", scaled)):
        images, labels = next(iter(each))
        ours = get_dataset(framework="tensorflow", dtype=dtype, batch_size=BATCH, shuffle=True, **where)
        pipelines = {
            "the same batch again and again": tf.data.Dataset.from_tensors((images, labels)).repeat(469),
            "idxhub's batches": ours,
            "from_tensor_slices, shuffle, batch, prefetch": each.prefetch(tf.data.AUTOTUNE),
        }
        for what, pipeline in pipelines.items():
            yield f"tf.data: {what}, {dtype}", a_batch(lambda pipeline=pipeline: pipeline)
        for what, pipeline in pipelines.items():
            loops = {"": tf.function(lambda found=pipeline: count(found)), ", every byte read": reading_loop(pipeline)}
            for reads, loop in loops.items():
                loop()  # traced
                yield f"tf.data in a tf.function: {what}, {dtype}{reads}", best_pass(loop) / len(pipeline)


def count(dataset: Any) -> Any:
    """How many batches a dataset has, in a graph."""
    batches = 0
    for _ in dataset:
        batches += 1
    return batches


def import_lines() -> Iterator[tuple[str, float]]:
    """Imports in fresh processes, after NumPy's."""
    yield "import numpy", an_import("", "numpy")
    yield "import idxhub, after numpy", an_import("numpy", "idxhub")
    for part in PARTS:
        yield f"import {part}, after numpy, a part of that", an_import("numpy", part)


def a_batch(batches: Callable[[], Iterable[Any]]) -> float:
    """Seconds a batch, in the fastest of several passes."""
    number = sum(1 for _ in batches())
    return best_pass(lambda: collections.deque(batches(), maxlen=0)) / number


def best_pass(read: Callable[[], Any]) -> float:
    """Seconds, in the fastest of several passes."""
    return min(timeit.repeat(read, number=1, repeat=PASSES))


def an_import(before: str, module: str) -> float:
    """Seconds, in the fastest of several processes."""
    first = f"import {before}; " if before else ""
    code = f"import time; {first}start = time.perf_counter(); import {module}; print(time.perf_counter() - start)"
    environment = {name: value for name, value in os.environ.items() if name != "PYTHONDONTWRITEBYTECODE"}
    command = [sys.executable, "-c", code]
    done = [subprocess.run(command, env=environment, capture_output=True, check=True) for _ in range(PROCESSES)]
    return min(float(each.stdout) for each in done)


if __name__ == "__main__":
    main()
