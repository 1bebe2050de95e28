"""`idxhub bench load`."""

from __future__ import annotations

import os
import re
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import click

from idxhub import Plugins
from idxhub_bench.load import jobs, rows
from idxhub_bench.load.judge import FILES
from idxhub_bench.load.places import Place, fill
from idxhub_bench.load.runner import Runner
from idxhub_bench.measuring import FULL, SAMPLE, measuring, positive, recording


@click.command()
@measuring(sorted({name for row in rows.ROWS for name in row.environments}))
@click.option(
    "--row",
    "named",
    multiple=True,
    metavar="TEXT",
    help="Only rows with a word that begins with TEXT; may be given several times.",
)
@click.option(
    "--figure",
    "figures",
    multiple=True,
    type=click.Choice(list(jobs.FIGURES)),
    help="Only this figure; may be given several times.",
)
@positive(
    "--batch-size",
    "sizes",
    multiple=True,
    default=(32, 128, 512),
    help="Images in a batch; may be given several times.",
)
@positive("--repeats", default=7, help="Processes for each figure.")
@click.option("--seed", default=0, show_default=True, help="Seed of the order in which the processes run.")
def load(raw: Path, data_dir: Path | None, pythons: Mapping[str, str], *, append: bool, **asked: Any) -> None:
    """Measure how fast each framework loads the data.

    The records are written to RAW, a file of JSON lines. Each line is written as soon as it is measured, so that an
    interrupted run keeps its records. Each measurement runs in a fresh process. All of them run once a round, in a new
    random order. Frameworks that are not installed are left out; --env torch=PYTHON measures a framework with another
    interpreter. The exit status is 1 if a loader returned wrong data, or if a row of idxhub failed.
    """
    chosen = _rows(asked["named"])
    data_dir = _data_dir(asked["dataset"], data_dir)
    wanted = jobs.jobs(chosen, asked["figures"] or tuple(jobs.FIGURES), asked["sizes"])
    with recording(raw, append=append) as recorder:
        runner = Runner(_place(asked["dataset"], data_dir, recorder.folder), pythons, recorder)
        truth = runner.truths["train"]
        counts = {"images": len(truth.labels), "payload": truth.payload, "processes": len(wanted)}
        recorder.write_run("load", {name: asked[name] for name in ("dataset", "repeats", "seed")} | counts)
        runner.run(wanted, asked["repeats"], asked["seed"])


def _rows(named: Sequence[str]) -> list[rows.Row]:
    def is_chosen(row: rows.Row) -> bool:
        # a word must begin with the text: "ray" does not choose "array"
        return not named or any(re.search(rf"\b{re.escape(text)}", row.name) for text in named)

    chosen = [row for row in rows.ROWS if is_chosen(row)]
    if not chosen:
        listed = "".join(f"\n  {name}" for name in rows.BY_NAME)  # names have commas
        raise click.UsageError(f"no row has a word that begins with {' or '.join(named)}. The rows are:{listed}")
    return chosen


def _data_dir(dataset: str, named: Path | None) -> Path:
    """The folder named, IDXHUB_TEST_DATA, or the first folder known to idxhub that has the four files."""
    if named is None and dataset == FULL and "IDXHUB_TEST_DATA" in os.environ:
        named = Path(os.environ["IDXHUB_TEST_DATA"])
    known = [Path(each).expanduser() for each in Plugins([]).dataset(dataset).folders]
    for folder in [named] if named else known:
        if all((folder / name).is_file() for pair in FILES.values() for name in pair):
            return folder.absolute()
    raise click.UsageError(
        f"the four .gz files of {dataset} are needed: name their folder with --data-dir, or take --dataset {SAMPLE}"
    )


def _place(dataset: str, data_dir: Path, folder: Path) -> Place:
    small = Place(SAMPLE, str(_data_dir(SAMPLE, None)), str(folder / "small"))
    place = Place(dataset, str(data_dir), str(folder / "whole"), small)
    for each in (small, place):
        fill(each)
    return place
