"""The section of a report that comes from `idxhub bench train`."""

from __future__ import annotations

import math
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

from idxhub_bench.report import setting
from idxhub_bench.report.model import Grid, Marked, Section, digits
from idxhub_bench.report.records import Run
from idxhub_bench.train.figures import waiting
from idxhub_bench.train.rows import ROWS

METHOD = Marked("""\
The ConvNet of Fashion-MNIST's own benchmark (two convolutions 5x5 with 32 and 64 filters, a layer of 1,024, dropout \
0.4) is trained by plain gradient descent: {asked}. Each framework starts from the same weights, with the same \
dropout, and takes the same batches from `get_loader`; the rows with torchvision have its usual idiom instead, \
`ToTensor` in a `DataLoader` with 0 and 2 workers, in an order of its own. A step is finished before the next batch is \
asked for, so that nothing hides behind anything: where a GPU could have worked meanwhile, the share of the time in \
which a step waits for data is an upper bound. Accuracy is that of the test set after an epoch, loss the mean of an \
epoch's steps.""")
_SHOWN = 4  # epochs in a cell, of those that there are


@dataclass
class Trained:
    """What came of a row, when last it was trained as `asked`."""

    asked: str
    name: str
    about: Mapping[str, Any]
    epochs: list[dict[str, Any]] = field(default_factory=list)


@dataclass
class Training:
    """What `idxhub bench train` wrote, in one run or in several, which may have been asked for different things."""

    machines: list[str] = field(default_factory=list)
    asked: list[str] = field(default_factory=list)
    rows: dict[tuple[str, str], Trained] = field(default_factory=dict)
    gaps: dict[tuple[str, str], str] = field(default_factory=dict)
    agreements: list[tuple[str, dict[str, Any]]] = field(default_factory=list)

    def name(self, row: str, asked: str) -> str:
        """With what was asked for, if that was not the same in all runs."""
        return f"{row} ({asked})" if len(self.asked) > 1 else row


def sections(runs: Sequence[Run]) -> Iterator[Section]:
    """None where nothing was trained."""
    if not runs:
        return
    found = gather(runs)
    trained = [row for row in found.rows.values() if row.epochs]
    tables = [_results(found, trained)] if trained else []
    if found.agreements:
        tables.append(_agreements(found))
    if trained:
        tables.append(setting.versions((found.name(row.name, row.asked), row.about) for row in trained))
    text = METHOD.filled(asked="; and ".join(found.asked))
    yield Section("Training", text, tuple(tables), tuple(_remarks(found, trained)))


def gather(runs: Sequence[Run]) -> Training:
    """The latest of each row."""
    made = Training()
    for run in runs:
        asked = _asked(run.head)
        if asked not in made.asked:
            made.asked.append(asked)
        on = f"{setting.hardware(run.head['machine'])}; {setting.thread_variables(run.head['machine'])}"
        load = "" if run.head["load"] is None else f"; load average before the run {run.head['load']:.1f}"
        made.machines.append(on + load)
        for record in run.records:
            _add(made, asked, record)
    return made


def _asked(head: Mapping[str, Any]) -> str:
    epochs = f"{head['epochs']} epoch{'s' * (head['epochs'] > 1)}"
    batches = f"in batches of {head['batch_size']} at a rate of {head['rate']:g}, seed {head['seed']}"
    return f"{head['examples']:,} images of {head['dataset']}, {epochs}, {batches}, on {head['device'] or 'the CPU'}"


def _add(made: Training, asked: str, record: dict[str, Any]) -> None:
    kind, key = record.get("kind"), (asked, record.get("row", ""))
    if kind == "row":
        made.rows[key] = Trained(asked, record["row"], record)
        made.gaps.pop(key, None)
    elif kind == "epoch":
        made.rows[key].epochs.append(record)
    elif kind == "missing":
        made.gaps[key] = record["why"]
    elif kind == "failure":
        made.gaps[key] = f"failed: {record['why']}"
    elif kind == "agreement":
        made.agreements.append((asked, record))


def _results(found: Training, trained: Sequence[Trained]) -> Grid:
    headings = ("row", "seconds, each epoch", "waits for data", "accuracy after each", "loss of each")
    return Grid(headings, tuple(_result(found, row) for row in trained), numbers=(1, 2, 3, 4))


def _result(found: Training, row: Trained) -> tuple[str, ...]:
    seconds = _each(
        f"{each['seconds']:.0f}" if each["seconds"] >= 100 else f"{each['seconds']:.3g}" for each in row.epochs
    )
    accuracies, losses = (_each(f"{each[what]:.4f}" for each in row.epochs) for what in ("accuracy", "loss"))
    return found.name(row.name, row.asked), seconds, f"{waiting(row.epochs):.2%}", accuracies, losses


def _each(values: Iterator[str]) -> str:
    """One after another; of many the first and the last ones."""
    found = list(values)
    if len(found) > _SHOWN:
        found[_SHOWN // 2 : -_SHOWN // 2] = ["…"]
    return ", ".join(found)


def _agreements(found: Training) -> Grid:
    rows = tuple(_agreement(found, asked, record) for asked, record in found.agreements)
    return Grid(("what", "relative difference", "goal", "verdict"), rows, numbers=(1, 2))


def _agreement(found: Training, asked: str, record: Mapping[str, Any]) -> tuple[str, ...]:
    first, other = record["between"]
    # each row is compared with the first one; records count steps from 0
    where = f"{other} is the furthest from {first}, at step {record['step'] + 1}"
    what = found.name(f"losses of the first {record['steps']} steps across frameworks", asked)
    return f"{what}: {where}", f"{record['worst']:.1e}", f"≤ {record['tolerance']:.0e}", _verdict(record)


def _verdict(record: Mapping[str, Any]) -> str:
    if record["holds"]:
        return "met"
    if math.isnan(record["worst"]):
        return "missed: a loss is no number"
    return f"missed: {digits(record['worst'] / record['tolerance'])} times as much"


def _remarks(found: Training, trained: Sequence[Trained]) -> Iterator[str]:
    if not found.agreements:
        yield "No losses were compared: that takes two frameworks that were trained in one run"
    for (asked, row), why in found.gaps.items():
        yield f"{found.name(row, asked)}: {why}"
    named = {row.name for row in trained} | {row for _, row in found.gaps}
    absent = [row.name for row in ROWS if row.name not in named]
    if absent:
        yield f"Not among the records: {'; '.join(absent)}"
    yield from dict.fromkeys(found.machines)
