"""The section of a report that comes from `idxhub bench train`."""

from __future__ import annotations

import math
from collections.abc import Iterable, Iterator, Mapping, Sequence
from typing import Any

from idxhub_bench.report.latest import Latest, hardware, latest, thread_variables, versions
from idxhub_bench.report.model import Grid, Marked, Section, digits, marked_text
from idxhub_bench.report.records import Run
from idxhub_bench.train import judge
from idxhub_bench.train.rows import ROWS

_SHOWN = 4  # how many epochs a cell shows
PUBLISHED = 0.916  # "2 Conv Layers with max pooling (Tensorflow)", in the table of zalandoresearch/fashion-mnist
LAST = 20  # epochs, whose mean is the accuracy at which a row stands


def sections(runs: Sequence[Run]) -> Iterator[Section]:
    """One section, or none if nothing was trained."""
    if not runs:
        return
    found = latest(runs, _asked)
    trained = {row: record for row, record in found.rows.items() if found.readings[row]}
    tables = [results(found)] if trained else []
    if found.agreements:
        headings = ("what", "relative difference", "goal", "verdict")
        rows = tuple(_agreement(found, setting, record) for setting, record in found.agreements)
        tables.append(Grid(headings, rows, numbers=(1, 2)))
    if trained:
        tables.append(versions((found.name(row), record) for row, record in trained.items()))
    bullets: list[str] = [reached for each in found.settings if (reached := _reached(found, each))]
    bullets += [] if found.agreements else ["No losses were compared: that takes two frameworks trained in one run"]
    bullets += found.gaps()
    named = {name for _, name in (*trained, *found.missing, *found.failures)}
    absent = [row.name for row in ROWS if row.name not in named]
    bullets += [f"Not among the records: {'; '.join(absent)}"] * bool(absent)
    bullets += dict.fromkeys(map(_machine, (run.head for run in runs)))
    text = marked_text("training").filled(asked="; and ".join(found.settings))
    yield Section("Training", text, tuple(tables), tuple(bullets))


def results(found: Latest) -> Grid:
    """The rows that were trained, with a value for each epoch."""
    headings = ("row", "seconds, each epoch", "waits for data", "accuracy after each", "loss of each")
    rows = (_result(found.name(row), epochs) for row, epochs in found.readings.items() if epochs)
    return Grid(headings, tuple(rows), numbers=(1, 2, 3, 4))


def _reached(found: Latest, setting: str) -> Marked | None:
    """When rows that were trained for long passed the published accuracy of this network, and where they stood."""
    said = []
    for (of, row), epochs in found.readings.items():
        accuracies = [epoch["accuracy"] for epoch in epochs]
        first = next((number for number, each in enumerate(accuracies, 1) if each >= PUBLISHED), None)
        if of == setting and len(accuracies) > LAST:
            passed = f"passed {PUBLISHED} after {first} epochs" if first else f"did not pass {PUBLISHED}"
            mean = sum(accuracies[-LAST:]) / LAST
            said.append(f"{row} {passed} and stood at {mean:.3f} over the last {LAST} of {len(accuracies)}")
    text = (
        "The table in Fashion-MNIST's repository gives this network {published} after more than 300 epochs. Here, with \
{setting}, {said}."
    )
    return Marked(text).filled(published=PUBLISHED, setting=setting, said="; ".join(said)) if said else None


def _result(name: str, epochs: Sequence[Mapping[str, Any]]) -> tuple[str, ...]:
    seconds = [epoch["seconds"] for epoch in epochs]
    waiting = sum(epoch["waiting"] for epoch in epochs) / sum(seconds)
    accuracies, losses = (_each(f"{epoch[what]:.4f}" for epoch in epochs) for what in ("accuracy", "loss"))
    shown = _each(f"{value:.0f}" if value >= 100 else f"{value:.3g}" for value in seconds)
    return name, shown, f"{waiting:.2%}", accuracies, losses


def _each(values: Iterable[str]) -> str:
    """All of the values, or if there are many the first and the last ones."""
    shown = list(values)
    if len(shown) > _SHOWN:
        shown[_SHOWN // 2 : -_SHOWN // 2] = ["…"]
    return ", ".join(shown)


def _asked(head: Mapping[str, Any]) -> str:
    epochs = f"{head['epochs']} epoch{'s' * (head['epochs'] > 1)}"
    batches = f"in batches of {head['batch_size']} at a rate of {head['rate']:g}, seed {head['seed']}"
    return f"{head['examples']:,} images of {head['dataset']}, {epochs}, {batches}, on {head['device'] or 'the CPU'}"


def _machine(head: Mapping[str, Any]) -> str:
    load = "" if head["load"] is None else f"; load average before the run {head['load']:.1f}"
    return f"{hardware(head['machine'])}; {thread_variables(head['machine'])}{load}"


def _agreement(found: Latest, setting: str, record: Mapping[str, Any]) -> tuple[str, ...]:
    first, other = record["between"]
    what = found.name((setting, f"losses of the first {record['steps']} steps across frameworks"))
    # each row is compared with the first one; records count steps from 0
    where = f"{other} is the furthest from {first}, at step {record['step'] + 1}"
    return f"{what}: {where}", f"{record['worst']:.1e}", f"≤ {judge.tolerance(record['device']):.0e}", _verdict(record)


def _verdict(record: Mapping[str, Any]) -> str:
    """By the tolerance of today, which earlier records may not have been judged by."""
    most = judge.tolerance(record["device"])
    if record["worst"] <= most:
        return "met"
    if math.isnan(record["worst"]):
        return "missed: a loss is no number"
    return f"missed: {digits(record['worst'] / most)} times as much"
