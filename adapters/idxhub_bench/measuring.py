"""What `idxhub bench load`, `train` and `device` share: options, the file of records, problems and the exit status."""

from __future__ import annotations

import contextlib
import json
import os
import tempfile
from collections.abc import Callable, Iterator, Mapping, Sequence
from pathlib import Path
from typing import IO, Any

import click

from idxhub import errors, load
from idxhub.cli.files import FOLDER
from idxhub_bench import machine, processes

FULL, SAMPLE = "fashion-mnist", "fashion-mnist-sample"


def measuring(environments: Sequence[str]) -> Callable[[Callable[..., Any]], Callable[..., Any]]:
    """The argument and the options of a command that measures; `environments` are the names that --env takes."""

    def parse(_ctx: click.Context, _option: click.Parameter, texts: tuple[str, ...]) -> dict[str, str]:
        return dict(_named_python(text, environments) for text in texts)

    added = (
        click.argument("raw", type=click.Path(dir_okay=False, path_type=Path)),
        click.option("--dataset", type=click.Choice([FULL, SAMPLE]), default=FULL, show_default=True),
        click.option(
            "--data-dir",
            type=FOLDER,
            help="The folder with the four .gz files.",
        ),
        click.option(
            "--env",
            "pythons",
            multiple=True,
            callback=parse,
            metavar="NAME=PYTHON",
            help="The interpreter for a framework, if it is not this one; may be given several times.",
        ),
        click.option("--append", is_flag=True, help="Add the new records to RAW."),
    )

    def decorate(command: Callable[..., Any]) -> Callable[..., Any]:
        for each in reversed(added):
            command = each(command)
        return command

    return decorate


def positive(*names: str, default: Any, help: str, **options: Any) -> Callable[..., Any]:  # noqa: A002 -- click's word
    """An option that takes integers from 1."""
    return click.option(*names, type=click.IntRange(min=1), default=default, show_default=True, help=help, **options)


class Recorder:
    """Appends records to a file as they come. `folder` is a temporary folder, `problems` make the exit status 1."""

    def __init__(self, file: IO[str], folder: Path) -> None:
        self._file, self.folder = file, folder
        self.problems: list[str] = []
        self.records: list[dict[str, Any]] = []

    def write(self, record: dict[str, Any]) -> None:
        """One line, which is in the file when this returns: a run that is cut short keeps what it has."""
        self._file.write(json.dumps(record) + "\n")
        self._file.flush()
        self.records.append(record)

    def write_run(self, bench: str, asked: Mapping[str, Any]) -> None:
        """The first record of a run: what was asked for, and the machine."""
        found = {"load": machine.load_average(), "machine": machine.machine(self.folder)}
        self.write({"kind": "run", "bench": bench, **asked, **found})

    def ask(self, row: str, python: str, module: str, question: Mapping[str, Any]) -> dict[str, Any] | None:
        """The answer of a process that measures a row; None, and a record, if it failed or cannot be measured here."""
        environment = processes.environment(self.folder, os.environ.get("PYTHONPATH", ""))
        try:
            answer: dict[str, Any] = processes.ask(python, module, question, environment)
        except processes.FailedError as error:
            self.write_failure(row, str(error))
            return None
        if "missing" in answer:
            self.write_missing(row, answer["missing"])
            return None
        return answer

    def write_missing(self, row: str, why: str) -> None:
        """A row that cannot be measured here."""
        self.write({"kind": "missing", "row": row, "why": why})
        self.say(f"{row}: not measured: {why}")

    def write_failure(self, row: str, why: str) -> None:
        """A row that failed, which is a problem."""
        self.write({"kind": "failure", "row": row, "why": why})
        self.problems.append(f"{row}: {why}")

    def say(self, text: str) -> None:
        """Tell the user how far the run is."""
        click.echo(text, err=True)


@contextlib.contextmanager
def recording(raw: Path, *, append: bool) -> Iterator[Recorder]:
    """A recorder for RAW; at the end its problems are printed. Raises `click.UsageError` if RAW may not be written."""
    if not raw.parent.is_dir():
        raise click.UsageError(f"there is no folder {raw.parent} for {raw.name}: make it first")
    if raw.exists() and raw.stat().st_size and not append:
        raise click.UsageError(f"{raw} has a run in it: name another file, or add to it with --append")
    with raw.open("a", encoding="utf-8") as file, tempfile.TemporaryDirectory() as folder:
        recorder = Recorder(file, Path(folder))
        yield recorder
    for problem in recorder.problems:
        click.secho(f"PROBLEM {problem}", fg="red", err=True)
    if recorder.problems:
        click.get_current_context().exit(1)


def fill_cache(asked: Mapping[str, Any], folder: Path) -> Path:
    """A cache in `folder` that has the dataset, filled without a network. Raises `click.UsageError`."""
    cache_dir = folder / "cache"
    try:
        load(asked["dataset"], "train+test", data_dir=asked["data_dir"], cache_dir=cache_dir, download=False)
    except errors.DownloadError as error:
        how = f"name the folder of the files with --data-dir, or take --dataset {SAMPLE}"
        raise click.UsageError(f"{error}\n{how}") from error
    return cache_dir


def _named_python(text: str, environments: Sequence[str]) -> tuple[str, str]:
    name, _, python = text.partition("=")
    python = os.path.expanduser(python)
    if name not in environments:
        raise click.UsageError(f"--env {text!r}: NAME=PYTHON, with NAME one of {', '.join(environments)}")
    if not os.access(python, os.X_OK):
        raise click.UsageError(f"--env {text!r}: {python!r} cannot be run")
    return name, os.path.abspath(python)
