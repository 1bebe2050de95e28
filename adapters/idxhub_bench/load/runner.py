"""The rounds of `idxhub bench load`: each measurement in a fresh process, its answer judged and written."""

from __future__ import annotations

import os
import pickle
import random
import sys
from collections.abc import Mapping, Sequence
from pathlib import Path
from time import perf_counter
from typing import Any

from idxhub_bench import machine, processes
from idxhub_bench.load.jobs import OPENINGS, Job
from idxhub_bench.load.judge import CheatError, Truth, check
from idxhub_bench.load.places import Place
from idxhub_bench.load.rows import Row
from idxhub_bench.measuring import Recorder

TIMEOUT = 300.0  # seconds for one process; the slowest needs twenty
_FULL = 60_000
# builds of TensorFlow that have a name of their own
_TENSORFLOWS = ("tensorflow-cpu", "tensorflow-intel", "tf-nightly")
PACKAGES = (
    *("idxhub", "numpy", "torch", "torchvision", "pillow", "tensorflow", "keras", "tensorflow-datasets", "jax"),
    *("datasets", "pyarrow", "ray", "grain", "mxnet", *_TENSORFLOWS),
)


class Runner:
    """Runs processes that read the files of `place`, each with the interpreter that `pythons` names for its row."""

    def __init__(self, place: Place, pythons: Mapping[str, str], recorder: Recorder) -> None:
        self.place, self.pythons, self._recorder = place, pythons, recorder
        self.truths = {split: Truth.read(Path(place.data_dir), split) for split in ("train", "test")}
        self._environment = processes.environment(recorder.folder)
        self._versions: dict[str, dict[str, str]] = {}
        self._failed: set[str] = set()  # names of jobs
        self._recorded: set[str] = set()  # rows about which the records already say something

    def run(self, jobs: Sequence[Job], repeats: int, seed: int) -> None:
        """Run every job `repeats` times. A job that fails is recorded and not tried again; the others continue."""
        able = self._prepared([job for job in jobs if self._is_able(job)])
        order = random.Random(seed)  # noqa: S311 -- no secret
        # round 0 is not counted: it brings files and bytecode into memory
        for number in range(repeats + 1):
            start = perf_counter()
            for job in order.sample(able, len(able)):
                if job.name not in self._failed and self._is_due(job, number):
                    self._measure(job, number, order)
            files = [path for path in Path(self.place.data_dir).glob("*.gz") if path.is_file()]
            seconds = perf_counter() - start
            self._recorder.write(
                {"kind": "round", "round": number, "seconds": round(seconds, 1)}
                | {"load": machine.load_average(), "files in page cache": machine.in_page_cache(files)}
            )
            self._recorder.say(f"round {number} of {repeats}: {seconds:.0f} s")

    def _is_due(self, job: Job, number: int) -> bool:
        """Whether a job belongs to a round: round 0 only opens each row, and very slow jobs run once."""
        if number == 0:
            return job.measure == "warm"
        return number == 1 or job.measure not in job.row.once

    def _measure(self, job: Job, number: int, order: random.Random) -> None:
        start = perf_counter()
        try:
            answer = self._answer(job, order)
        except CheatError as error:
            self._fail(job, f"ERROR: not the same data or order: {error}", cheat=True)
            return
        except processes.FailedError as error:
            self._fail(job, str(error))
            return
        if number == 0:
            return
        self._record_row(job, answer)
        common = {"round": number, "load": machine.load_average(), "process": round(perf_counter() - start, 2)}
        for reading in answer["readings"]:
            if job.row.opens or reading["figure"] not in OPENINGS:  # the others open with the first batch
                self._recorder.write({"kind": "sample", "row": job.row.name, **reading, **common})

    def _answer(self, job: Job, order: random.Random) -> dict[str, Any]:
        if job.measure == "import":
            return {"readings": [{"figure": "import", "value": self._time_import(job.row)}], "threads": {}}
        if job.measure != "epochs":
            answer: dict[str, Any] = self._ask(job.row, job.measure, job.arguments)
            self._check_sums(answer)
            return answer
        file = Path(self.place.folder("seen"))
        shuffled = {name: order.sample(job.arguments[name], len(job.arguments[name])) for name in ("dtypes", "sizes")}
        answer = self._ask(job.row, "epochs", job.arguments | shuffled | {"file": str(file)})
        passes = pickle.loads(file.read_bytes())  # noqa: S301 -- our own process wrote it, in a folder of our own
        file.unlink()
        truth, limit = self.truths["train"], job.arguments["limit"]
        bounded = limit is not None and limit < len(truth.labels)
        for dtype, size, seen, before, in_order in passes:
            check(seen, before, truth, dtype=dtype, size=size, bounded=bounded, in_order=in_order)
        return answer

    def _check_sums(self, answer: dict[str, Any]) -> None:
        sums = answer.get("sums")
        if sums is None:  # only an epoch shows what this reader opened
            return
        parts = [self.truths[split].sums() for split in (("train", "test") if answer["split"] == "all" else ("train",))]
        expected = {name: sum(part[name] for part in parts) for name in parts[0]}
        if sums != expected:
            raise CheatError(f"what it opened has {sums}, the files {expected}")

    def _is_able(self, job: Job) -> bool:
        """Whether the job can be measured here; why a row cannot is recorded once."""
        row, installed = job.row, self._installed(self._python(job.row))
        missing = [need for need in row.needs if not _is_installed(need, installed)]
        why = f"{', '.join(missing)} not installed" if missing else ""
        if not why and row.full_only and len(self.truths["train"].labels) != _FULL:
            why = "it reads only the full dataset"
        if not why and job.measure == "together" and not os.path.exists("/proc/self/smaps_rollup"):
            return False
        if why and row.name not in self._recorded:
            self._recorded.add(row.name)
            self._recorder.write_missing(row.name, why)
        return not why

    def _prepared(self, jobs: list[Job]) -> list[Job]:
        """The jobs whose readers could make the files that they need."""
        ready: dict[str, bool] = {"": True}
        for job in jobs:
            if job.measure == "import" or job.row.reader in ready:
                continue
            try:
                self._ask(job.row, "prepare", {})
                ready[job.row.reader] = True
            except processes.FailedError as error:
                ready[job.row.reader] = False
                self._fail(job, f"preparing: {error}")
        return [job for job in jobs if job.measure == "import" or ready[job.row.reader]]

    def _fail(self, job: Job, why: str, *, cheat: bool = False) -> None:
        self._failed.add(job.name)
        record = {"kind": "failure", "row": job.row.name, "figures": list(job.figures), "why": why, "cheat": cheat}
        setting = {key: job.arguments[key] for key in ("dtypes", "workers") if key in job.arguments}
        self._recorder.write(record | setting)
        self._recorder.say(f"{job.name}: {why}")
        if cheat or job.row.ours:
            self._recorder.problems.append(f"{job.row.name}: {why}")

    def _record_row(self, job: Job, answer: dict[str, Any]) -> None:
        if job.row.name in self._recorded or job.measure == "import":
            return
        self._recorded.add(job.row.name)
        wanted = {"python", "numpy", *job.row.needs, *(_TENSORFLOWS if "tensorflow" in job.row.needs else ())}
        installed = self._installed(self._python(job.row))
        versions = {name: version for name, version in installed.items() if name in wanted}
        threads = answer.get("threads", {})
        self._recorder.write({"kind": "row", "row": job.row.name, "versions": versions, "threads": threads})

    def _python(self, row: Row) -> str:
        return next((self.pythons[name] for name in row.environments if name in self.pythons), sys.executable)

    def _installed(self, python: str) -> dict[str, str]:
        """The versions of the packages that an interpreter has."""
        if python not in self._versions:
            try:
                answer = self._ask_python(python, {"measure": "versions", "packages": PACKAGES})
                self._versions[python] = answer["versions"]
            except processes.FailedError as error:
                self._versions[python] = {}
                self._recorder.say(f"{python}: {error}")
        return self._versions[python]

    def _time_import(self, row: Row) -> float:
        """Seconds of a whole process that imports what the row needs, as a user waits for it."""
        why = ""
        for code in filter(None, (row.imports, row.otherwise)):
            start = perf_counter()
            try:
                processes.run([self._python(row), "-c", code], processes.clean_environment(), timeout=TIMEOUT)
            except processes.FailedError as error:
                why = f"{code}: {error}"
            else:
                return perf_counter() - start
        raise processes.FailedError(why)

    def _ask(self, row: Row, measure: str, arguments: Mapping[str, Any]) -> Any:
        question = {"measure": measure, "reader": row.reader, "place": self.place.as_json(), "arguments": arguments}
        # for Keras alone: idxhub looks there too, and must not repair a warm opening that has failed
        more = {"KERAS_HOME": self.place.folder("keras")} if "keras" in row.needs else {}
        return self._ask_python(self._python(row), question, more)

    def _ask_python(self, python: str, question: Mapping[str, Any], more: Mapping[str, str] | None = None) -> Any:
        environment, folder = self._environment | dict(more or {}), Path(self.place.root)
        return processes.ask(python, "idxhub_bench.load.child", question, environment, folder=folder, timeout=TIMEOUT)


def _is_installed(package: str, installed: Mapping[str, str]) -> bool:
    return package in installed or (package == "tensorflow" and any(name in installed for name in _TENSORFLOWS))
