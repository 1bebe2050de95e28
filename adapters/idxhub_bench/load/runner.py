"""The rounds: every measurement in a fresh process, in a new random order each round, its answer judged and written."""

from __future__ import annotations

import contextlib
import json
import os
import pickle
import random
import shutil
import signal
import subprocess
import sys
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from time import perf_counter
from typing import Any

import idxhub_bench
from idxhub_bench.load import machine
from idxhub_bench.load.jobs import OPENINGS, Job
from idxhub_bench.load.judge import CheatError, Truth, check
from idxhub_bench.load.places import Place
from idxhub_bench.load.rows import Row

TIMEOUT = 300.0  # seconds for one process; the slowest needs twenty
_FULL = 60_000
PACKAGES = (
    *("idxhub", "numpy", "torch", "torchvision", "pillow", "tensorflow", "keras", "tensorflow-datasets", "jax"),
    *("datasets", "pyarrow", "ray", "grain", "mxnet"),
)

Write = Callable[[dict[str, Any]], None]
Say = Callable[[str], None]


class Runner:
    """The files as each reader wants them, in a folder that its maker removes, and the processes that read them."""

    def __init__(self, place: Place, pythons: Mapping[str, str], write: Write, say: Say) -> None:
        self.place, self.pythons, self._write, self._say = place, dict(pythons), write, say
        self.truths = {split: Truth.read(Path(place.data_dir), split) for split in ("train", "test")}
        self.environment = self._environment()
        self._versions: dict[str, dict[str, str]] = {}
        self._failed: set[str] = set()
        self._told: set[str] = set()

    def run(self, jobs: Sequence[Job], repeats: int, seed: int) -> None:
        """All of them `repeats` times. One that fails is written down and not tried again; the others go on."""
        able = self._prepared([job for job in jobs if self._is_able(job)])
        order = random.Random(seed)  # noqa: S311 -- no secret
        # round 0 is not counted: it brings files and bytecode into memory
        for number in range(repeats + 1):
            began = perf_counter()
            for job in order.sample(able, len(able)):
                if job.name not in self._failed and self._is_due(job, number):
                    self._measure(job, number, order)
            where = [path for path in Path(self.place.data_dir).glob("*.gz") if path.is_file()]
            self._write(
                {"kind": "round", "round": number, "seconds": round(perf_counter() - began, 1)}
                | {"load": machine.load_average(), "files in page cache": machine.in_page_cache(where)}
            )
            self._say(f"round {number} of {repeats}: {perf_counter() - began:.0f} s")

    def _is_due(self, job: Job, number: int) -> bool:
        """The round that warms up opens each row once; what takes very long is asked for once."""
        if number == 0:
            return job.measure == "warm"
        return number == 1 or job.measure not in job.row.once

    def _measure(self, job: Job, number: int, order: random.Random) -> None:
        began = perf_counter()
        try:
            answer = self._answer(job, order)
        except CheatError as error:
            self._fail(job, f"ERROR: not the same data or order: {error}", cheat=True)
            return
        except RuntimeError as error:
            self._fail(job, str(error))
            return
        if number == 0:
            return
        self._tell_row(job, answer)
        load = machine.load_average()
        for reading in answer["readings"]:
            if not job.row.opens and reading["figure"] in OPENINGS:  # it opens when the first batch is wanted
                continue
            said = {"kind": "sample", "row": job.row.name, "figure": reading.pop("figure"), **reading}
            self._write(said | {"round": number, "load": load, "process": round(perf_counter() - began, 2)})

    def _answer(self, job: Job, order: random.Random) -> dict[str, Any]:
        if job.measure == "import":
            return {"readings": [{"figure": "import", "value": self._time_import(job.row)}], "threads": {}}
        arguments = dict(job.arguments)
        if job.measure != "epochs":
            answer = self._child(job.row, job.measure, arguments)
            self._check_sums(answer)
            return answer
        file = Path(self.place.folder("seen"))
        arguments |= {key: order.sample(arguments[key], len(arguments[key])) for key in ("dtypes", "sizes")}
        arguments["file"] = str(file)
        answer = self._child(job.row, "epochs", arguments)
        with file.open("rb") as stream:
            passes = pickle.load(stream)  # noqa: S301 -- our own process wrote it, in a folder of our own
        file.unlink()
        for dtype, size, seen, before in passes:
            bounded = arguments["limit"] is not None and arguments["limit"] < len(self.truths["train"].labels)
            check(seen, before, self.truths["train"], dtype=dtype, size=size, bounded=bounded)
        return answer

    def _check_sums(self, answer: dict[str, Any]) -> None:
        sums = answer.pop("sums", None)
        if sums is None:
            return
        splits = ("train", "test") if answer["split"] == "all" else ("train",)
        parts = [self.truths[split].sums() for split in splits]
        expected = {what: sum(part[what] for part in parts) for what in parts[0]}
        if sums != expected:
            raise CheatError(f"what it opened has {sums}, the files {expected}")

    def _is_able(self, job: Job) -> bool:
        """Whether there is an interpreter that has what the row needs; said once for each row if not."""
        has = self._has(self.python(job.row))
        missing = [
            need for need in job.row.needs if need not in has and not (need == "tensorflow" and _tensorflow(has))
        ]
        why = f"{', '.join(missing)} not installed" if missing else ""
        if not why and job.row.full_only and len(self.truths["train"].labels) != _FULL:
            why = "it reads the full dataset alone"
        if not why and job.measure == "together" and not os.path.exists("/proc/self/smaps_rollup"):
            return False
        if why and job.row.name not in self._told:
            self._told.add(job.row.name)
            self._write({"kind": "missing", "row": job.row.name, "why": why})
            self._say(f"{job.row.name}: not measured: {why}")
        return not why

    def _prepared(self, jobs: list[Job]) -> list[Job]:
        """What is left after each reader has made the files that it wants."""
        ready: dict[str, bool] = {"": True}
        for job in jobs:
            if job.measure == "import" or job.row.reader in ready:
                continue
            try:
                self._child(job.row, "prepare", {})
                ready[job.row.reader] = True
            except RuntimeError as error:
                ready[job.row.reader] = False
                self._fail(job, f"preparing: {error}")
        return [job for job in jobs if job.measure == "import" or ready[job.row.reader]]

    def _fail(self, job: Job, why: str, *, cheat: bool = False) -> None:
        self._failed.add(job.name)
        said = {"kind": "failure", "row": job.row.name, "figures": list(job.figures), "why": why, "cheat": cheat}
        self._write(said | {key: job.arguments[key] for key in ("dtypes", "workers") if key in job.arguments})
        self._say(f"{job.name}: {why}")

    def _tell_row(self, job: Job, answer: dict[str, Any]) -> None:
        if job.row.name in self._told or job.measure == "import":
            return
        self._told.add(job.row.name)
        versions = self._has(self.python(job.row))
        wanted = {"python", "numpy", *job.row.needs, *(_TENSORFLOWS if "tensorflow" in job.row.needs else ())}
        kept = {name: version for name, version in versions.items() if name in wanted}
        self._write({"kind": "row", "row": job.row.name, "versions": kept, "threads": answer.get("threads", {})})

    def python(self, row: Row) -> str:
        """The interpreter of a row."""
        return next((self.pythons[name] for name in row.environments if name in self.pythons), sys.executable)

    def _has(self, python: str) -> dict[str, str]:
        if python not in self._versions:
            packages = {"packages": [*PACKAGES, *_TENSORFLOWS]}
            try:
                self._versions[python] = self._process(python, {"measure": "versions", **packages})["versions"]
            except RuntimeError as error:
                self._versions[python] = {}
                self._say(f"{python}: {error}")
        return self._versions[python]

    def _time_import(self, row: Row) -> float:
        """The whole process, as a user waits for it."""
        why = ""
        for code in filter(None, (row.imports, row.otherwise)):
            start = perf_counter()
            done = subprocess.run(  # noqa: S603 -- an interpreter that the user has named
                [self.python(row), "-c", code], env=self._outside(), capture_output=True, text=True, check=False
            )
            seconds = perf_counter() - start
            if not done.returncode:
                return seconds
            why = f"{code}: {_last(done.stderr, done.returncode)}"
        raise RuntimeError(why)

    def _child(self, row: Row, measure: str, arguments: Mapping[str, Any]) -> dict[str, Any]:
        asked = {"measure": measure, "reader": row.reader, "place": self.place.told(), "arguments": arguments}
        # for Keras alone: idxhub looks there too, and must not mend a warm opening that has failed
        home = {"KERAS_HOME": self.place.folder("keras")} if "keras" in row.needs else {}
        return self._process(self.python(row), asked, home)

    def _process(self, python: str, asked: Mapping[str, Any], more: Mapping[str, str] = {}) -> dict[str, Any]:
        command = [python, "-m", "idxhub_bench.load.child", json.dumps(asked)]
        options: dict[str, Any] = {
            "env": self.environment | dict(more),
            "cwd": self.place.root,
            "start_new_session": True,
        }
        with subprocess.Popen(  # noqa: S603 -- an interpreter that the user has named
            command, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True, **options
        ) as child:
            try:
                out, err = child.communicate(timeout=TIMEOUT)
            except subprocess.TimeoutExpired as error:
                raise RuntimeError(f"{asked['measure']} took more than {TIMEOUT:.0f} s") from error
            finally:
                _end(child)
        if child.returncode:
            raise RuntimeError(_last(err, child.returncode))
        answer: dict[str, Any] = json.loads(out.splitlines()[-1])
        return answer

    def _environment(self) -> dict[str, str]:
        """That of the measured processes: this package on their path, and nothing that goes to the network."""
        code = Path(self.place.folder("code"))
        package = Path(idxhub_bench.__file__).parent
        shutil.copytree(package, code / package.name, ignore=shutil.ignore_patterns("__pycache__"))
        temporary = Path(self.place.folder("temporary"))
        temporary.mkdir()
        return self._outside() | {
            "PYTHONPATH": str(code),
            "TMPDIR": str(temporary),
            "IDXHUB_OFFLINE": "1",
            "HF_HUB_OFFLINE": "1",
            # a peer that wants to download fails at once instead of being timed while it does
            **dict.fromkeys(("http_proxy", "https_proxy"), "http://127.0.0.1:9"),
            "TF_CPP_MIN_LOG_LEVEL": "3",
        }

    def _outside(self) -> dict[str, str]:
        """Ours, less what would have every process compile its modules anew."""
        return {
            name: value for name, value in os.environ.items() if name not in ("PYTHONDONTWRITEBYTECODE", "PYTHONPATH")
        }


# the build without CUDA, and others, are distributions with names of their own
_TENSORFLOWS = ("tensorflow-cpu", "tensorflow-intel", "tf-nightly")


def _tensorflow(has: Mapping[str, str]) -> bool:
    return any(name in has for name in _TENSORFLOWS)


def _end(child: subprocess.Popen[str]) -> None:
    """The process and what it has started, Ray's cluster or workers of a loader that was cut short."""
    with contextlib.suppress(ProcessLookupError, PermissionError):
        os.killpg(child.pid, signal.SIGKILL)


def _last(text: str, status: int) -> str:
    lines = [line.strip() for line in text.strip().splitlines() if line.strip()]
    return lines[-1] if lines else f"exit status {status}"
