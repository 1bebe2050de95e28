"""Running checks. A check is a function that is called with a `Case`, and raises `Violation` if a promise is broken."""

from __future__ import annotations

import subprocess
import sys
import tempfile
import unittest
from collections.abc import Callable, Iterable, Sequence
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any, Literal

import numpy as np
from numpy.typing import NDArray

from idxhub._api import get_dataset
from idxhub.conformance.subject import Subject
from idxhub.conformance.synthetic import Synthetic, make
from idxhub.paths import KEEPS_OPEN_FILES
from idxhub.plugins.manager import Plugins, installed


class Violation(AssertionError):  # noqa: N818 -- it reports a broken promise, not an error of the check
    """An adapter does not keep a promise. The message says what was observed."""


class NotHere(unittest.SkipTest):
    """This machine cannot run a check. The message says why."""


@dataclass(frozen=True)
class Check:
    """A check: its `id`, the `promise` in one line, the capabilities that it `needs`, and the function to call."""

    id: str
    promise: str
    needs: frozenset[str]
    function: Callable[[Case], None]

    def __call__(self, case: Case) -> None:
        """Raise `Violation` if the promise is not kept, and `NotHere` if this machine cannot run the check."""
        self.function(case)


@dataclass(frozen=True)
class Case:
    """An adapter and the synthetic dataset, with methods that checks use."""

    subject: Subject
    truth: Synthetic
    cache_dir: Path
    plugins: Plugins

    @classmethod
    def create(cls, subject: Subject, folder: Path, plugins: Plugins | None = None) -> Case:
        """Create a case whose files and cache are in `folder`, after calling the subject's `start`."""
        if subject.start is not None:
            subject.start()
        return cls(subject, make(folder / "files"), folder / "cache", plugins or installed())

    def dataset(self, split: str | Sequence[str] = "train", **arguments: Any) -> Any:
        """Ask for the native dataset of a split."""
        return get_dataset(
            self.truth.spec,
            framework=self.subject.framework,
            split=split,
            download=False,
            plugins=self.plugins,
            **{"cache_dir": self.cache_dir, **self.subject.arguments, **arguments},
        )

    def read(self, native: Any, size: int = 32) -> tuple[NDArray[Any], NDArray[Any]]:
        """Read a whole native dataset, as two NumPy arrays."""
        return self.joined(self.subject.batches(native, size))

    def joined(self, batches: Iterable[tuple[Any, Any]]) -> tuple[NDArray[Any], NDArray[Any]]:
        """Concatenate native batches to two NumPy arrays."""
        # each batch is copied, because it may be a view of memory that the next batch reuses
        pairs = [(self.array(images).copy(), self.array(labels).copy()) for images, labels in batches]
        if not pairs:
            return np.empty((0,), np.uint8), np.empty((0,), np.int64)
        images, labels = zip(*pairs, strict=True)
        return np.concatenate(images), np.concatenate(labels)

    def array(self, native: Any) -> NDArray[Any]:
        """Convert a native array to NumPy."""
        return np.asarray(self.subject.to_numpy(native))

    def flat(self, images: NDArray[Any]) -> NDArray[Any]:
        """Reshape images to (N, 5, 7), whatever their layout."""
        shape = images.shape
        require(
            len(shape) in (3, 4) and images.size == len(images) * 35,
            f"images have shape {shape}, not 5x7 pixels each",
        )
        return images.reshape(len(images), 5, 7)

    def child(self, code: str, *arguments: str) -> str:
        """Run `code` in a new interpreter, with `arguments` in sys.argv[1:], and return what it prints."""
        done = subprocess.run(  # noqa: S603 -- this interpreter runs code of this package
            [sys.executable, "-c", code, *arguments], capture_output=True, text=True, check=False, timeout=300
        )
        require(done.returncode == 0, f"a fresh interpreter failed:\n{done.stderr[-2000:]}")
        return done.stdout


def require(condition: object, message: str) -> None:
    """Raise `Violation(message)` unless the condition holds."""
    if not condition:
        raise Violation(message)


@dataclass(frozen=True)
class Result:
    """The result of one check. `seen` says what was observed; it is empty if the check passed.

    `applies` is False if the subject does not declare a capability that the check needs.
    """

    id: str
    promise: str
    outcome: Literal["passed", "failed", "skipped"]
    seen: str = ""
    applies: bool = True


@dataclass(frozen=True)
class Report:
    """The results of all checks. The report is not `ok` if a check failed, or if fewer than `minimum` checks apply."""

    framework: str
    results: tuple[Result, ...]
    minimum: int = 0

    def count(self, outcome: str) -> int:
        """The number of checks with this outcome."""
        return sum(result.outcome == outcome for result in self.results)

    @property
    def ok(self) -> bool:
        """Whether no check failed, at least one passed, and at least as many apply as the subject declares."""
        return self.count("failed") == 0 and self.count("passed") > 0 and self.applied >= self.minimum

    @property
    def applied(self) -> int:
        """How many checks apply. A check that this machine cannot decide is one of them."""
        return sum(result.applies for result in self.results)

    def to_json(self) -> dict[str, Any]:
        """The report as data that can be written as JSON."""
        counts = {outcome: self.count(outcome) for outcome in ("passed", "failed", "skipped")}
        results = [asdict(result) for result in self.results]
        return {"framework": self.framework, "ok": self.ok, **counts, "minimum": self.minimum, "results": results}

    def __str__(self) -> str:
        lines = [f"{result.outcome:8}{result.id:28}{result.seen or result.promise}" for result in self.results]
        counts = ", ".join(f"{self.count(o)} {o}" for o in ("passed", "failed", "skipped"))
        if self.applied < self.minimum:
            counts += f"; AT LEAST {self.minimum} ARE DECLARED"
        return "\n".join([*lines, f"{self.framework}: {counts}"])


def run(subject: Subject, checks: Iterable[Check] | None = None, *, plugins: Plugins | None = None) -> Report:
    """Run checks (by default all of them) on an adapter, in a temporary folder.

    A check that raises any error counts as failed. A check that needs a capability which the subject does not declare
    counts as skipped. The subject's `minimum` is compared only if all checks are run.
    """
    from idxhub.conformance.checks import CHECKS  # noqa: PLC0415 -- the checks import this module

    # an adapter may keep its arrays, which are mapped from files in this folder
    with tempfile.TemporaryDirectory(prefix="idxhub-conformance-", ignore_cleanup_errors=KEEPS_OPEN_FILES) as folder:
        case = Case.create(subject, Path(folder), plugins)
        results = tuple(_result(check, case) for check in (CHECKS if checks is None else checks))
    return Report(subject.framework, results, subject.minimum if checks is None else 0)


def _result(check: Check, case: Case) -> Result:
    missing = check.needs - case.subject.capabilities
    if missing:
        return Result(check.id, check.promise, "skipped", f"no capability: {', '.join(sorted(missing))}", False)
    try:
        check(case)
    except NotHere as reason:
        return Result(check.id, check.promise, "skipped", str(reason))
    except Violation as violation:
        return Result(check.id, check.promise, "failed", str(violation))
    except Exception as error:  # noqa: BLE001 -- whatever an adapter raises, the check has failed
        return Result(check.id, check.promise, "failed", f"{type(error).__name__}: {error}")
    return Result(check.id, check.promise, "passed")
