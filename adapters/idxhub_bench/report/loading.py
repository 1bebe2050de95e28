"""The sections of a report that come from `idxhub bench load`."""

from __future__ import annotations

import itertools
import statistics
from collections.abc import Iterator, Sequence
from dataclasses import replace
from typing import Any

from idxhub_bench.load.goals import GOALS, Goal, Key
from idxhub_bench.load.jobs import FIGURES, RATE, Figure
from idxhub_bench.load.rows import BY_NAME, FLOOR, RAY, ROWS
from idxhub_bench.report.latest import hardware, thread_variables, versions
from idxhub_bench.report.model import Bars, Grid, Line, Marked, Section, amount, marked_paragraphs, marked_text, ratio
from idxhub_bench.report.summary import Cell, Summary

_ORDER = {row.name: place for place, row in enumerate(ROWS)}
# a row of each framework, and the loader that its users usually take; torchvision's transform gives float32
_USUAL = (
    ("idxhub numpy get_loader", FLOOR, "uint8"),
    ("idxhub torch DataLoader", "torchvision", "float32"),
    ("idxhub tensorflow tf.data", "keras, batch then map", "float32"),
    ("idxhub jax get_loader", "grain", "uint8"),
    ("idxhub huggingface array", "load_dataset Parquet", "uint8"),
    ("idxhub ray batch_size", RAY, "uint8"),
)
USUAL_BATCH = 128


def usual_loaders(summary: Summary) -> Iterator[tuple[Line, Line]]:
    """For each framework in which both were measured: a row of idxhub, and its users' usual loader.

    Images per second, in shuffled batches of 128, without worker processes. The names of the lines end with the dtype.
    """
    for ours, theirs, dtype in _USUAL:
        keys = [Key(row, "rate", dtype, USUAL_BATCH, 0) for row in (ours, theirs)]
        if all(key in summary.cells for key in keys):
            mine, other = (replace(_line(summary, key), name=f"{key.row}, {dtype}") for key in keys)
            yield replace(mine, peers=((theirs, mine.value / other.value),), floor=None), replace(other, floor=None)


def first_section(summary: Summary) -> Iterator[Section]:
    """What a page opens with: each framework beside its users' usual loader."""
    lines = tuple(itertools.chain.from_iterable(usual_loaders(summary)))
    if lines:
        caption = f"images per second, shuffled batches of {USUAL_BATCH}, no workers"
        yield Section("Beside the usual loaders", "", (Bars(caption, RATE, more_is_better=True, lines=lines),))


def figures(summary: Summary, goals: Sequence[Goal] = GOALS) -> Iterator[Section]:
    """Goals, then a section for each figure. Goals of rows of idxhub that were not to be measured are left out."""
    asked = [goal for goal in goals if _was_asked(summary, goal)]
    table = Grid(
        ("what", "idxhub", "peer", "ratio", "goal", "verdict"),
        tuple((Marked(goal.title), *_compared(summary, goal), goal.text, _verdict(summary, goal)) for goal in asked),
        numbers=(1, 2, 3, 4),
    )
    left_out = len(goals) - len(asked)
    others = (f"{left_out} of {len(goals)} goals are left out: they are about rows that were not measured.",)
    yield Section(
        "Goals",
        _not_quiet(summary),
        (table,) if asked else (),
        (*_missed(summary, asked), *(others if left_out else ()), *_fsync(summary), marked_text("large")),
    )
    for name, figure in FIGURES.items():
        tables = tuple(_bars(summary, name, figure))
        if tables:
            yield Section(figure.title, "", tables)


def background(summary: Summary) -> Iterator[Section]:
    """The method, the machine, and what was not measured."""
    first, *others = marked_paragraphs("loading")
    yield Section(
        "Method", first.filled(seed=summary.runs[-1]["seed"], rounds=_repeats(summary)), bullets=tuple(others)
    )
    yield _machine(summary)
    if summary.missing or summary.failures:
        yield Section("Not measured", "", (), tuple(_gaps(summary)))


def short(summary: Summary) -> Grid:
    """The README's table."""
    measured = (goal for goal in GOALS if goal.short and summary.ratio(goal.ours, goal.theirs) is not None)
    rows = tuple((Marked(goal.short), *_compared(summary, goal)) for goal in measured)
    return Grid(("", "idxhub", "peer", "ratio"), rows, numbers=(1, 2, 3))


def _compared(summary: Summary, goal: Goal) -> tuple[str, str, str]:
    """Both medians and their ratio."""
    unit = FIGURES[goal.ours.figure].unit
    medians = (summary.value(key) for key in (goal.ours, goal.theirs))
    ours, theirs = ("" if value is None else amount(value, unit) for value in medians)
    return ours, theirs, ratio(summary.ratio(goal.ours, goal.theirs))


def _was_asked(summary: Summary, goal: Goal) -> bool:
    """Whether idxhub's side of a goal was measured, or failed."""
    return summary.value(goal.ours) is not None or any(_concerns(each, goal.ours) for each in summary.failures)


def _verdict(summary: Summary, goal: Goal) -> str:
    wrong = (each for each in summary.failures if each["cheat"] and _concerns(each, goal.ours, goal.theirs))
    if any(wrong):
        return "ERROR: not the same data"
    return goal.verdict(summary.ratio(goal.ours, goal.theirs), summary.spread(goal.ours, goal.theirs))


def _missed(summary: Summary, goals: Sequence[Goal]) -> Iterator[str]:
    """The reasons that are known, for goals that are missed."""
    for goal in goals:
        verdict = _verdict(summary, goal)
        if goal.why and verdict.startswith("missed"):
            yield Marked(f"**{goal.title}**: {verdict}. {goal.why}")


def _concerns(failure: dict[str, Any], *keys: Key | None) -> bool:
    return any(key is not None and failure["row"] == key.row and key.figure in failure["figures"] for key in keys)


def _bars(summary: Summary, name: str, figure: Figure) -> Iterator[Bars]:
    """The tables of a figure, one for each setting in which it was measured."""
    keys = sorted(
        (key for key in summary.cells if key.figure == name),
        key=lambda key: (key.workers or 0, key.dtype == "float32", key.size or 0, _ORDER.get(key.row, -1)),
    )
    more = figure.unit == RATE
    for setting, members in itertools.groupby(keys, _setting):
        caption = ", ".join([figure.caption, *setting])
        if name == "pss":
            caption += f"; the data takes {amount(summary.payload, figure.unit)}"
        lines = sorted((_line(summary, key) for key in members), key=lambda line: line.value, reverse=more)
        yield Bars(caption, figure.unit, more, tuple(lines), setting)


def _setting(key: Key) -> tuple[str, ...]:
    """What a reader chooses a table by."""
    workers = f"{key.workers} workers" if key.workers else "no workers"
    if key.figure in ("rate", "rate, in order", "cpu"):
        return f"batch {key.size}", key.dtype or "", workers
    return (workers,) if key.figure == "pss" else ()


def _line(summary: Summary, key: Key) -> Line:
    cell, row = summary.cells[key], BY_NAME.get(key.row)
    low, high = cell.quartiles
    beside = {peer: Key(peer, key.figure, key.dtype, key.size, key.workers) for peer in (row.peers if row else ())}
    peers = ((peer, summary.ratio(key, theirs)) for peer, theirs in beside.items())
    floor = Key(FLOOR, key.figure, key.dtype, key.size, 0 if key.workers is not None else None)
    return Line(
        key.row,
        bool(row and row.ours),
        cell.median,
        low,
        high,
        len(cell.values),
        peers=tuple((peer, found) for peer, found in peers if found is not None),
        floor=summary.ratio(key, floor) if key.row != FLOOR and key.figure in ("rate", "cpu") else None,
        note=_note(cell, summary),
    )


def _note(cell: Cell, summary: Summary) -> str:
    counts = {record["images"] for record in cell.records if "images" in record}
    some = counts and max(counts) < summary.images
    return f"{max(counts):,} images" if some else ""


def _machine(summary: Summary) -> Section:
    bullets = []
    for run in summary.runs:
        asked = f"dataset {run['dataset']}, seed {run['seed']}"
        what = f"{hardware(run['machine'])}, files on {run['machine']['file system']}"
        bullets.append(f"{what}; {asked}; {thread_variables(run['machine'])}")
    bullets = list(dict.fromkeys(bullets))
    loads = list(_loads(summary))
    if loads:
        ranges = "; of what was appended, ".join(loads)
        bullets.append(f"load average of the last minute, at the ends of rounds: {ranges}")
    cached = [r["files in page cache"] for r in summary.rounds if r["files in page cache"] is not None]
    if cached:
        bullets.append(f"the four .gz files were in the page cache: {min(cached):.0%} at least, at the ends of rounds")
    rows = sorted(summary.rows.items(), key=lambda item: _ORDER.get(item[0], -1))
    return Section("Machine and versions", "", (versions(rows),), tuple(bullets))


def _loads(summary: Summary) -> Iterator[str]:
    """The range of the load average in the first run, and in the runs that were appended."""
    begins = [at for at, record in enumerate(summary.rounds) if record["round"] == 0]
    second = begins[1] if len(begins) > 1 else len(summary.rounds)
    for rounds in (summary.rounds[:second], summary.rounds[second:]):
        loads = [record["load"] for record in rounds if record["load"] is not None]
        if loads:
            yield f"{min(loads):.1f} to {max(loads):.1f}"


def _gaps(summary: Summary) -> Iterator[str]:
    for row, why in sorted(summary.missing.items()):
        yield f"{row}: {why}"
    for failure in summary.failures:
        setting = f", {failure['workers']} workers" if failure.get("workers") else ""
        yield f"{failure['row']} ({', '.join(failure['figures'])}{setting}): {failure['why']}"


def _fsync(summary: Summary) -> tuple[str, ...]:
    cold = summary.cells.get(Key("idxhub numpy", "cold"))
    seconds = [record["fsync"] for record in cold.records if "fsync" in record] if cold else []
    if not seconds:
        return ()
    spent = amount(statistics.median(seconds), "s")
    waits = f"A cold open waits {spent} in fsync, summed over threads that wait at the same time"
    return (f"{waits}; the cost of fsync is the difference to the open without it.",)


def _not_quiet(summary: Summary) -> str:
    """A warning that the load of the machine was high; empty if it was not."""
    cores = summary.runs[-1]["machine"]["cores"]
    busy = [record["load"] for record in summary.rounds if (record["load"] or 0) > cores + 1]
    if not busy:
        return ""
    return (
        f"The machine was not quiet: its load average was up to {max(busy):.1f} on {cores} cores. "
        "Here the ratios are more reliable than the numbers."
    )


def _repeats(summary: Summary) -> str:
    counts = sorted({len(cell.values) for cell in summary.cells.values()})
    if not counts:
        return "no round"
    return " to ".join(map(str, dict.fromkeys((counts[0], counts[-1])))) + (" round" if counts == [1] else " rounds")
