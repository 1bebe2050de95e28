"""The section of a report that comes from `idxhub bench device`."""

from __future__ import annotations

import statistics
from collections.abc import Iterator, Mapping, Sequence
from typing import Any

from idxhub_bench.device.goals import GOALS, Goal, Rates
from idxhub_bench.report.latest import Latest, hardware, latest, pairs
from idxhub_bench.report.model import Grid, Marked, Section, code, digits, marked_text, number, ratio
from idxhub_bench.report.records import Run

_UNIT = "thousand images/s"
_NAME = "{row}, {setting}"


def sections(runs: Sequence[Run]) -> Iterator[Section]:
    """One section, even if nothing was measured."""
    found = latest(runs, lambda head: str(head["device"]))
    how = marked_text("device_how")
    bullets = (*found.gaps(_NAME), *dict.fromkeys(hardware(run.head["machine"]) for run in runs))
    rates = tuple(line for row in found.rows for line in _rates(found, row))
    if not rates:
        text = Marked("Not measured: {why}. {how}").filled(why=_why_not(found), how=how)
        yield Section("On a device", text, (), bullets)
        return
    asked = Marked("medians of {passes} passes over {dataset}, device {device}")
    heads = [(run.head["repeats"], run.head["dataset"], code(run.head["device"])) for run in runs]
    all_asked = (asked.filled(passes=passes, dataset=data, device=name) for passes, data, name in dict.fromkeys(heads))
    text = marked_text("device").filled(asked=Marked("; and ").joined(all_asked))
    if all(device.startswith("cpu") for device, _ in found.rows):
        text = Marked(f"{text} The device was the CPU itself, which shows that it works and no GPU's speed. {how}")
    columns = ("row", "batch", f"on the device, {_UNIT}", f"copied to it, {_UNIT}", "ratio", "of a plain copy's speed")
    tables = [Grid(columns, rates, numbers=(1, 2, 3, 4, 5)), _copies(found)]
    by_hand = tuple(line for row in found.rows for line in _by_hand(found, row))
    if by_hand:
        one_call = f"a whole epoch in one call, {_UNIT}"
        grid = Grid(("row", "batch", f"by hand, {_UNIT}", "on the device / by hand", one_call), by_hand, (1, 2, 3, 4))
        tables.append(grid)
    judged = [(setting, goal) for setting in dict.fromkeys(_accelerators(found)) for goal in GOALS]
    if judged:
        lines = tuple(_judged(found, setting, goal) for setting, goal in judged)
        compared = ("what", "worst batch size", f"on the device, {_UNIT}", "by hand", "ratio", "goal", "verdict")
        tables.append(Grid(compared, lines, numbers=(1, 2, 3, 4)))
        bullets = (*_reasons(found, judged), *bullets)
    yield Section("On a device", text, tuple(tables), bullets)


def least_bytes(pixels: int, dtype: str) -> int:
    """The bytes that must be moved for an image: it is read as stored, and written in the dtype asked for."""
    return pixels * (1 + (4 if dtype == "float32" else 1))


def _rates(found: Latest, row: tuple[str, str]) -> Iterator[tuple[str, ...]]:
    """A line for each dtype and batch size that was measured in both ways, from medians."""
    record = found.rows[row]
    values: dict[tuple[str, int], dict[str, list[float]]] = {}
    for reading in found.readings[row]:
        setting = reading["dtype"], reading["size"]
        values.setdefault(setting, {}).setdefault(reading["way"], []).append(reading["value"])
    for (dtype, size), ways in values.items():
        if {"resident", "ordinary"} <= ways.keys():
            resident, ordinary = (statistics.median(ways[way]) for way in ("resident", "ordinary"))
            share = resident * least_bytes(record["pixels"], dtype) / record["copy"]["bandwidth"]
            name = found.name((row[0], f"{row[1]} {dtype}"), _NAME)
            rates = (number(rate, "images/s") for rate in (resident, ordinary))
            yield name, str(size), *rates, ratio(resident / ordinary), f"{share:.1%}"


def _by_hand(found: Latest, row: tuple[str, str]) -> Iterator[tuple[str, ...]]:
    """A line for each dtype and batch size in which the gather by hand was measured."""
    values = _medians(found, row[0])
    for framework, dtype, size, way in values:
        if framework == row[1] and way == "by hand":
            resident, by_hand, epoch = (
                values.get((framework, dtype, size, each)) for each in ("resident", "by hand", "whole epoch")
            )
            name = found.name((row[0], f"{row[1]} {dtype}"), _NAME)
            of_hand = ratio(resident / by_hand) if resident and by_hand else ""
            hand, whole = ("" if rate is None else number(rate, "images/s") for rate in (by_hand, epoch))
            yield name, str(size), hand, of_hand, whole


def _medians(found: Latest, setting: str) -> Rates:
    values: dict[tuple[str, str, int, str], list[float]] = {}
    for (of, framework), readings in found.readings.items():
        for reading in readings if of == setting else ():
            key = framework, reading["dtype"], reading["size"], reading["way"]
            values.setdefault(key, []).append(reading["value"])
    return {key: statistics.median(each) for key, each in values.items()}


def _judged(found: Latest, setting: str, goal: Goal) -> tuple[str, ...]:
    """A goal at the batch size at which it is furthest away."""
    worst = goal.worst(_medians(found, setting))
    title = found.name((setting, goal.title))
    if worst is None:
        return title, "", "", "", "", goal.text, "not measured"
    peer = number(worst.theirs, "images/s") if worst.theirs else ""
    of_peer = ratio(worst.ours / worst.theirs) if worst.theirs else ""
    return title, str(worst.size), number(worst.ours, "images/s"), peer, of_peer, goal.text, worst.verdict


def _reasons(found: Latest, judged: Sequence[tuple[str, Goal]]) -> Iterator[str]:
    """Why goals are missed, and what is known of those that were not measured; goals with one reason together."""
    verdicts: dict[str, list[str]] = {}
    for setting, goal in judged:
        worst = goal.worst(_medians(found, setting))
        why = goal.elsewhere if worst is None else goal.why if worst.share < 1 else ""
        if why:
            verdict = "not measured" if worst is None else worst.verdict
            verdicts.setdefault(why, []).append(f"**{found.name((setting, goal.title))}**: {verdict}")
    for why, said in verdicts.items():
        yield Marked(f"{'; '.join(said)}. {why}")


def _accelerators(found: Latest) -> Iterator[str]:
    """The settings of devices that are no CPU and were measured."""
    for (setting, _), readings in found.readings.items():
        if readings and not setting.startswith("cpu"):
            yield setting


def _why_not(found: Latest) -> Marked:
    if not found.settings:
        return Marked("no run of `idxhub bench device` is among the records, and it takes a machine with a GPU")
    if found.failures or found.rows or not found.missing:
        return Marked("the run failed, or was cut short")
    devices = Marked(" or ").joined(map(code, found.settings))
    return Marked("no framework found an accelerator, {devices}, on the machine").filled(devices=devices)


def _copies(found: Latest) -> Grid:
    rows = (
        (found.name(row, _NAME), record["device"], _speed(record["copy"]), pairs(record["versions"], " "))
        for row, record in found.rows.items()
    )
    return Grid(("framework", "device", "a plain copy", "versions"), tuple(rows), numbers=(2,))


def _speed(copy: Mapping[str, Any]) -> str:
    return f"{digits(copy['bandwidth'] / 1e9)} GB/s, of {copy['bytes'] / 2**20:,.0f} MiB"
