"""The processes that a run starts, each of which measures one thing."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from typing import Any, NamedTuple

from idxhub_bench.load.rows import FLOOR, Row

SECONDS, BYTES, RATE = "s", "B", "images/s"


class Figure(NamedTuple):
    """What a report says of a figure: the unit of its records, the title of its section, the caption of its table."""

    unit: str
    title: str
    caption: str


# in the order of a report
FIGURES = {
    "rate": Figure(RATE, "Images per second", "a shuffled epoch"),
    "rate, in order": Figure(RATE, "Images per second, not shuffled", "an epoch in the order of the files"),
    "cpu": Figure(SECONDS, "Processor time", "processor time for an epoch"),
    "warm": Figure(SECONDS, "Opening, warm", "from the call to ready, the first in a process"),
    "warm, later": Figure(SECONDS, "Opening, warm, later", "from the call to ready, a later one"),
    "first batch": Figure(SECONDS, "First batch", "from the call to the first batch"),
    "cold": Figure(SECONDS, "Opening, cold", "from the .gz files to ready, train and test"),
    "cold, no fsync": Figure(SECONDS, "Opening, cold, without fsync", "the same, without our fsync"),
    "pss": Figure(BYTES, "Memory of workers", "memory of all processes that serve an epoch"),
    "peak": Figure(BYTES, "Memory of an epoch", "memory that opening and an epoch add, at its highest"),
    "opened": Figure(BYTES, "Memory when open", "memory that opening adds, afterwards"),
    "opening": Figure(BYTES, "Memory while opening", "memory that opening adds, at its highest"),
    "build": Figure(RATE, "Encoding pictures", "encoding pictures"),
    "import": Figure(SECONDS, "Import", "a process that imports it"),
}
OPENINGS = ("warm", "warm, later", "opened", "opening")
# the figures that each measure of `child` gives
_FIGURES_OF = {
    "import": ("import",),
    "cold": ("cold",),
    "warm": ("warm", "warm, later", "first batch"),
    "epochs": ("rate", "cpu"),
    "together": ("opened", "opening", "peak", "pss"),
    "build": ("build",),
}
BATCH = 128  # for measures that have one batch size
_PICTURES = 3_000  # how many the PIL loop encodes
# the interpreter with NumPy, which every import includes
BARE = Row("python", "", ("numpy",), (), "pass", ours=False, reads=False)


@dataclass(frozen=True)
class Job:
    """One process: a measure of `child` and its arguments."""

    row: Row
    measure: str
    arguments: dict[str, Any] = field(default_factory=dict)

    @property
    def figures(self) -> tuple[str, ...]:
        """The figures in its answer."""
        if not self.arguments.get("fsync", True):
            return ("cold, no fsync",)
        if self.measure == "together" and self.arguments["workers"]:
            return ("pss",)
        return (*_FIGURES_OF[self.measure], *(("rate, in order",) if self.arguments.get("in_order") else ()))

    @property
    def name(self) -> str:
        """The name in messages."""
        arguments = [str(v) for k, v in self.arguments.items() if k in ("workers", "fsync")]
        return ", ".join([self.row.name, self.measure, *arguments])


def jobs(rows: Sequence[Row], figures: Sequence[str], sizes: Sequence[int]) -> list[Job]:
    """The processes that give one of `figures` for one of `rows`, with epochs in batches of each of `sizes`."""
    found = [job for row in rows for job in _of_row(row, list(sizes))]
    if any(row.name == FLOOR for row in rows):
        found.append(Job(BARE, "import"))
    return [job for job in found if set(job.figures) & set(figures)]


def _of_row(row: Row, sizes: list[int]) -> Iterator[Job]:
    first = row.dtypes[0]
    if row.opens:  # other rows import the same as one of these
        yield Job(row, "import")
        yield Job(row, "cold")
        if row.name == "idxhub numpy":
            yield Job(row, "cold", {"fsync": False})
    for workers in () if row.only_rates else row.memory_workers if row.opens else (0,):
        limit, compared = None if workers else row.limit, row.small and row.opens
        arguments = {"dtype": first, "size": BATCH, "limit": limit, "workers": workers, "compared": compared}
        if compared or not workers:
            yield Job(row, "together", arguments)
    if not row.only_rates:
        yield Job(row, "warm", {"dtype": first, "size": BATCH})
    for workers in row.workers if row.reads else ():
        # workers are started anew for each epoch: in a part of an epoch their start would count too much
        limit, chosen = (None, [BATCH]) if workers else (row.limit, [BATCH] if row.one_size else sizes)
        arguments = {"dtypes": list(row.dtypes), "sizes": chosen, "limit": limit, "workers": workers}
        yield Job(row, "epochs", arguments | ({"in_order": True} if row.in_order else {}))
    if row.reader in ("huggingface:Png", "huggingface:Parquet"):
        yield Job(row, "build", {"limit": _PICTURES})
