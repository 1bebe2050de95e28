"""`idxhub bench load`."""

from __future__ import annotations

import json
import os
import re
import tempfile
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import click

from idxhub import Plugins
from idxhub_bench.load import jobs, machine, rows
from idxhub_bench.load.judge import FILES
from idxhub_bench.load.places import Place, fill
from idxhub_bench.load.runner import Runner
from idxhub_bench.processes import check_raw

FULL, SAMPLE = "fashion-mnist", "fashion-mnist-sample"


@click.command()
@click.argument("raw", type=click.Path(dir_okay=False, path_type=Path))
@click.option("--data-dir", type=click.Path(exists=True, file_okay=False, path_type=Path), help="The four .gz files.")
@click.option("--dataset", type=click.Choice([FULL, SAMPLE]), default=FULL, show_default=True)
@click.option(
    "--env", "environments", multiple=True, metavar="NAME=PYTHON", help="Another interpreter for a framework."
)
@click.option("--row", "named", multiple=True, metavar="TEXT", help="The rows with a word that begins so.")
@click.option("--figure", "figures", multiple=True, type=click.Choice(list(jobs.FIGURES)), help="Only this figure.")
@click.option(
    "--batch-size", "sizes", multiple=True, type=click.IntRange(min=1), default=(32, 128, 512), show_default=True
)
@click.option("--repeats", type=click.IntRange(min=1), default=7, show_default=True, help="Processes for each figure.")
@click.option("--seed", default=0, show_default=True, help="The seed of the shuffled order.")
@click.option("--append", is_flag=True, help="Add to RAW what is measured now.")
@click.pass_context
def load(
    ctx: click.Context, /, raw: Path, data_dir: Path | None, environments: Sequence[str], *, append: bool, **asked: Any
) -> None:
    """Measure how fast frameworks get their data; write it to RAW.

    Each measurement is a fresh process, in random order, over and over. RAW gets a JSON line for each as it comes, so
    that a run that is cut short keeps what it has. Whatever the interpreter has is measured; --env torch=PYTHON
    takes another interpreter for a framework. Exit status 1 if a reader read other data, or if one of
    idxhub's own failed.
    """
    pythons = dict(_named_python(each) for each in environments)
    chosen = _rows(asked["named"])
    folder = _data_dir(asked["dataset"], data_dir)
    check_raw(raw, append=append)
    wanted = jobs.jobs(chosen, asked["figures"] or tuple(jobs.FIGURES), asked["sizes"])
    problems = []

    with raw.open("a", encoding="utf-8") as file, tempfile.TemporaryDirectory() as work:

        def write(record: dict[str, Any]) -> None:
            file.write(json.dumps(record) + "\n")
            file.flush()
            if record["kind"] == "failure" and (record["cheat"] or rows.BY_NAME[record["row"]].ours):
                problems.append(record)

        place = _place(asked["dataset"], folder, Path(work))
        runner = Runner(place, pythons, write, lambda text: click.echo(text, err=True))
        truth = runner.truths["train"]
        write(
            {"kind": "run", "bench": "load", **{key: asked[key] for key in ("dataset", "repeats", "seed")}}
            | {"images": len(truth.labels), "payload": truth.payload, "processes": len(wanted)}
            | {"load": machine.load_average(), "machine": machine.machine(Path(work))}
        )
        runner.run(wanted, asked["repeats"], asked["seed"])
    for record in problems:
        click.secho(f"PROBLEM {record['row']}: {record['why']}", fg="red", err=True)
    if problems:
        ctx.exit(1)


def _rows(named: Sequence[str]) -> list[rows.Row]:
    chosen = [row for row in rows.ROWS if not named or any(_begins_a_word(text, row.name) for text in named)]
    if not chosen:
        raise click.UsageError(f"no row has a word that begins with {' or '.join(named)}: {', '.join(rows.BY_NAME)}")
    return chosen


def _begins_a_word(text: str, name: str) -> bool:
    return re.search(rf"\b{re.escape(text)}", name) is not None  # "ray" is not in "array"


def _named_python(text: str) -> tuple[str, str]:
    name, _, python = text.partition("=")
    known = sorted({environment for row in rows.ROWS for environment in row.environments})
    if name not in known:
        raise click.UsageError(f"--env {text!r}: NAME=PYTHON, with NAME one of {', '.join(known)}")
    if not os.access(python, os.X_OK):
        raise click.UsageError(f"--env {text!r}: {python!r} cannot be run")
    return name, os.path.abspath(python)


def _data_dir(dataset: str, named: Path | None) -> Path:
    """The folder named, IDXHUB_TEST_DATA, or the first of those that idxhub knows which has the four files."""
    spec = Plugins([]).dataset(dataset)
    named = named or (
        Path(os.environ["IDXHUB_TEST_DATA"]) if dataset == FULL and "IDXHUB_TEST_DATA" in os.environ else None
    )
    for folder in [named] if named else [Path(each).expanduser() for each in spec.folders]:
        if all((folder / name).is_file() for pair in FILES.values() for name in pair):
            return folder.absolute()
    raise click.UsageError(
        f"the four .gz files of {dataset} are needed: name their folder with --data-dir, or take --dataset {SAMPLE}"
    )


def _place(dataset: str, data_dir: Path, work: Path) -> Place:
    small = Place(SAMPLE, str(_data_dir(SAMPLE, None)), str(work / "small"))
    place = Place(dataset, str(data_dir), str(work / "whole"), small)
    for each in (small, place):
        Path(each.root).mkdir()
        fill(each)
    return place
