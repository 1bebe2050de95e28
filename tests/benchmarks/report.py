"""The outcome of a run in words: a table for the terminal, records for programs, a page for the documentation."""

from __future__ import annotations

import statistics
from collections.abc import Iterator
from dataclasses import dataclass, field
from typing import Any

from figures import BYTES, RATE, SECONDS, Figure, Row

COMMAND = "python tests/benchmarks/run.py --markdown docs/benchmarks.md"


@dataclass
class Outcome:
    """What came of a figure: samples, or the reason why there are none."""

    figure: Figure
    missing: str = ""
    failure: str = ""
    other_data: str = ""
    samples: list[dict[str, Any]] = field(default_factory=list)

    @property
    def is_sound(self) -> bool:
        return not (self.missing or self.failure or self.other_data)

    @property
    def median(self) -> float:
        return statistics.median(self.values)

    @property
    def quartiles(self) -> tuple[float, float]:
        if len(self.values) == 1:
            return self.values[0], self.values[0]
        low, _, high = statistics.quantiles(self.values, n=4, method="inclusive")
        return low, high

    @property
    def values(self) -> list[float]:
        return [sample["value"] for sample in self.samples]

    def text(self) -> str:
        """The median, and the interquartile range in brackets."""
        if self.other_data:
            return f"ERROR: {self.other_data}"
        if not self.is_sound:
            return f"not measured: {self.missing or self.failure}"
        low, high = self.quartiles
        return f"{_amount(self.median, self.figure.unit)} [{_spread(low, high, self.figure.unit)}]"


@dataclass
class Results:
    """A run of the program."""

    machine: dict[str, Any]
    settings: dict[str, Any]
    outcomes: dict[str, Outcome]
    rows: list[Row]

    def problems(self) -> list[str]:
        """What makes the run fail: other data anywhere, or a failure of idxhub's own."""
        return [
            f"{name}: {outcome.text()}"
            for name, outcome in self.outcomes.items()
            if outcome.other_data or (outcome.failure and "idxhub" in outcome.figure.needs)
        ]

    def text(self) -> str:
        """For a terminal."""
        lines = [*_machine(self.machine), _settings(self.settings), ""]
        lines += _aligned([_HEADINGS, *self._table()])
        lines += ["", "all figures: median [quartiles]"]
        lines += _aligned([(name, outcome.text()) for name, outcome in self.outcomes.items()])
        fsync = self._fsync()
        return "\n".join([*lines, *([fsync] if fsync else []), *(f"PROBLEM {each}" for each in self.problems())])

    def records(self) -> Iterator[dict[str, Any]]:
        """For programs: the machine, then each figure with its samples, then each row."""
        yield {"kind": "machine", **self.machine, **self.settings}
        for name, outcome in self.outcomes.items():
            record: dict[str, Any] = {"kind": "figure", "figure": name, "unit": outcome.figure.unit}
            if outcome.is_sound:
                low, high = outcome.quartiles
                record |= {"median": outcome.median, "quartiles": [low, high], "samples": outcome.samples}
            yield record | {"status": outcome.text()}
        for row, cells in zip(self._rows(), self._table(), strict=True):
            yield {"kind": "row", "title": row.title, "ratio": self._ratio(row), "goal": row.goal, "verdict": cells[-1]}

    def markdown(self) -> str:
        """For the documentation."""
        fsync = self._fsync()
        parts = [
            "# Benchmarks",
            (
                f"This page was written by `{COMMAND}`: to change it, change the program or run it again. "
                "A peer that has an interpreter of its own is named to it with `--peer-python keras=PYTHON`."
            ),
            "## Method",
            _METHOD.format(**self.settings),
            "## Machine",
            "\n".join(f"- {line}" for line in _machine(self.machine)),
            "## Beside the peers",
            "\n".join(_markdown_row(cells) for cells in [_HEADINGS, ("---",) * len(_HEADINGS), *self._table()]),
            *([fsync] if fsync else []),
            "## Every figure",
            "\n".join(
                _markdown_row(cells)
                for cells in [
                    ("figure", "median [quartiles]"),
                    ("---", "---"),
                    *((name, outcome.text()) for name, outcome in self.outcomes.items()),
                ]
            ),
        ]
        return "\n\n".join(parts) + "\n"

    def _rows(self) -> list[Row]:
        """Those of which our side was wanted."""
        return [
            row
            for row in self.rows
            if row.ours in self.outcomes and (not isinstance(row.theirs, str) or row.theirs in self.outcomes)
        ]

    def _table(self) -> list[tuple[str, ...]]:
        return [self._cells(row) for row in self._rows()]

    def _cells(self, row: Row) -> tuple[str, ...]:
        unit = self.outcomes[row.ours].figure.unit
        theirs = self.outcomes[row.theirs].text() if isinstance(row.theirs, str) else _amount(row.theirs, unit)
        ratio = self._ratio(row)
        goal = "" if row.goal is None else f"{'≥' if unit == RATE else '≤'} {row.goal:g}"
        return (
            row.title,
            self.outcomes[row.ours].text(),
            theirs,
            "" if ratio is None else f"{ratio:.3g}",
            goal,
            self._verdict(row, unit),
        )

    def _ratio(self, row: Row) -> float | None:
        ours = self.outcomes[row.ours]
        theirs = self.outcomes[row.theirs] if isinstance(row.theirs, str) else None
        if not ours.is_sound or (theirs and not theirs.is_sound):
            return None
        return ours.median / (theirs.median if theirs else float(row.theirs))

    def _verdict(self, row: Row, unit: str) -> str:
        if any(self.outcomes[name].other_data for name in (row.ours, row.theirs) if isinstance(name, str)):
            return "ERROR: not the same data"
        ratio = self._ratio(row)
        if ratio is None:
            return "not measured"
        met = row.is_met(ratio, unit)
        if row.goal is None or met is None:
            return "no goal"
        return "met" if met else f"missed by {abs(ratio / row.goal - 1):.0%}"

    def _fsync(self) -> str:
        cold = self.outcomes.get("cold")
        if cold is None or not cold.is_sound:
            return ""
        spent = statistics.median(sample["fsync"] for sample in cold.samples)
        return (
            f"A cold open waits {_amount(spent, SECONDS)} in fsync, added up over two threads that wait at the same "
            "time; what it costs is the difference to the open without."
        )


_HEADINGS = ("figure", "idxhub", "peer", "ratio", "goal", "verdict")
_METHOD = """\
Each figure is the median of {repeats} fresh processes, with the quartiles in brackets; the processes of all figures
run in a random order (seed {seed}), once a round, so that what else the machine did fell on all alike. A first round
is not counted: it brings files and bytecode into memory. Clocks start after the framework has been imported, except
for `import` itself, which is the whole process. "Warm" is the first `get_dataset` of a process from a filled cache,
every byte checked; "cold" reads train and test from the four .gz files into an empty cache, verifies, decodes and
publishes them, where Keras decodes without verifying. Memory is resident memory afterwards, or at its highest, less
that before. An epoch is the second of a plain `DataLoader(dataset, batch_size=128, shuffle=True)`, with the start of
its workers and one thread for torch itself; the floor gathers the same batches with NumPy and no loader.

In every row the images are counted and the sums of pixels and labels compared with those of the {dataset} files,
decoded apart; in an epoch the sums are taken of each batch within the time. A row that saw other data is an error.
A ratio is idxhub / peer: for times and memory less is better, for images/s more. Memory is meant to stay far below
the data, which is taken as a quarter of it."""


def _machine(machine: dict[str, Any]) -> list[str]:
    lines = [f"{machine['cpu']}, {machine['cores']} cores, {machine['system']}, files on {machine['file system']}"]
    if machine["load"] is not None:
        lines.append(f"load average at the end: {machine['load']:.1f}")
    for peer, versions in machine["versions"].items():
        lines.append(f"{peer}: " + ", ".join(f"{name} {version}" for name, version in versions.items()))
    return lines


def _settings(settings: dict[str, Any]) -> str:
    return ", ".join(f"{name} {value}" for name, value in settings.items())


def _amount(value: float, unit: str) -> str:
    return f"{_number(value, unit)} {_SCALES[unit][1]}"


def _spread(low: float, high: float, unit: str) -> str:
    return f"{_number(low, unit)}–{_number(high, unit)}"  # noqa: RUF001 -- an en dash between numbers


def _number(value: float, unit: str) -> str:
    scaled = value * _SCALES[unit][0]
    return f"{scaled:,.0f}" if scaled >= 100 else f"{scaled:.3g}"


_SCALES = {SECONDS: (1e3, "ms"), BYTES: (1e-6, "MB"), RATE: (1e-3, "thousand images/s")}


def _aligned(table: list[tuple[str, ...]]) -> list[str]:
    widths = [max(map(len, column)) for column in zip(*table, strict=True)]
    return ["  ".join(cell.ljust(width) for cell, width in zip(cells, widths, strict=True)).rstrip() for cells in table]


def _markdown_row(cells: tuple[str, ...]) -> str:
    return "| " + " | ".join(cell.replace("|", "\\|") for cell in cells) + " |"
