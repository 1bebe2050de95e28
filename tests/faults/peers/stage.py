"""Where a loader meets a fault: a server and a folder of its own, fresh processes with a time limit, and a judge."""

from __future__ import annotations

import contextlib
import hashlib
import json
import os
import shutil
import signal
import subprocess
import sys
import time
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any

from support.server import Answer, Server, ok

DRIVERS = Path(__file__).with_name("drivers.py")
IMAGES, LABELS = "t10k-images-idx3-ubyte.gz", "t10k-labels-idx1-ubyte.gz"
PARQUET = "test.parquet"
PREFIXES = ("", "/gluon/dataset/fashion-mnist")  # the second is MXNet's
GRACE = 15.0  # seconds for a call to end after Ctrl-C
VICTIM = b"somebody else's file\n"


@dataclass(frozen=True)
class Loader:
    """A loader by its name in drivers.py: the interpreter that has it, and its folder below a user's home."""

    name: str
    root: str
    python: str = sys.executable
    title: str = ""
    is_parquet: bool = False
    mirrors: bool = False  # takes more than one address
    finds_a_place: bool = True  # without being told a folder
    # where a file that somebody put there is taken for its own, and whether it lies there decompressed
    place: str = ""
    placed_raw: bool = False


LOADERS = {
    each.name: each
    for each in (
        Loader("idxhub", ".cache/idxhub", title="idxhub", mirrors=True, place=".keras/datasets/fashion-mnist"),
        Loader(
            "torchvision",
            "data",
            title="torchvision",
            mirrors=True,
            finds_a_place=False,
            place="data/FashionMNIST/raw",
            placed_raw=True,
        ),
        Loader("keras", ".keras", title="Keras", place=".keras/datasets/fashion-mnist"),
        Loader("datasets", "hf", title="HF datasets, by URL", is_parquet=True),
        Loader("pooch", ".cache/fashion", title="pooch", place=".cache/fashion"),
        Loader("mxnet", ".mxnet", title="MXNet Gluon", place=".mxnet"),
        Loader("plain", "files", title="ten lines", finds_a_place=False, place="files"),
    )
}


@dataclass(frozen=True)
class Truth:
    """The files as they are served, what the test split is, and files that are something else, by name."""

    files: Mapping[str, bytes]
    seen: Mapping[str, Any]
    others: Mapping[str, Mapping[str, bytes]]

    @property
    def digests(self) -> dict[str, dict[str, str]]:
        return {
            name: {"md5": hashlib.md5(body).hexdigest(), "sha1": hashlib.sha1(body).hexdigest()}  # noqa: S324 -- theirs
            for name, body in self.files.items()
            if name.endswith(".gz")
        }


@dataclass(frozen=True)
class Attempt:
    """What a process came to: "right", "wrong", "raised", "hang" or "crash".

    Of what it raised, the type and the words, and those of the exceptions that led to it.
    """

    kind: str
    type: str = ""
    message: str = ""
    seconds: float = 0.0
    memory: int = 0
    printed: str = ""
    chain: tuple[str, ...] = ()
    failed: int = 0  # of the process's answers


def worst(attempts: Iterable[Attempt]) -> Attempt:
    """Of several at once the one that is judged: wrong data before all else."""
    return min(attempts, key=lambda attempt: ("wrong", "crash", "hang", "raised", "right").index(attempt.kind))


@dataclass
class Stage:
    """One loader in one row."""

    loader: Loader
    truth: Truth
    server: Server
    home: Path
    limit: float
    environment: dict[str, str] = field(default_factory=dict)
    urls: list[str] = field(default_factory=list)
    _calls: int = 0

    @property
    def root(self) -> Path:
        return self.home / self.loader.root

    @property
    def target(self) -> str:
        """The file that the faults are done to."""
        return PARQUET if self.loader.is_parquet else IMAGES

    def serve(self, *answers: Answer, server: Server | None = None) -> None:
        """Serve the right files, but give these answers for the target."""
        for name, body in self.truth.files.items():
            # as servers of files do: without it a loader cannot know that a file has changed
            etag = f'"{hashlib.sha256(body).hexdigest()[:16]}"'
            self.route(name, ok(body, etag=etag), server=server)
        if answers:
            self.route(self.target, *answers, server=server)

    def route(self, name: str, *answers: Answer, server: Server | None = None) -> None:
        """Give these answers for one file, under each path where loaders request it."""
        for prefix in PREFIXES:
            (server or self.server).route(f"{prefix}/{name}", *answers)

    def body(self) -> bytes:
        return self.truth.files[self.target]

    def call(self, *, prefix: tuple[str, ...] = (), limit: float | None = None, **options: Any) -> Attempt:
        """The loader's call, in a process of its own that is given its time and no more."""
        process, out = self.start(prefix=prefix, **options)
        return self.finish(process, out, limit)

    def start(self, *, prefix: tuple[str, ...] = (), **options: Any) -> tuple[subprocess.Popen[str], Path]:
        """Start a call; `finish` returns its result."""
        self._calls += 1
        out = self.home.parent / f"answer-{self._calls}"
        out.unlink(missing_ok=True)
        urls = self.urls or [self.server.url]
        told = {"urls": urls, "root": str(self.root), "out": str(out), "digests": self.truth.digests, **options}
        process = subprocess.Popen(
            [*prefix, self.loader.python, str(DRIVERS), self.loader.name, json.dumps(told)],
            env=self._environment(),
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            text=True,
            errors="replace",
            cwd=self.home.parent,
            start_new_session=True,
        )
        return process, out

    def finish(self, process: subprocess.Popen[str], out: Path, limit: float | None = None) -> Attempt:
        """Wait for a call, and judge it by the data that it returned."""
        began = time.monotonic()
        try:
            printed, _ = process.communicate(timeout=limit or self.limit)
        except subprocess.TimeoutExpired:
            seconds = time.monotonic() - began
            return Attempt("hang", seconds=seconds, printed=_interrupted(process))
        seconds = time.monotonic() - began
        if not out.exists():
            return Attempt("crash", f"exit status {process.returncode}", printed[-2000:], seconds, printed=printed)
        told = json.loads(out.read_text(encoding="utf-8"))
        about = {"seconds": seconds, "memory": told["memory"], "printed": printed}
        attempts = [self._attempt(answer, about) for answer in told["answers"]]
        return replace(worst(attempts), failed=sum(attempt.kind != "right" for attempt in attempts))

    def _attempt(self, answer: Mapping[str, Any], about: Mapping[str, Any]) -> Attempt:
        if "raised" in answer:
            message, *chain = map(self._shown, [answer["message"], *answer["chain"]])
            return Attempt("raised", answer["raised"], message, chain=tuple(chain), **about)
        return Attempt("right" if answer["seen"] == self.truth.seen else "wrong", **about)

    def _shown(self, words: str) -> str:
        """Without the names of this machine's folders, and in characters that can be written."""
        words = words.replace(str(self.home), "~").replace(str(self.home.parent), "…")
        return words.encode("utf-8", "backslashreplace").decode()

    def files(self) -> Iterator[Path]:
        """What the loader has put into its folder."""
        return (path for path in sorted(self.root.rglob("*")) if path.is_file() and not path.is_symlink())

    def _environment(self) -> dict[str, str]:
        kept = {name: os.environ[name] for name in ("PATH", "LANG", "PYTHONPATH") if name in os.environ}
        return kept | {
            "HOME": str(self.home),
            "TMPDIR": str(self.home.parent),
            "HF_HOME": str(self.home / "hf-home"),
            "MXNET_HOME": str(self.home / ".mxnet"),
            "KERAS_BACKEND": "numpy",  # has no part in loading, and starts soonest
            "HF_HUB_DISABLE_TELEMETRY": "1",
            "PYTHONDONTWRITEBYTECODE": "1",
            **self.environment,
        }


@contextlib.contextmanager
def staged(loader: Loader, truth: Truth, work: Path, limit: float) -> Iterator[Stage]:
    """A stage whose server serves everything as it should be; its folder is removed afterwards."""
    home = work / "home"
    shutil.rmtree(work, ignore_errors=True)
    home.mkdir(parents=True)
    with Server() as server:
        stage = Stage(loader, truth, server, home, limit)
        stage.serve()
        try:
            yield stage
        finally:
            shutil.rmtree(work, ignore_errors=True)


def _interrupted(process: subprocess.Popen[str]) -> str:
    """End a call that hangs as a user does, with Ctrl-C, and then with SIGKILL; returns what it printed."""
    with contextlib.suppress(ProcessLookupError):
        os.killpg(process.pid, signal.SIGINT)
    try:
        printed, _ = process.communicate(timeout=GRACE)
    except subprocess.TimeoutExpired:
        kill(process)
        printed, _ = process.communicate()
    return printed


def kill(process: subprocess.Popen[str]) -> None:
    """End a call and what it has started."""
    with contextlib.suppress(ProcessLookupError):
        os.killpg(process.pid, signal.SIGKILL)
