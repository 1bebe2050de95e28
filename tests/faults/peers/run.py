"""Drive idxhub and its peers through the fault matrix: `python tests/faults/peers/run.py --help`.

Each loader is called in a fresh process with a time limit, and judged from outside by the bytes that came back: in the
faulty call, and in the next one, when the fault is gone and nothing was cleaned up by hand.
"""

from __future__ import annotations

import argparse
import json
import os
import re
import shutil
import subprocess
import sys
import tempfile
import threading
import time
from concurrent.futures import ThreadPoolExecutor
from dataclasses import asdict, dataclass, field, replace
from pathlib import Path
from typing import Any

HERE = Path(__file__).resolve().parent
sys.path.insert(0, str(HERE.parents[1]))  # tests, for `support` and for this program's other files


from faults.peers import page  # noqa: E402 -- found by the line above
from faults.peers.acts.base import Found, NotApplicableError, SetUpError  # noqa: E402
from faults.peers.cases import CASES, Case  # noqa: E402
from faults.peers.stage import DRIVERS, LOADERS, Attempt, Loader, Stage, staged  # noqa: E402
from faults.peers.truth import FILES, truth  # noqa: E402

ROOT = HERE.parents[2]
SHARED = ROOT.parent / "shared" / "data"
NEXT = 400.0  # seconds for the next call
LONG = 300.0  # seconds: a case that may take longer waits beside the others
INSIDE = "IDXHUB_PEERS_NAMESPACE"
KERAS_REFUGE = Path("/tmp/.keras")  # noqa: S108 -- where Keras goes when its folder cannot be written


@dataclass(frozen=True)
class Outcome:
    """What a loader did in a case: the mark that the page shows, and the details."""

    loader: str
    row: int
    case: str
    mark: str
    note: str = ""
    type: str = ""
    message: str = ""
    seconds: float = 0.0
    memory: int = 0
    next: str = ""
    next_message: str = ""
    chain: list[str] = field(default_factory=list)
    on: str = field(default_factory=lambda: time.strftime("%Y-%m-%d", time.gmtime()))


def main() -> int:
    options = _options()
    if options.again:
        return _write(options, page.Results.read(Path(options.json).read_text(encoding="utf-8")).judged_again(CASES))
    if not os.environ.get(INSIDE):
        _enter_namespace()
    data_dir = _folder(options.data_dir, "IDXHUB_TEST_DATA", "fashion-mnist", FILES)
    mnist_dir = _folder(options.mnist_dir, "IDXHUB_TEST_MNIST", "mnist-partial", FILES[2:])
    if data_dir is None or mnist_dir is None:
        print("no data: see --data-dir and --mnist-dir", file=sys.stderr)
        return 2
    pythons = dict(each.split("=", 1) for each in options.peer_python)
    chosen = [replace(LOADERS[n], python=pythons.get(n, sys.executable)) for n in options.loaders.split(",")]
    cases = [case for case in CASES if re.search(options.only, f"{case.row} {case.name}")]
    with tempfile.TemporaryDirectory() as work:
        program = Program(
            Path(work), truth(data_dir, mnist_dir, parquet=any(each.is_parquet for each in chosen)), options.jobs
        )
        versions = {loader.name: program.versions(loader) for loader in chosen}
        missing = [name for name, found in versions.items() if not all(found.get("versions", {"": ""}).values())]
        for name in missing:
            print(f"not installed: {name}", file=sys.stderr)
        present = [loader for loader in chosen if loader.name not in missing]
        outcomes = program.run(present, cases)
    results = page.Results(
        machine=page.machine(),
        versions=versions,
        titles={loader.name: loader.title for loader in chosen},
        outcomes=[asdict(outcome) for outcome in outcomes],
        remark=options.remark,
    )
    if options.json and os.path.exists(options.json):
        earlier = page.Results.read(Path(options.json).read_text(encoding="utf-8"))
        results = results.over(earlier, CASES)
    return _write(options, results)


def _write(options: argparse.Namespace, results: page.Results) -> int:
    if options.json:
        Path(options.json).write_text(results.json(), encoding="utf-8")
    if options.markdown:
        Path(options.markdown).write_text(results.markdown(), encoding="utf-8")
    print(results.text())
    return 0


class Program:
    """Runs the cases of several loaders at the same time. Cases that mostly wait run in extra threads."""

    def __init__(self, work: Path, truth_: Any, workers: int) -> None:
        self.work, self.truth, self.workers = work, truth_, workers
        self._guard = threading.Lock()

    def versions(self, loader: Loader) -> dict[str, Any]:
        """The versions of Python and of the loader's packages; empty if the loader cannot be started."""
        out = self.work / f"versions-{loader.name}"
        told = json.dumps({"versions": True, "out": str(out)})
        subprocess.run([loader.python, str(DRIVERS), loader.name, told], check=False, capture_output=True)
        found: dict[str, Any] = json.loads(out.read_text(encoding="utf-8")) if out.exists() else {}
        return found

    def run(self, loaders: list[Loader], cases: list[Case]) -> list[Outcome]:
        """Every case with every loader, in the order of the cases."""
        long = [(loader, case) for case in cases for loader in loaders if case.limit > LONG]
        with ThreadPoolExecutor(max(1, len(long))) as waiting, ThreadPoolExecutor(self.workers) as working:
            futures = [waiting.submit(self.one, *each) for each in long]
            short = [case for case in cases if case.limit <= LONG]
            futures += [working.submit(lambda each: [self.one(each, case) for case in short], each) for each in loaders]
            found = [each.result() for each in futures]
        outcomes = [one for each in found for one in (each if isinstance(each, list) else [each])]
        order = [(case.row, case.name) for case in cases]
        return sorted(outcomes, key=lambda one: order.index((one.row, one.case)))

    def one(self, loader: Loader, case: Case) -> Outcome:
        """One case with one loader."""
        about = {"loader": loader.name, "row": case.row, "case": case.name}
        if case.mounts and os.environ.get(INSIDE) != "1":
            return Outcome(**about, mark="not run", note="needs a mount namespace (unshare -m)")
        if loader.name == "keras" and case.mounts and KERAS_REFUGE.is_mount():
            for path in KERAS_REFUGE.iterdir():
                shutil.rmtree(path) if path.is_dir() else path.unlink()
        try:
            found = [self._once(loader, case) for _ in range(case.times)]
        except NotApplicableError as error:
            return Outcome(**about, mark="n/a", note=str(error))
        except (SetUpError, OSError, subprocess.SubprocessError) as error:
            return Outcome(**about, mark="not run", note=str(error))
        outcome = Outcome(**about, **worst_of(case, found))
        with self._guard:
            print(f"{loader.name}: {case.row} {case.name}: {outcome.mark} {outcome.note}", file=sys.stderr, flush=True)
        return outcome

    def _once(self, loader: Loader, case: Case) -> tuple[Found, Attempt]:
        """Run a case once; return the outcome under the fault, and the outcome of the next call without it."""
        with staged(loader, self.truth, self.work / f"{loader.name}-{CASES.index(case)}", case.limit) as stage:
            found = case.act(stage)
            return found, found.after or _healthy(stage)


def worst_of(case: Case, found: list[tuple[Found, Attempt]]) -> dict[str, Any]:
    """The worst outcome of a case. If the case was run several times, a note says how many runs were right."""
    outcomes = [judged(case, each) | {"next": after.kind, "next_message": _short(after)} for each, after in found]
    outcomes.sort(key=lambda one: (list(page.MARKS).index(one["mark"]), one["next"] != "right"))
    if case.times > 1:
        well = sum(one["mark"] == "right" and one["next"] == "right" for one in outcomes)
        note = f"{well} of {case.times} runs as asked"
        outcomes[-1]["note"] = "; ".join(filter(None, (note, outcomes[-1]["note"])))
    return outcomes[-1]


def judged(case: Case, found: Found) -> dict[str, Any]:
    """The mark of an outcome: it depends on the returned data, or on the message of the exception."""
    attempt = found.attempt
    mark = {"right": "right", "wrong": "wrong", "hang": "hang", "crash": "crash"}.get(attempt.kind)
    if mark is None:
        mark = case.mark_of(attempt.type, attempt.message, *attempt.chain)
    if found.unmet and mark in ("right", "error", "vague"):
        mark = "partly"
    return {
        "mark": mark,
        "note": "; ".join(filter(None, (found.unmet, found.note))),
        "type": attempt.type,
        "message": attempt.message[:2000],
        "seconds": round(attempt.seconds, 1),
        "memory": attempt.memory,
        "chain": [each[:500] for each in attempt.chain],
    }


def _healthy(stage: Stage) -> Attempt:
    """Call the loader again, after the fault has ended and without any clean-up."""
    stage.environment, stage.urls = {}, []
    stage.serve()
    return stage.call(limit=NEXT)


def _short(attempt: Attempt) -> str:
    return f"{attempt.type}: {attempt.message}"[:500] if attempt.kind in ("raised", "crash") else ""


def _enter_namespace() -> None:
    """Start this program again in a namespace in which it may mount file systems, if the system allows that."""
    unshare = shutil.which("unshare")
    flags = "-m" if os.geteuid() == 0 else "-rm"
    inner = f"mkdir -p {KERAS_REFUGE} && mount -t tmpfs none {KERAS_REFUGE}"
    if (
        unshare
        and subprocess.run([unshare, flags, "sh", "-c", inner], capture_output=True, check=False).returncode == 0
    ):
        again = [sys.executable, str(HERE / "run.py"), *sys.argv[1:]]
        command = f'{inner}; exec "$@"'
        os.execve(unshare, [unshare, flags, "sh", "-ec", command, "sh", *again], os.environ | {INSIDE: "1"})  # noqa: S606
    os.environ[INSIDE] = "none"


def _options() -> argparse.Namespace:
    parser = argparse.ArgumentParser(description="Drive idxhub and its peers through the fault matrix.")
    parser.add_argument("--data-dir", metavar="FOLDER", help="Fashion-MNIST's four .gz files (IDXHUB_TEST_DATA)")
    parser.add_argument("--mnist-dir", metavar="FOLDER", help="MNIST's two test files (IDXHUB_TEST_MNIST)")
    default = ",".join(name for name in LOADERS if name != "plain")
    parser.add_argument("--loaders", default=default, metavar="NAMES", help=f"some of {','.join(LOADERS)}")
    parser.add_argument("--only", default="", metavar="PATTERN", help='cases, such as "^8 " for row 8')
    parser.add_argument(
        "--peer-python", action="append", default=[], metavar="PEER=PYTHON", help="another interpreter for a loader"
    )
    parser.add_argument("--jobs", type=int, default=2, metavar="N", help="loaders at a time (2)")
    parser.add_argument(
        "--again", action="store_true", help="run nothing: write the page again from the outcomes in --json"
    )
    parser.add_argument("--remark", default="", metavar="TEXT", help="what a reader has to know of how it was made")
    parser.add_argument(
        "--json", metavar="FILE", help="write the outcome of each case; a part replaces that part of it"
    )
    parser.add_argument("--markdown", metavar="FILE", help="write the page of the documentation")
    return parser.parse_args()


def _folder(named: str | None, variable: str, default: str, files: tuple[str, ...]) -> Path | None:
    folder = Path(named or os.environ.get(variable) or SHARED / default).absolute()
    return folder if all((folder / name).is_file() for name in files) else None


if __name__ == "__main__":
    sys.exit(main())
