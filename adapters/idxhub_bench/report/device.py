"""The section of a report that comes from `idxhub bench device`."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

from idxhub_bench.device.figures import rates
from idxhub_bench.report import setting
from idxhub_bench.report.model import Grid, Marked, Section, code, digits, number, ratio
from idxhub_bench.report.records import Run

_METHOD = Marked("""\
`get_loader(device=...)` keeps the data on the device and gathers each batch there; beside it the ordinary loader, \
whose batches are put on the device one by one: {asked}. The share of a plain copy's speed is of the copy below, on \
the same device, and counts the bytes that must be moved at the least: an image is read as stored and written as \
asked for. All batches of a pass were first compared with the ordinary ones, bit for bit.""")
_HOW = Marked("""\
Where there is a GPU, `idxhub bench device device.jsonl --device cuda` measures it, and `idxhub bench report` takes \
that file beside the others.""")


@dataclass
class Measured:
    """What `idxhub bench device` wrote, in one run or in several, by device and framework."""

    machines: list[str] = field(default_factory=list)
    asked: list[Marked] = field(default_factory=list)
    devices: list[str] = field(default_factory=list)
    rows: dict[tuple[str, str], dict[str, Any]] = field(default_factory=dict)
    missing: dict[tuple[str, str], str] = field(default_factory=dict)
    failures: dict[tuple[str, str], str] = field(default_factory=dict)

    def name(self, row: str, device: str) -> str:
        """With the device, if there were several."""
        return f"{row}, {device}" if len(set(self.devices)) > 1 else row


def sections(runs: Sequence[Run]) -> Iterator[Section]:
    """One, whether it was measured or not."""
    found = gather(runs)
    speeds = _rates(found)
    if not speeds.rows:
        yield Section(
            "On a device",
            Marked("Not measured: {why}. {how}").filled(why=_why_not(found), how=_HOW),
            (),
            tuple(_remarks(found)),
        )
        return
    text = _METHOD.filled(asked=Marked("; and ").joined(dict.fromkeys(found.asked)))
    if all(device.startswith("cpu") for device, _ in found.rows):
        text = Marked(f"{text} The device was the CPU itself, which shows that it works and no GPU's speed. {_HOW}")
    yield Section("On a device", text, (speeds, _copies(found)), tuple(_remarks(found)))


def gather(runs: Sequence[Run]) -> Measured:
    """The latest of each framework on each device."""
    made = Measured()
    for run in runs:
        device, passes = run.head["device"], run.head["repeats"]
        made.devices.append(device)
        asked = Marked("medians of {passes} passes over {dataset}, device {device}")
        made.asked.append(asked.filled(passes=passes, dataset=run.head["dataset"], device=code(device)))
        made.machines.append(setting.hardware(run.head["machine"]))
        for record in run.records:
            _add(made, device, record)
    return made


def _add(made: Measured, device: str, record: dict[str, Any]) -> None:
    kind, key = record.get("kind"), (device, record.get("row", ""))
    if kind == "row":
        made.rows[key] = record | {"readings": []}
        made.missing.pop(key, None)
        made.failures.pop(key, None)
    elif kind == "sample":
        made.rows[key]["readings"].append(record)
    elif kind == "missing":
        made.missing[key] = record["why"]
    elif kind == "failure":
        made.failures[key] = f"failed: {record['why']}"


def _why_not(found: Measured) -> Marked:
    if not found.devices:
        return Marked("no run of `idxhub bench device` is among the records, and it takes a machine with a GPU")
    if found.failures or found.rows or not found.missing:
        return Marked("the run failed, or was cut short")
    devices = Marked(" or ").joined(map(code, dict.fromkeys(found.devices)))
    return Marked("no framework found an accelerator, {devices}, on the machine").filled(devices=devices)


def _rates(found: Measured) -> Grid:
    unit = "thousand images/s"
    headings = ("row", "batch", f"on the device, {unit}", f"travelling, {unit}", "ratio", "of a plain copy's speed")
    rows = []
    for (device, framework), record in found.rows.items():
        for each in rates(record):
            speeds = (number(value, "images/s") for value in (each.resident, each.ordinary))
            name = found.name(f"{framework} {each.dtype}", device)
            rows.append((name, str(each.size), *speeds, ratio(each.ratio), f"{each.share:.1%}"))
    return Grid(headings, tuple(rows), numbers=(1, 2, 3, 4, 5))


def _copies(found: Measured) -> Grid:
    rows = tuple(
        (
            found.name(framework, device),
            record["device"],
            _speed(record["copy"]),
            setting.named(record["versions"], " "),
        )
        for (device, framework), record in found.rows.items()
    )
    return Grid(("framework", "device", "a plain copy", "versions"), rows, numbers=(2,))


def _speed(copy: Mapping[str, Any]) -> str:
    return f"{digits(copy['bandwidth'] / 1e9)} GB/s, of {copy['bytes'] / 2**20:,.0f} MiB"


def _remarks(found: Measured) -> Iterator[str]:
    for (device, framework), why in (found.missing | found.failures).items():
        yield f"{found.name(framework, device)}: {why}"
    yield from dict.fromkeys(found.machines)
