"""Measure idxhub beside its peers: `python tests/benchmarks/run.py --help`.

Every figure is taken in a fresh process, all figures once a round, in a new random order each round, so that what
else the machine does falls on all of them alike. Every reader's pixels are summed and the sums compared with those
of the files: exit status 1 if a row saw other data or if one of idxhub's own figures failed, 2 if there is no data.
"""

from __future__ import annotations

import argparse
import gzip
import json
import os
import platform
import random
import shutil
import subprocess
import sys
import tempfile
from collections.abc import Mapping
from pathlib import Path
from time import perf_counter
from typing import Any

import numpy as np
import report
from figures import Figure, figures, rows

import idxhub

HERE = Path(__file__).resolve().parent
ROOT = HERE.parents[1]
DEBIAN = Path("/usr/share/datasets/fashion-mnist")
FILES = {
    "train": ("train-images-idx3-ubyte.gz", "train-labels-idx1-ubyte.gz"),
    "test": ("t10k-images-idx3-ubyte.gz", "t10k-labels-idx1-ubyte.gz"),
}
PACKAGES = ("idxhub", "numpy", "torch", "torchvision", "pillow", "keras", "tensorflow", "tensorflow-cpu")
TIMEOUT = 300.0  # seconds for one process; the slowest peer needs ten


def main() -> int:
    options = _options()
    data_dir = _data_dir(options.dataset, options.data_dir)
    if data_dir is None:
        print(
            "no data: name a folder with Fashion-MNIST's four .gz files (--data-dir or IDXHUB_TEST_DATA), "
            "or use --dataset fashion-mnist-sample",
            file=sys.stderr,
        )
        return 2
    pythons = {"": sys.executable} | dict(each.split("=", 1) for each in options.peer_python)
    with tempfile.TemporaryDirectory() as work:
        bench = Bench(options.dataset, data_dir, Path(work), pythons)
        chosen = [figure for figure in bench.figures if options.only in figure.name]
        outcomes = bench.measure(chosen, options.repeats, options.seed)
        results = report.Results(
            machine=bench.machine(),
            settings={"dataset": options.dataset, "repeats": options.repeats, "seed": options.seed},
            outcomes={figure.name: outcomes[figure.name] for figure in chosen},
            rows=rows(bench.payload),
        )
    print(results.text())
    if options.json:
        Path(options.json).write_text("".join(json.dumps(each) + "\n" for each in results.records()), encoding="utf-8")
    if options.markdown:
        Path(options.markdown).write_text(results.markdown(), encoding="utf-8")
    return 1 if results.problems() else 0


class OtherDataError(RuntimeError):
    """What was measured is not what the others did."""


class Bench:
    """The files as each reader wants them, in a folder that is removed afterwards, and the processes that read them."""

    def __init__(self, dataset: str, data_dir: Path, work: Path, pythons: Mapping[str, str]) -> None:
        self.pythons = pythons
        self.truth = {split: _truth(data_dir, split) for split in FILES}
        self.payload = self.truth["train"]["bytes"]
        self.environment = os.environ | {
            "TMPDIR": str(work),
            "IDXHUB_OFFLINE": "1",
            # a peer that wants to download fails at once instead of being timed while it does
            **dict.fromkeys(("http_proxy", "https_proxy"), "http://127.0.0.1:9"),
            "TF_CPP_MIN_LOG_LEVEL": "3",
        }
        self.keras_home = {"KERAS_HOME": str(work / "keras")}
        self.figures = figures(dataset, str(data_dir), str(work / "cache"), str(work / "torchvision"))
        self.versions = {
            peer: self._child(python, "versions", {"packages": PACKAGES}) for peer, python in pythons.items()
        }
        _copies(data_dir, keras=work / "keras/datasets/fashion-mnist", torchvision=work / "torchvision")
        self._publish(dataset, data_dir, work / "cache")
        self._publish("fashion-mnist-sample", _sample_dir(), work / "cache-other")  # what "memory" opens first

    def measure(self, chosen: list[Figure], repeats: int, seed: int) -> dict[str, report.Outcome]:
        """All figures, `repeats` times; one that failed is not tried again."""
        outcomes = {figure.name: report.Outcome(figure, missing=self._missing(figure)) for figure in chosen}
        order = random.Random(seed)  # noqa: S311 -- no secret
        # round 0 is not counted: it brings files and bytecode into memory; an epoch warms up within its process
        for turn in range(repeats + 1):
            current = [each for each in chosen if turn or "epoch" not in each.measure]
            for figure in order.sample(current, len(current)):
                outcome = outcomes[figure.name]
                if not outcome.is_sound:
                    continue
                try:
                    sample = self.sample(figure)
                except OtherDataError as error:
                    outcome.other_data = str(error)
                    continue
                except RuntimeError as error:
                    outcome.failure = str(error)
                    continue
                if turn:
                    outcome.samples.append(sample)
            print(f"round {turn} of {repeats}", file=sys.stderr)
        return outcomes

    def sample(self, figure: Figure) -> dict[str, Any]:
        """One measurement; `RuntimeError` if it did not come about, or if it read other data than the files hold."""
        if figure.statement:
            return {"value": _run_time(self._python(figure), figure.statement, self.environment)}
        answer = self._child(self._python(figure), figure.measure, figure.arguments)
        expected = {
            what: sum(self.truth[split][what] for split in figure.splits) for what in ("images", "pixels", "labels")
        }
        if not _same(answer.get("seen", {}), expected):
            raise OtherDataError(f"saw other data: {answer.get('seen')} where the files hold {expected}")
        return answer

    def machine(self) -> dict[str, Any]:
        """What the figures depend on; no names of hosts or folders."""
        return {
            "cpu": _cpu(),
            "cores": len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count(),
            "system": platform.system(),
            "file system": _file_system(self.environment["TMPDIR"]),
            "load": os.getloadavg()[0] if hasattr(os, "getloadavg") else None,
            "versions": {
                peer or "idxhub": {"python": found["python"], **found["versions"]}
                for peer, found in self.versions.items()
            },
        }

    def _publish(self, dataset: str, data_dir: Path, cache_dir: Path) -> None:
        arguments = {"dataset": dataset, "data_dir": str(data_dir), "cache_dir": str(cache_dir)}
        self._child(sys.executable, "publish", arguments)

    def _missing(self, figure: Figure) -> str:
        has = self.versions[self._peer(figure)]["versions"]
        if figure.measure == "memory" and not os.path.exists("/proc/self/clear_refs"):
            return "needs Linux's /proc"
        missing = [package for package in figure.needs if package not in has]
        return f"{', '.join(missing)} not installed" if missing else ""

    def _peer(self, figure: Figure) -> str:
        return next((need for need in figure.needs if need in self.pythons), "")

    def _python(self, figure: Figure) -> str:
        return self.pythons[self._peer(figure)]

    def _child(self, python: str, measure: str, arguments: Mapping[str, Any]) -> dict[str, Any]:
        command = [python, str(HERE / "measures.py"), measure, json.dumps(arguments)]
        # for keras alone: idxhub looks there too, and must not mend a warm open that has failed
        environment = self.environment | (self.keras_home if measure == "keras_open" else {})
        try:
            done = subprocess.run(
                command, env=environment, capture_output=True, text=True, timeout=TIMEOUT, check=False
            )
        except subprocess.TimeoutExpired as error:
            raise RuntimeError(f"{measure} took more than {TIMEOUT:.0f} s") from error
        if done.returncode:
            raise RuntimeError((done.stderr.strip().splitlines() or [f"exit status {done.returncode}"])[-1])
        answer: dict[str, Any] = json.loads(done.stdout.splitlines()[-1])
        return answer


def _options() -> argparse.Namespace:
    parser = argparse.ArgumentParser(description="Measure idxhub beside its peers.")
    parser.add_argument("--data-dir", metavar="FOLDER", help="the four .gz files (IDXHUB_TEST_DATA)")
    parser.add_argument("--dataset", default="fashion-mnist", choices=["fashion-mnist", "fashion-mnist-sample"])
    parser.add_argument("--repeats", type=int, default=7, metavar="N", help="processes for each figure (7)")
    parser.add_argument("--seed", type=int, default=0, help="of the random order (0)")
    parser.add_argument("--only", default="", metavar="TEXT", help="the figures whose name has TEXT in it")
    parser.add_argument(
        "--peer-python",
        action="append",
        default=[],
        metavar="PEER=PYTHON",
        help="another interpreter for keras, torchvision or torch, such as keras=venv/bin/python",
    )
    parser.add_argument("--json", metavar="FILE", help="write machine, samples and rows as JSON Lines")
    parser.add_argument("--markdown", metavar="FILE", help="write the page of the documentation")
    return parser.parse_args()


def _data_dir(dataset: str, named: str | None) -> Path | None:
    """The first folder that has the four files: the one named, and no other if one is, or a usual one."""
    named = named or (os.environ.get("IDXHUB_TEST_DATA") if dataset == "fashion-mnist" else None)
    if named:
        folders = [Path(named).absolute()]
    elif dataset == "fashion-mnist":
        folders = [ROOT.parent / "shared" / "data" / "fashion-mnist", DEBIAN]
    else:
        folders = [_sample_dir()]
    return next((f for f in folders if all((f / name).is_file() for pair in FILES.values() for name in pair)), None)


def _sample_dir() -> Path:
    return Path(idxhub.__file__).parent / "sample"


def _truth(data_dir: Path, split: str) -> dict[str, int]:
    """What a split holds, read with gzip and NumPy alone."""
    images, labels = (
        np.frombuffer(gzip.decompress((data_dir / name).read_bytes()), np.uint8, offset=offset)
        for name, offset in zip(FILES[split], (16, 8), strict=True)
    )
    return {
        "images": len(labels),
        "pixels": int(images.sum(dtype=np.uint64)),
        "labels": int(labels.sum(dtype=np.uint64)),
        "bytes": images.nbytes,
    }


def _copies(data_dir: Path, *, keras: Path, torchvision: Path) -> None:
    """The files where these two look for them: as they are, and decompressed."""
    raw = torchvision / "FashionMNIST" / "raw"
    keras.mkdir(parents=True)
    raw.mkdir(parents=True)
    for name in (name for pair in FILES.values() for name in pair):
        shutil.copyfile(data_dir / name, keras / name)
        (raw / name.removesuffix(".gz")).write_bytes(gzip.decompress((data_dir / name).read_bytes()))


def _same(found: Mapping[str, float], expected: Mapping[str, float]) -> bool:
    """The same counts and sums; those of floating-point pixels to one in a million."""
    return found.keys() == expected.keys() and all(
        abs(found[key] - expected[key]) <= (1e-6 * expected[key] if isinstance(found[key], float) else 0)
        for key in expected
    )


def _run_time(python: str, statement: str, environment: Mapping[str, str]) -> float:
    start = perf_counter()
    done = subprocess.run([python, "-c", statement], env=environment, capture_output=True, check=False)
    if done.returncode:
        raise RuntimeError(f"{statement}: exit status {done.returncode}")
    return perf_counter() - start


def _cpu() -> str:
    try:
        lines = Path("/proc/cpuinfo").read_text(encoding="utf-8").splitlines()
    except OSError:
        return platform.processor() or platform.machine()
    return next((line.partition(":")[2].strip() for line in lines if line.startswith("model name")), platform.machine())


def _file_system(folder: str) -> str:
    """The type of the file system, on which fsync's price depends."""
    stat = shutil.which("stat")
    if stat is None or platform.system() != "Linux":
        return "unknown"
    return subprocess.run([stat, "-f", "-c", "%T", folder], capture_output=True, text=True, check=False).stdout.strip()


if __name__ == "__main__":
    sys.exit(main())
