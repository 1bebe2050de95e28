"""Medians and quartiles of the records of `idxhub bench load`."""

from __future__ import annotations

import math
import statistics
from collections.abc import Iterable
from dataclasses import dataclass, field
from typing import Any

from idxhub_bench.load.goals import Key
from idxhub_bench.report.records import Run


@dataclass
class Cell:
    """All samples of one figure of one row under one setting."""

    values: list[float] = field(default_factory=list)
    records: list[dict[str, Any]] = field(default_factory=list)

    @property
    def median(self) -> float:
        """The median in the unit of the records."""
        return statistics.median(self.values)

    @property
    def quartiles(self) -> tuple[float, float]:
        """The first and the third."""
        if len(self.values) == 1:
            return self.values[0], self.values[0]
        low, _, high = statistics.quantiles(self.values, n=4, method="inclusive")
        return low, high


@dataclass
class Summary:
    """The records of one run of `idxhub bench load`, or of several."""

    runs: list[dict[str, Any]] = field(default_factory=list)
    rounds: list[dict[str, Any]] = field(default_factory=list)
    rows: dict[str, dict[str, Any]] = field(default_factory=dict)
    missing: dict[str, str] = field(default_factory=dict)
    failures: list[dict[str, Any]] = field(default_factory=list)
    cells: dict[Key, Cell] = field(default_factory=dict)

    @property
    def images(self) -> int:
        """The number of images in an epoch."""
        return int(self.runs[-1]["images"])

    @property
    def payload(self) -> int:
        """Bytes of the train set's images and labels."""
        return int(self.runs[-1]["payload"])

    def value(self, key: Key | None) -> float | None:
        """The median; for None the size of the data."""
        if key is None:
            return float(self.payload)
        found = self._cell(key)
        return None if found is None else found.median

    def ratio(self, ours: Key, theirs: Key | None) -> float | None:
        """Ours / theirs, from medians; None if one was not measured, or is a difference that is not positive.

        Beside the size of the data, a difference that is not positive counts as 0.
        """
        mine, other = self.value(ours), self.value(theirs)
        if mine is None or other is None:
            return None
        if theirs is None:
            return max(mine, 0.0) / other
        return mine / other if min(mine, other) > 0 else None

    def spread(self, ours: Key, theirs: Key | None) -> tuple[float, float] | None:
        """The smallest and the largest ratio of a quartile of ours to one of theirs; None if there is no ratio."""
        if self.ratio(ours, theirs) is None:
            return None
        (low, high), (least, most) = self._quartiles(ours), self._quartiles(theirs)
        return low / most, high / least if least > 0 else math.inf

    def _quartiles(self, key: Key | None) -> tuple[float, float]:
        found = None if key is None else self._cell(key)
        return (float(self.payload),) * 2 if found is None else found.quartiles

    def _cell(self, key: Key) -> Cell | None:
        return self.cells.get(key) or self._any_setting(key)

    def _any_setting(self, key: Key) -> Cell | None:
        """The cell of a figure that was measured under one setting only, which the key leaves open."""
        if key.dtype is not None:
            return None
        found = [cell for k, cell in self.cells.items() if (k.row, k.figure) == (key.row, key.figure)]
        return found[0] if len(found) == 1 else None


def summarise(loading: Iterable[Run]) -> Summary:
    """A summary of at least one run."""
    made = Summary()
    for run in loading:
        made.runs.append(run.head)
        for record in run.records:
            _sort(made, record)
    for row in made.rows:  # a later run has measured it
        made.missing.pop(row, None)
    return made


def _sort(made: Summary, record: dict[str, Any]) -> None:
    kind = record.get("kind")
    if kind == "round":
        made.rounds.append(record)
    elif kind == "row":
        made.rows[record["row"]] = record
    elif kind == "missing":
        made.missing[record["row"]] = record["why"]
    elif kind == "failure":
        made.failures.append(record)
    elif kind == "sample":
        _add(made, record)


def _add(made: Summary, record: dict[str, Any]) -> None:
    key = Key(*(record.get(name) for name in ("row", "figure", "dtype", "size", "workers")))  # type: ignore[arg-type]  # as written
    cell = made.cells.setdefault(key, Cell())
    # records have the processor time of an image, reports that of an epoch
    cell.values.append(record["value"] * (made.images if record["figure"] == "cpu" else 1))
    cell.records.append(record)
