"""`idxhub board run`."""

from __future__ import annotations

import math
from collections.abc import Sequence
from importlib.util import find_spec
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from idxhub import errors
from idxhub.cli.files import FOLDER
from idxhub.cli.output import print_json, print_text
from idxhub_board.configurations import Configuration, select
from idxhub_board.today import need_packages

if TYPE_CHECKING:
    from idxhub_board import runner

_LONGEST = 1e9  # seconds, 31 years
_POSITIVE = click.IntRange(min=1)
# the names of `runner.TIERS` and `backends.BACKENDS`, which are not imported for the help
TIERS = ("smoke", "fast", "full", "today", "deep")
BACKENDS = ("loky", "ray", "dask")


def _choice(names: Sequence[str]) -> dict[str, Any]:
    """What shows an option's choices in the help and to the shell. The error for another name gives the nearest one."""
    return {
        "metavar": f"[{'|'.join(names)}]",
        "shell_complete": lambda _ctx, _param, incomplete: [each for each in names if each.startswith(incomplete)],
    }


def _seconds(_ctx: click.Context, _param: click.Parameter, value: float | None) -> float | None:
    """A time that can be waited for; None, no limit, for more than the clock can count."""
    if value is not None and math.isnan(value):
        raise click.BadParameter("nan is no number of seconds")
    return None if value is None or value > _LONGEST else value


@click.command()
@click.argument("store", type=click.Path(path_type=Path))
@click.option("--dataset", default="fashion-mnist", show_default=True, help="A dataset of the catalog.")
@click.option(
    "--tier",
    default="smoke",
    show_default=True,
    **_choice(TIERS),
    help="smoke: 1,000 examples; fast: what takes under a minute; full: all 129; today: classifiers that came later; "
    "deep: networks.",
)
@click.option(
    "--only",
    multiple=True,
    metavar="PATTERN",
    help="A classifier, or a name with * in it, as 'SVC(*rbf*)'; may be given several times.",
)
@click.option("--repeats", type=_POSITIVE, default=5, show_default=True, help="Seeds of each configuration.")
@click.option("--jobs", type=_POSITIVE, help="Jobs at the same time.  [default: as many as there are cores]")
@click.option("--threads", type=_POSITIVE, default=1, show_default=True, help="Threads of each job.")
@click.option(
    "--timeout",
    type=click.FloatRange(min=0, min_open=True),
    callback=_seconds,
    help="Seconds after which a job is stopped.",
)
@click.option("--backend", default="loky", show_default=True, **_choice(BACKENDS), help="What runs the jobs.")
@click.option("--address", help="A running cluster of Ray or Dask.  [default: workers on this machine]")
@click.option("--accelerate", is_flag=True, help="Use scikit-learn-intelex; such results are kept apart.")
@click.option("--again", is_flag=True, help="Repeat jobs that failed or were stopped.")
@click.option("--list", "only_list", is_flag=True, help="Print the names of the configurations, and run nothing.")
@click.option("--data-dir", type=FOLDER, help="A folder to look in first.")
@click.option("--offline", is_flag=True, help="Download nothing.")
@click.option("--json", "as_json", is_flag=True, help="Print the result or the error as JSON.")
def run(
    *,
    store: Path,
    dataset: str,
    tier: str,
    only: tuple[str, ...],
    repeats: int,
    jobs: int | None,
    threads: int,
    timeout: float | None,
    backend: str,
    address: str | None,
    accelerate: bool,
    again: bool,
    only_list: bool,
    data_dir: Path | None,
    offline: bool,
    as_json: bool,
) -> None:
    """Fit classifiers, and append the results to STORE.

    STORE is a file of JSON lines, which is made if need be. Each result is written as soon as it is there. Run the same
    command again after an interruption: it runs what is missing. A classifier whose result does not depend on a seed
    runs once.
    """
    _need_packages(accelerate=accelerate)
    from idxhub_board import runner  # noqa: PLC0415 -- needs joblib
    from idxhub_board.fitting import Job  # noqa: PLC0415 -- beside the others
    from idxhub_board.matrices import DataReference, load_data  # noqa: PLC0415 -- as above
    from idxhub_board.store import Store  # noqa: PLC0415 -- as above

    if tier not in TIERS:
        raise errors.UnknownNameError("tier", tier, TIERS)
    if backend not in BACKENDS:
        raise errors.UnknownNameError("backend", backend, BACKENDS)
    chosen = _chosen(only, runner.TIERS[tier])
    if not chosen:
        raise click.UsageError(f"the tier {tier!r} leaves out all configurations that --only names: try --tier full")
    if only_list:
        _print_names(chosen, as_json=as_json)
        return
    need_packages(chosen)
    opened = Store(store)
    for problem in opened.problems:
        print_text(f"Warning: {store}: {problem}; it is left as it is", err=True)
    folder = None if data_dir is None else str(data_dir.absolute())
    examples = runner.TIERS[tier].examples
    data = load_data(dataset, examples, data_dir=folder, download=not offline)
    data.make_matrices(each.classifier for each in chosen)
    reference = DataReference(dataset, examples, data.digest, folder, not offline)
    wanted = [
        Job(each, seed, reference, backend, accelerate)
        for each in chosen
        for seed in range(repeats if each.is_seeded else 1)
    ]
    options = runner.Options(jobs, timeout, backend, address, threads, again)
    try:
        summary = runner.run(wanted, opened, options, progress=not as_json)
    except KeyboardInterrupt:
        print_text(f"interrupted; {store} has the results so far: run the same command again for the rest", err=True)
        raise
    _report(summary, store, as_json=as_json)


def _need_packages(*, accelerate: bool) -> None:
    wanted = {"sklearn": "scikit-learn", "joblib": "joblib"}
    if accelerate:
        wanted["sklearnex"] = "scikit-learn-intelex"
    missing = [package for module, package in wanted.items() if find_spec(module) is None]
    if missing:
        raise errors.MissingFrameworkError(
            f"`idxhub board` needs packages that are not installed: pip install {' '.join(missing)}"
        )


def _chosen(only: tuple[str, ...], tier: runner.Tier) -> list[Configuration]:
    named = [each for pattern in only for each in select(pattern, tier.groups)] if only else tier.groups[0]()
    return [each for each in dict.fromkeys(named) if tier.includes(each)]


def _print_names(chosen: list[Configuration], *, as_json: bool) -> None:
    names = [each.name for each in chosen]
    if as_json:
        print_json({"configurations": names})
    else:
        click.echo("\n".join(names))


def _report(summary: runner.Summary, store: Path, *, as_json: bool) -> None:
    """Print what a run did; the exit status is 1 if a job has no result."""
    bad = sum(count for status, count in summary.added.items() if status != "done")
    if as_json:
        said = {"store": str(store), "present": summary.present, "added": summary.added, "lost": summary.lost}
        print_json(said)
    else:
        words = [f"{count} {status}" for status, count in summary.added.items()]
        print_text(f"{store}: {', '.join(words) or 'nothing to do'}; {summary.present} already in the store")
        if summary.lost:
            why = "; then: ".join(summary.lost)
            print_text(f"jobs were lost: {why}; run the same command again for these", err=True)
    if bad:
        click.get_current_context().exit(1)
