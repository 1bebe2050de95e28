"""The sections of a report that come from `idxhub bench load`."""

from __future__ import annotations

import statistics
from collections.abc import Iterator, Sequence
from typing import Any

from idxhub_bench.load.goals import GOALS, Goal, Key
from idxhub_bench.load.jobs import FIGURES, RATE
from idxhub_bench.load.rows import BY_NAME, FLOOR, ROWS
from idxhub_bench.report import setting
from idxhub_bench.report.model import Bars, Grid, Line, Marked, Section, amount, ratio
from idxhub_bench.report.summary import Cell, Summary

_TITLES = {
    "rate": "Images per second",
    "cpu": "Processor time",
    "warm": "Opening, warm",
    "warm, later": "Opening, warm, later",
    "first batch": "First batch",
    "cold": "Opening, cold",
    "cold, no fsync": "Opening, cold, without fsync",
    "pss": "Memory of workers",
    "peak": "Memory of an epoch",
    "opened": "Memory when open",
    "opening": "Memory while opening",
    "build": "Encoding pictures",
    "import": "Import",
}
_FIRST = list(_TITLES)
_ORDER = {row.name: place for place, row in enumerate(ROWS)}
METHOD = Marked("""\
Every measurement of loading is a process of its own, and all of them run once a round, in a new random order each \
round ({rounds}; seed {seed}), so that what else the machine did falls on all alike; rows that were appended to the \
records later ran in rounds of their own. What one process can tell comes from one: a row's epochs in all dtypes and \
batch sizes, in a random order; the first opening, the first batch and a later opening; the memory of an opening and \
of the epoch after it. A bar is the median, the line across it reaches from the first to the third quartile. A first \
round is not counted: it brings files and bytecode into memory. Clocks start after the framework has been imported, \
except for the figure of the import itself, which is the whole process, and for torch in the row with_format, which \
imports it when it makes its first batch. torch works on one thread in all of its rows, as in a DataLoader's worker; \
the others as many as they like. Within its process an epoch is preceded by a pass that is not counted, which compiles \
what is compiled when first used (of its first batches alone, where an epoch takes long and nothing is compiled for a \
shape). Each batch is read to the last byte by the same NumPy code, within the time and for all rows alike, after \
waiting for whatever device made it. What was read is then compared with the files, decoded apart: every image must be \
there once, with its own label, in the dtype asked for, as pixel/255 if that is float32, in batches of the size asked \
for with a short one at the end, in an order that is shuffled over the whole set and is not that of the pass before. \
float32 images are known by a weighted sum of their pixels, within 2e-5 of it: a pixel that is wrong by one of 255 \
levels may pass there, and does not in uint8. A row that fails this is an error, however fast. A row that would take \
seconds for an epoch is measured over its first images, in whole batches: the column says how many, and its order is \
drawn over the whole set all the same. "load_dataset Parquet" begins with a Parquet file of PNG pictures instead of \
the .gz files. The PNG files of idxhub are not compressed, PIL's are. Processor time counts all threads and worker \
processes. A ratio is ours / theirs: for times and memory less is better, for images/s more. A verdict is that of the \
medians; "within the spread" means that quartiles of ours against quartiles of theirs come out on both sides of the \
goal. The floor is the row "NumPy X[permutation]": NumPy's own gather from arrays in memory, with no loader. Warm \
means from what a reader keeps from one run to the next; Keras, Grain, Gluon and TensorDataset keep nothing, and Keras \
reads the test set too. Memory of several processes counts a page that n of them share 1/n in each, less what the same \
processes have over a small dataset; what was imported is kept from Python's collector there, which would write into \
those pages in one worker sooner and in another later. Rows whose framework keeps pools of memory from which this \
cannot be told are left out there, and in the other figures of memory theirs contain what the framework sets up when \
it is first used.""")


_LARGE = Marked("""\
Two more goals, opening and images/s at 100 times the data, take a dataset made for them: `tests/benchmarks/large.py`, \
with its figures and verdicts on the page "Larger than Fashion-MNIST".""")


def figures(summary: Summary, goals: Sequence[Goal] = GOALS) -> Iterator[Section]:
    """Goals, then a section for each figure."""
    table = Grid(
        ("what", "idxhub", "peer", "ratio", "goal", "verdict"),
        tuple(_against(summary, goal) for goal in goals),
        numbers=(1, 2, 3, 4),
    )
    yield Section("Goals", _not_quiet(summary), (table,), (*_missed(summary, goals), *_fsync(summary), _LARGE))
    for figure in sorted(FIGURES, key=_FIRST.index):
        unit, words = FIGURES[figure]
        tables = tuple(_bars(summary, figure, unit, words))
        if tables:
            yield Section(_TITLES[figure], "", tables)


def background(summary: Summary) -> Iterator[Section]:
    """How the figures of loading came about, on what, and what is not among them."""
    yield Section("Method", METHOD.filled(seed=summary.runs[-1]["seed"], rounds=_repeats(summary)))
    yield _machine(summary)
    if summary.missing or summary.failures:
        yield Section("Not measured", "", (), tuple(_gaps(summary)))


def short(summary: Summary) -> Grid:
    """The README's table."""
    rows = []
    for goal in GOALS:
        found = summary.ratio(goal.ours, goal.theirs)
        if goal.short and found is not None:
            unit = FIGURES[goal.ours.figure][0]
            ours, theirs = summary.value(goal.ours), summary.value(goal.theirs)
            rows.append((Marked(goal.short), amount(ours or 0, unit), amount(theirs or 0, unit), ratio(found)))
    return Grid(("", "idxhub", "peer", "ratio"), tuple(rows), numbers=(1, 2, 3))


def _against(summary: Summary, goal: Goal) -> tuple[str, ...]:
    """The goal's line."""
    unit = FIGURES[goal.ours.figure][0]
    medians = [_median(summary, key, unit) for key in (goal.ours, goal.theirs)]
    found = summary.ratio(goal.ours, goal.theirs)
    return Marked(goal.title), *medians, ratio(found), goal.text, _verdict(summary, goal)


def _verdict(summary: Summary, goal: Goal) -> str:
    wrong = (each for each in summary.failures if each["cheat"] and _concerns(each, goal.ours, goal.theirs))
    if any(wrong):
        return "ERROR: not the same data"
    return goal.verdict(summary.ratio(goal.ours, goal.theirs), summary.spread(goal.ours, goal.theirs))


def _missed(summary: Summary, goals: Sequence[Goal]) -> Iterator[str]:
    """Why, where it is known."""
    for goal in goals:
        verdict = _verdict(summary, goal)
        if goal.why and verdict.startswith("missed"):
            yield Marked(f"**{goal.title}**: {verdict}. {goal.why}")


def _median(summary: Summary, key: Key | None, unit: str) -> str:
    value = summary.value(key)
    return "" if value is None else amount(value, unit)


def _concerns(failure: dict[str, Any], *keys: Key | None) -> bool:
    return any(key is not None and failure["row"] == key.row and key.figure in failure["figures"] for key in keys)


def _bars(summary: Summary, figure: str, unit: str, words: str) -> Iterator[Bars]:
    """A table for each setting."""
    found = [key for key in summary.cells if key.figure == figure]
    if figure in ("rate", "cpu"):
        settings = sorted(
            {(key.workers, key.dtype, key.size) for key in found},
            key=lambda s: (s[0] or 0, -ord((s[1] or "x")[0]), s[2] or 0),
        )
        for workers, dtype, size in settings:  # the settings of one table
            keys = [key for key in found if (key.workers, key.dtype, key.size) == (workers, dtype, size)]
            chosen = (f"batch {size}", dtype or "", f"{workers} workers" if workers else "no workers")
            yield _table(summary, keys, f"{words}, {', '.join(chosen)}", unit, chosen)
    elif figure == "pss":
        for workers in sorted({key.workers or 0 for key in found}):
            keys = [key for key in found if (key.workers or 0) == workers]
            of_all = f"{words}, {workers} workers, the data being {amount(summary.payload, unit)}"
            yield _table(summary, keys, of_all, unit, (f"{workers} workers",))
    elif found:
        yield _table(summary, found, words, unit)


def _table(summary: Summary, keys: list[Key], caption: str, unit: str, chosen: tuple[str, ...] = ()) -> Bars:
    more = unit == RATE
    lines = [_line(summary, key) for key in sorted(keys, key=lambda key: _ORDER.get(key.row, -1))]
    lines.sort(key=lambda line: line.value, reverse=more)
    return Bars(caption, unit, more, tuple(lines), chosen)


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
        what = f"{setting.hardware(run['machine'])}, files on {run['machine']['file system']}"
        bullets.append(f"{what}; {asked}; {setting.thread_variables(run['machine'])}")
    bullets = list(dict.fromkeys(bullets))
    loads = list(_loads(summary))
    if loads:
        ranges = "; of what was appended, ".join(loads)
        bullets.append(f"load average of the last minute, at the ends of rounds: {ranges}")
    cached = [r["files in page cache"] for r in summary.rounds if r["files in page cache"] is not None]
    if cached:
        bullets.append(f"the four .gz files were in the page cache: {min(cached):.0%} at least, at the ends of rounds")
    rows = sorted(summary.rows.items(), key=lambda item: _ORDER.get(item[0], -1))
    return Section("Machine and versions", "", (setting.versions(rows),), tuple(bullets))


def _loads(summary: Summary) -> Iterator[str]:
    """The range of the first run's, and that of all that was appended."""
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
        setting = f"{failure['workers']} workers" if failure.get("workers") else ""
        yield f"{failure['row']} ({', '.join(failure['figures'])}{', ' * bool(setting)}{setting}): {failure['why']}"


def _fsync(summary: Summary) -> tuple[str, ...]:
    cold = summary.cells.get(Key("idxhub numpy", "cold"))
    seconds = [record["fsync"] for record in cold.records if "fsync" in record] if cold else []
    if not seconds:
        return ()
    spent = statistics.median(seconds)
    waits = f"A cold open waits {amount(spent, 's')} in fsync, added up over threads that wait at the same time"
    return (f"{waits}; what it costs is the difference to the open without.",)


def _not_quiet(summary: Summary) -> str:
    """What a reader must know before the first number."""
    cores = summary.runs[-1]["machine"]["cores"]
    busy = [record["load"] for record in summary.rounds if (record["load"] or 0) > cores + 1]
    if not busy:
        return ""
    return (
        f"The machine was not quiet: its load average was up to {max(busy):.1f} on {cores} cores. "
        "Ratios say more here than numbers."
    )


def _repeats(summary: Summary) -> str:
    counts = sorted({len(cell.values) for cell in summary.cells.values()})
    return (
        f"{counts[0]} rounds" if len(counts) == 1 else f"{counts[0]} to {counts[-1]} rounds" if counts else "no round"
    )
