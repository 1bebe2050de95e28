"""The latest records of each row, from one run or several, and words for the machine and the versions."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

from idxhub_bench.report.model import Grid
from idxhub_bench.report.records import Run

Row = tuple[str, str]  # the setting of its run, and its name


@dataclass
class Latest:
    """By setting and row: the record of the row, the records that belong to it, and why others were not measured."""

    settings: list[str] = field(default_factory=list)
    rows: dict[Row, dict[str, Any]] = field(default_factory=dict)
    readings: dict[Row, list[dict[str, Any]]] = field(default_factory=dict)
    missing: dict[Row, str] = field(default_factory=dict)
    failures: dict[Row, str] = field(default_factory=dict)
    agreements: list[tuple[str, dict[str, Any]]] = field(default_factory=list)

    def name(self, row: Row, form: str = "{row} ({setting})") -> str:
        """The name of a row, with what tells its setting from those of the other runs, if there are any."""
        return form.format(row=row[1], setting=self._difference(row[0])) if len(self.settings) > 1 else row[1]

    def _difference(self, setting: str) -> str:
        """The last of the setting's parts that no other setting has, if each has such a part there; or all of it."""
        parts = [each.split(", ") for each in self.settings]
        if len({len(each) for each in parts}) == 1:
            columns: list[tuple[str, ...]] = list(zip(*parts, strict=True))
            for column in reversed(columns):
                if len(set(column)) == len(column):
                    return column[self.settings.index(setting)]
        return setting

    def gaps(self, form: str = "{row} ({setting})") -> list[str]:
        """Why rows were not measured."""
        return [f"{self.name(row, form)}: {why}" for row, why in (self.missing | self.failures).items()]


def latest(runs: Sequence[Run], setting_of: Callable[[Mapping[str, Any]], str]) -> Latest:
    """A later record of a row replaces an earlier one with the same setting."""
    found = Latest()
    for run in runs:
        setting = setting_of(run.head)
        if setting not in found.settings:
            found.settings.append(setting)
        for record in run.records:
            if record["kind"] == "agreement":
                found.agreements.append((setting, record | {"device": run.head["device"]}))
            else:
                _add(found, setting, record)
    return found


def _add(found: Latest, setting: str, record: dict[str, Any]) -> None:
    kind, row = record["kind"], (setting, record.get("row", ""))
    if kind == "row":
        found.rows[row], found.readings[row] = record, []
        found.missing.pop(row, None)
        found.failures.pop(row, None)
    elif kind in ("sample", "epoch"):
        found.readings[row].append(record)
    elif kind == "missing":
        found.missing[row] = record["why"]
    elif kind == "failure":
        found.failures[row] = f"failed: {record['why']}"


def hardware(machine: Mapping[str, Any]) -> str:
    """Processor, cores, memory, system."""
    memory = f", {machine['memory'] / 2**30:.0f} GiB" if machine["memory"] else ""
    return f"{machine['cpu']}, {machine['cores']} cores{memory}, {machine['system']}"


def thread_variables(machine: Mapping[str, Any]) -> str:
    """The variables that tell libraries how many threads to start."""
    return f"OMP_NUM_THREADS and the like {pairs(machine['thread variables'], '=') or 'not set'}"


def versions(rows: Iterable[tuple[str, Mapping[str, Any]]]) -> Grid:
    """A line for each row, from its name and its record."""
    lines = ((name, pairs(record["versions"], " "), pairs(record["threads"], " ")) for name, record in rows)
    return Grid(("row", "versions", "threads"), tuple(lines))


def pairs(values: Mapping[str, Any], between: str) -> str:
    """Names and their values."""
    return ", ".join(f"{name}{between}{value}" for name, value in values.items())
