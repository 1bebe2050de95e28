"""A run: the jobs whose results are missing, the longest first, through joblib, each result stored as it comes."""

from __future__ import annotations

import os
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, field
from typing import Any

import click
import joblib
from tqdm import tqdm

from idxhub_board.backends import ClusterError, backend
from idxhub_board.configurations import Configuration, Group, configurations, deep, today
from idxhub_board.fitting import Job
from idxhub_board.published import seconds_of
from idxhub_board.records import DONE, Record
from idxhub_board.store import Store
from idxhub_board.workers import run_job

FAST = 60.0  # seconds that a configuration of the tier `fast` may take
_ROUNDS = 3  # in which jobs are tried again whose worker died


@dataclass(frozen=True)
class Tier:
    """Which configurations are run, and on how many examples.

    Without `--only` these are those of the first of the `groups`; `--only` selects from all of them.
    """

    examples: int | None
    includes: Callable[[Configuration], bool] = lambda _: True
    groups: Sequence[Group] = (configurations, today, deep)


TIERS = {
    "smoke": Tier(1000),
    "fast": Tier(None, lambda each: seconds_of(each) < FAST),
    "full": Tier(None),
    "today": Tier(None, groups=(today, deep)),
    "deep": Tier(None, groups=(deep, today)),
}


@dataclass(frozen=True)
class Options:
    """How jobs are run: see the options of the command."""

    jobs: int | None = None
    timeout: float | None = None
    backend: str = "loky"
    address: str | None = None
    threads: int = 1
    again: bool = False


@dataclass
class Summary:
    """How many results a run has added, by status, how many the store already had, and why some were lost."""

    added: dict[str, int] = field(default_factory=dict)
    present: int = 0
    lost: list[str] = field(default_factory=list)


def longest_first(jobs: Sequence[Job]) -> list[Job]:
    """The jobs in the order in which they start, so that no long one is left for the end."""
    return sorted(jobs, key=lambda job: (-seconds_of(job.configuration), job.seed))


def run(jobs: Sequence[Job], store: Store, options: Options, *, progress: bool = True) -> Summary:
    """Run the jobs whose results the store does not have.

    A job whose worker dies is recorded as lost and tried again; if no job of a round has a result, the run ends. Raises
    the errors of `backend`, and `click.ClickException` if the store cannot be written.
    """
    left = [job for job in longest_first(jobs) if _is_missing(job, store, options)]
    summary = Summary(present=len(jobs) - len(left))
    if not left:
        return summary
    # the bar counts seconds that are expected, so that the time left is not that of the short jobs at the end
    form = "{desc} {percentage:3.0f}%|{bar}| {elapsed}, {remaining} left"
    total = sum(seconds_of(job.configuration) for job in left)
    with tqdm(total=total, desc=f"{len(left)} jobs", bar_format=form, disable=None if progress else True) as bar:
        for _ in range(_ROUNDS):
            before = len(left)
            try:
                with backend(options.backend, options.address, options.jobs):
                    store.check_writable()  # now, and not after an hour of work
                    left = _round(left, store, options, summary, bar)
            except (ClusterError, click.UsageError, OSError) as error:
                if not summary.lost:
                    raise
                summary.lost.append(str(error))
                break
            if not left or len(left) == before:
                break
    return summary


def _round(left: Sequence[Job], store: Store, options: Options, summary: Summary, bar: tqdm[Any]) -> list[Job]:
    """Run jobs until all have results or a worker dies; returns those that have none."""
    waiting = {job.key: job for job in left}
    started: dict[object, Job] = {}

    def tasks() -> Iterator[object]:
        for job in left:
            store.refresh()
            if not _is_missing(job, store, options):  # another run on this store was faster
                del waiting[job.key]
                summary.present += 1
                bar.update(seconds_of(job.configuration))
                continue
            started[job.key] = job
            yield joblib.delayed(run_job)(job.as_json(), options.timeout, options.threads, os.getpid())

    # without batches: else a result would be stored only after those of the jobs that follow it
    parallel = joblib.Parallel(return_as="generator_unordered", batch_size=1, pre_dispatch="n_jobs")
    try:
        for record in parallel(tasks()):
            job = _job_of(record, started)
            _add(record, store, options, summary)
            waiting.pop(job.key, None)
            bar.update(seconds_of(job.configuration))
    except click.ClickException:  # the store cannot be written; no worker is to blame
        raise
    except Exception as error:  # noqa: BLE001 -- each backend has its own errors for a worker that died
        why = f"{type(error).__name__}: {error}".splitlines()[0][:300]
        summary.lost.append(why)
        for key, job in started.items():
            if key in waiting:
                _add({**job.identity, "status": "lost", "error": why}, store, options, summary)
    return [job for job in left if job.key in waiting]


def _job_of(record: Record, started: dict[object, Job]) -> Job:
    """The job of a record; a worker may have other versions of packages, which are in the record."""
    configuration = Configuration.of(record["classifier"], record["parameters"])
    return next(job for job in started.values() if (job.configuration, job.seed) == (configuration, record["seed"]))


def _is_missing(job: Job, store: Store, options: Options) -> bool:
    known = store.get(job.key)
    return known is None or known["status"] == "lost" or (options.again and known["status"] != DONE)


def _add(record: Record, store: Store, options: Options, summary: Summary) -> None:
    if store.add(record, again=options.again):
        summary.added[record["status"]] = summary.added.get(record["status"], 0) + 1
