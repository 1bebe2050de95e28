"""Measure `idxhub board run` beside the way of Fashion-MNIST's authors, and print a table.

    python tools/bench_board.py [--dataset NAME] [--data-dir FOLDER] [--subset smoke] [--subset fast] [--rounds 1]

Both fit the same estimators with the same seed, with one and with two workers, each with one thread. The authors' way
is a pool of `multiprocessing`: each worker reads the published files with gzip and NumPy, and scales the pixels for
itself. The code for it is this program's own. The wall time is that of the whole program, from its start to its end.
The memory is the largest sum of the PSS of all its processes, which divides shared pages among those that map them. It
is read twice a second. The accuracies of both ways must be the same.

The cache of idxhub is filled once before, which is measured too. At the end, the program measures how long the store
takes for each result.
"""

from __future__ import annotations

import argparse
import gzip
import json
import multiprocessing
import os
import statistics
import subprocess
import sys
import tempfile
import time
import warnings
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import psutil
from sklearn.preprocessing import StandardScaler

import idxhub
from idxhub_board.configurations import Configuration, configurations, select
from idxhub_board.estimators import build
from idxhub_board.records import encode_predictions, key
from idxhub_board.store import Store
from idxhub_board.summary import configuration_of

SAMPLING = 0.5  # seconds between two looks at the memory
STORED = 645  # results in a store of all configurations with five seeds


@dataclass(frozen=True)
class Subset:
    """Configurations, and on how many train and test examples; `tier` is what `idxhub board run` calls that."""

    tier: str
    examples: int | None
    names: Callable[[], list[str]]


def smoke() -> list[str]:
    """All but those that take minutes: gradient boosting, and a logistic regression that does not converge."""
    slow = {each.name for pattern in ("Gradient*", "LogisticRegression(C=100,*l1)") for each in select(pattern)}
    return [each.name for each in configurations() if each.name not in slow]


def fast() -> list[str]:
    """Some that take half a minute of processor time on all of Fashion-MNIST."""
    patterns = (
        "ExtraTreeClassifier",
        "GaussianNB",
        "PassiveAggressiveClassifier(C=1)",
        "Perceptron(penalty=l2)",
        "RandomForestClassifier(criterion=gini,max_depth=10,n_estimators=10)",
    )
    return [each.name for pattern in patterns for each in select(pattern)]


SUBSETS = {"smoke": Subset("smoke", 1000, smoke), "fast": Subset("full", None, fast)}


# ---- the authors' way ----

_loaded: dict[str, Any] = {}


def pool_of_processes(folder: Path, examples: int | None, names: Sequence[str], workers: int, output: Path) -> None:
    """Fit in a pool of processes that have a copy of the data each, and write the accuracies."""
    with multiprocessing.get_context("fork").Pool(workers, read_and_scale, (folder, examples)) as pool:
        found = dict(pool.imap_unordered(fit, names))
    output.write_text(json.dumps(found))


def read_and_scale(folder: Path, examples: int | None) -> None:
    """What a worker does first."""
    for which, prefix in (("train", "train"), ("test", "t10k")):
        labels = np.frombuffer(
            gzip.decompress((folder / f"{prefix}-labels-idx1-ubyte.gz").read_bytes()), np.uint8, -1, 8
        )
        content = gzip.decompress((folder / f"{prefix}-images-idx3-ubyte.gz").read_bytes())
        images = np.frombuffer(content, np.uint8, -1, 16).reshape(len(labels), -1)
        _loaded[which] = images[:examples].astype(np.float64), labels[:examples]
    scaler = StandardScaler().fit(_loaded["train"][0])
    for which, (images, labels) in _loaded.items():
        _loaded[which] = scaler.transform(images), labels


def fit(name: str) -> tuple[str, float]:
    """The accuracy of a configuration."""
    (configuration,) = select(name)
    warnings.simplefilter("ignore")  # `idxhub board run` keeps them in its results
    estimator = build(configuration, 0).fit(*_loaded["train"])
    images, labels = _loaded["test"]
    return name, float((estimator.predict(images) == labels).mean())


# ---- measuring ----


@dataclass(frozen=True)
class Measured:
    """What one run of a program took, and the accuracies by configuration."""

    seconds: float
    megabytes: float
    accuracies: dict[str, float]


def watch(pid: int, is_running: Callable[[], bool]) -> float:
    """The largest sum of PSS of a process and of all below it, in MB, until it ends."""
    largest = 0
    program = psutil.Process(pid)
    while is_running():
        total = 0
        try:
            for each in [program, *program.children(recursive=True)]:
                try:
                    total += each.memory_full_info().pss
                except psutil.Error:  # it has ended
                    continue
        except psutil.Error:
            break
        largest = max(largest, total)
        time.sleep(SAMPLING)
    return largest / 1e6


def run_board(folder: Path, asked: argparse.Namespace, tier: str, names: Sequence[str], workers: int) -> Measured:
    """Measure `idxhub board run`."""
    store = folder / "store.jsonl"
    store.unlink(missing_ok=True)
    command = [sys.executable, "-m", "idxhub", "board", "run", store, "--dataset", asked.dataset, "--tier", tier]
    command += ["--repeats", "1", "--jobs", str(workers), *(part for name in names for part in ("--only", name))]
    command += ["--data-dir", asked.data_dir] if asked.data_dir else []
    environment = os.environ | {"IDXHUB_CACHE": str(folder / "cache")}
    start = time.perf_counter()
    process = subprocess.Popen(command, env=environment, stdout=subprocess.DEVNULL)  # noqa: S603 -- our own command
    megabytes = watch(process.pid, lambda: process.poll() is None)
    seconds = time.perf_counter() - start
    if process.returncode:
        sys.exit(f"idxhub board run ended with status {process.returncode}")
    return Measured(seconds, megabytes, {configuration_of(each).name: each["accuracy"] for each in Store(store)})


def run_pool(folder: Path, examples: int | None, names: Sequence[str], workers: int) -> Measured:
    """Measure the authors' way."""
    output = folder / "accuracies.json"
    arguments = (folder / "files", examples, names, workers, output)
    start = time.perf_counter()
    process = multiprocessing.get_context("spawn").Process(target=pool_of_processes, args=arguments)
    process.start()
    megabytes = watch(process.pid or 0, process.is_alive)
    process.join()
    seconds = time.perf_counter() - start
    if process.exitcode:
        sys.exit(f"the pool of processes ended with status {process.exitcode}")
    return Measured(seconds, megabytes, json.loads(output.read_text()))


def measure(name: str, folder: Path, asked: argparse.Namespace) -> None:
    """Print the rows of a subset, and how much faster two workers are."""
    subset = SUBSETS[name]
    names = [each.name for pattern in asked.only for each in select(pattern)] or subset.names()
    ways: dict[str, Callable[[int], Measured]] = {
        "idxhub": lambda workers: run_board(folder, asked, subset.tier, names, workers),
        "pool": lambda workers: run_pool(folder, subset.examples, names, workers),
    }
    found: dict[tuple[str, int], list[Measured]] = {(way, workers): [] for workers in (1, 2) for way in ways}
    for _ in range(asked.rounds):
        for (way, workers), runs in found.items():
            runs.append(ways[way](workers))
    medians = {}
    for (way, workers), runs in found.items():
        seconds = medians[way, workers] = statistics.median(each.seconds for each in runs)
        megabytes = statistics.median(each.megabytes for each in runs)
        print(f"| `{name}`, {len(names)} configurations | {way} | {workers} | {seconds:.1f} | {megabytes:,.0f} |")
    for way in ways:
        print(f"{name}: {way} is {medians[way, 1] / medians[way, 2]:.2f} times as fast with two workers")
    ours, theirs = (found[way, 1][0].accuracies for way in ways)
    same = sum(ours.get(each) == theirs[each] for each in theirs)
    print(f"{name}: {same} of {len(names)} accuracies are the same in both ways", flush=True)


def measure_store(folder: Path) -> None:
    """Print how long the store takes for a result: looking for it, and appending it with its predictions."""
    store = Store(folder / "measured.jsonl")
    predictions = encode_predictions(np.random.default_rng(0).integers(0, 10, 10_000))
    made = [record(each, seed, predictions) for each in configurations() for seed in range(5)][:STORED]
    start = time.perf_counter()
    for each in made:
        store.refresh()
        if store.get(key(each)) is None:
            store.add(each)
    milliseconds = (time.perf_counter() - start) / len(made) * 1000
    print(f"store: {milliseconds:.2f} ms for each of {len(made)} results, {milliseconds / 10:.2f} % of a second")


def record(configuration: Configuration, seed: int, predictions: str) -> dict[str, Any]:
    """A made-up result."""
    return {
        "format": 1,
        "dataset": "fashion-mnist",
        "digest": "0" * 64,
        "examples": None,
        "preprocessing": "StandardScaler",
        "classifier": configuration.classifier,
        "parameters": configuration.parameters,
        "seed": seed,
        "versions": {"scikit-learn": "1.9.1"},
        "backend": "loky",
        "accelerated": False,
        "status": "done",
        "accuracy": 0.9,
        "fit_seconds": 1.0,
        "predict_seconds": 0.1,
        "predictions": predictions,
    }


def main() -> None:
    """Measure, and print."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--dataset", default="fashion-mnist")
    parser.add_argument("--data-dir", default=os.environ.get("IDXHUB_TEST_DATA"))
    parser.add_argument("--subset", action="append", choices=SUBSETS, dest="subsets")
    parser.add_argument("--only", action="append", default=[], help="these configurations instead of the subset's")
    parser.add_argument("--rounds", type=int, default=1)
    asked = parser.parse_args()
    os.environ["OMP_NUM_THREADS"] = "1"
    with tempfile.TemporaryDirectory(dir=Path.cwd()) as name:
        folder = Path(name)
        options = {"data_dir": asked.data_dir, "cache_dir": folder / "cache"}
        idxhub.export(asked.dataset, "idx.gz", folder / "files", progress=False, **options)
        print("| what | way | workers | wall, s | memory, MB |")
        print("| --- | --- | --- | --- | --- |", flush=True)
        for each in asked.subsets or SUBSETS:
            first = run_board(folder, asked, SUBSETS[each].tier, ["GaussianNB"], 1)
            what = f"`{each}`, GaussianNB alone, which fills the cache"
            print(f"| {what} | idxhub | 1 | {first.seconds:.1f} | {first.megabytes:,.0f} |")
            measure(each, folder, asked)
        measure_store(folder)


if __name__ == "__main__":
    main()
