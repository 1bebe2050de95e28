"""The records of a file: which fields each kind of record has, checked once, when the file is read."""

from __future__ import annotations

import json
import reprlib
from collections.abc import Callable, Iterable, Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import click

from idxhub import errors
from idxhub.cli.output import print_text

BENCHES = ("load", "train", "device")


@dataclass(frozen=True)
class Type:
    """What a field may hold; `name` says it in an error."""

    name: str
    accepts: Callable[[Any], bool]


def _is_measurable(value: Any) -> bool:
    """Whether it is finite, and so far from the limits of float64 that products and ratios are finite too."""
    return type(value) in (int, float) and (value == 0 or 1e-15 <= abs(value) <= 1e15)  # a bool is no number here


def _is_count(value: Any) -> bool:
    return type(value) is int and 0 <= value <= 1e15


TEXT = Type("text", lambda value: isinstance(value, str))
TRUTH = Type("true or false", lambda value: isinstance(value, bool))
COUNT = Type("an integer from 0 to 1e15", _is_count)
INTEGER = Type("an integer", lambda value: type(value) is int)
NUMBER = Type("0, or a number whose size is from 1e-15 to 1e15", _is_measurable)
POSITIVE = Type("a number from 1e-15 to 1e15", lambda value: _is_measurable(value) and value > 0)
# training can diverge: its losses may be infinite, or NaN
LOSS = Type("a number", lambda value: isinstance(value, float) or _is_measurable(value))
TEXTS = Type("a list of text", lambda value: isinstance(value, list) and all(isinstance(each, str) for each in value))
PAIR = Type("a list of two texts", lambda value: TEXTS.accepts(value) and len(value) == 2)
LABELS = Type(
    "an object of text and counts",
    lambda value: isinstance(value, dict) and all(TEXT.accepts(each) or _is_count(each) for each in value.values()),
)


def nullable(kind: Type) -> Type:
    """The same, or null."""
    return Type(f"{kind.name}, or null", lambda value: value is None or kind.accepts(value))


def one_of(*words: str) -> Type:
    """One of these texts."""
    return Type(" or ".join(map(repr, words)), lambda value: isinstance(value, str) and value in words)


WAY = one_of("resident", "ordinary", "by hand", "whole epoch")
Fields = Mapping[str, "Type | Fields"]  # a name that ends in ? may be left out

_RUN: Fields = {
    "dataset": TEXT,
    "load": nullable(NUMBER),
    "machine": {"cpu": TEXT, "cores": COUNT, "memory": nullable(COUNT), "system": TEXT, "file system": TEXT}
    | {"thread variables": LABELS},
}
_MISSING: Fields = {"row": TEXT, "why": TEXT}
_ROW: Fields = {"row": TEXT, "versions": LABELS, "threads": LABELS}
# for each benchmark and kind the fields that the report reads; runs may have others too
KINDS: Mapping[str, Mapping[str, Fields]] = {
    "load": {
        "run": {**_RUN, "repeats": COUNT, "seed": INTEGER, "images": COUNT, "payload": COUNT},
        "round": {"round": COUNT, "load": nullable(NUMBER), "files in page cache": nullable(NUMBER)},
        "row": _ROW,
        "missing": _MISSING,
        "failure": {**_MISSING, "figures": TEXTS, "cheat": TRUTH, "workers?": nullable(COUNT)},
        "sample": {"row": TEXT, "figure": TEXT, "value": NUMBER, "images?": COUNT, "fsync?": NUMBER}
        | {"dtype?": nullable(TEXT), "size?": nullable(COUNT), "workers?": nullable(COUNT)},
    },
    "train": {
        "run": {**_RUN, "examples": COUNT, "epochs": COUNT, "batch_size": COUNT, "seed": INTEGER}
        | {"rate": LOSS, "device": nullable(TEXT)},
        "row": _ROW,
        "missing": _MISSING,
        "failure": _MISSING,
        "epoch": {"row": TEXT, "seconds": POSITIVE, "waiting": NUMBER, "loss": LOSS, "accuracy": NUMBER},
        "losses": {"row": TEXT},
        "agreement": {"between": PAIR, "steps": COUNT, "step": COUNT, "worst": LOSS}
        | {"tolerance": POSITIVE, "holds": TRUTH},
    },
    "device": {
        "run": {**_RUN, "device": TEXT, "repeats": COUNT},
        "row": {"row": TEXT, "device": TEXT, "pixels": COUNT, "versions": LABELS}
        | {"copy": {"bytes": COUNT, "seconds": POSITIVE, "bandwidth": POSITIVE}},
        "missing": _MISSING,
        "failure": _MISSING,
        "sample": {"row": TEXT, "way": WAY, "dtype": TEXT, "size": COUNT, "value": POSITIVE},
    },
}
# kinds that add to the record of their row, which comes before them in the same run
_AFTER_ROW = {("train", "epoch"), ("device", "sample")}


@dataclass(frozen=True)
class Run:
    """The records of one run, the first of which says what was asked for."""

    records: tuple[dict[str, Any], ...]

    @property
    def head(self) -> dict[str, Any]:
        """What was asked for, and the machine."""
        return self.records[0]

    @property
    def bench(self) -> str:
        """Which of BENCHES has written it; older files of `load` do not say so."""
        return str(self.head.get("bench", "load"))


def runs(records: Iterable[dict[str, Any]], name: str = "") -> list[Run]:
    """The runs of a file, in order. Raises `ArgumentError`, which names the file, if it holds something else."""
    found: list[list[dict[str, Any]]] = []
    for record in records:
        if record.get("kind") == "run":
            found.append([])
        if not found:  # a run comes first
            break
        found[-1].append(record)
    made = [Run(tuple(each)) for each in found]
    if not made or any(run.bench not in BENCHES for run in made):
        programs = " or ".join(f"`idxhub bench {bench}`" for bench in BENCHES)
        raise errors.ArgumentError("RAW", name, f"a file that {programs} has written")
    return made


def read(path: Path) -> Iterator[dict[str, Any]]:
    """The checked records of a JSON Lines file; raises `click.UsageError`, which names the line and the field.

    A last line that was cut off, which has no line feed, is left out with a warning on standard error.
    """
    *lines, last = path.read_bytes().split(b"\n")
    checker = _Checker()
    for number, line in enumerate([*lines, last] if last else lines, 1):
        where = f"{path.name}:{number}"
        try:
            record = _printable(json.loads(line.decode()))
            checker.check(record)
        except RecordError as error:
            raise click.UsageError(f"{where}: {error}") from None
        except RecursionError:
            raise click.UsageError(f"{where}: the JSON is nested too deeply") from None
        except ValueError as error:
            if number > len(lines) and isinstance(error, (json.JSONDecodeError, UnicodeDecodeError)):
                print_text(f"Warning: {where}: the last line is cut off and is left out", err=True)
                return
            raise click.UsageError(f"{where}: {_reason(error)}") from None
        yield record


def _printable(value: Any) -> Any:
    """The same with every text in it on one line, without control characters and unpaired surrogates."""
    if isinstance(value, str):
        return "".join(c if c.isprintable() else "\N{REPLACEMENT CHARACTER}" for c in " ".join(value.split()))
    if isinstance(value, list):
        return [_printable(each) for each in value]
    if isinstance(value, dict):
        return {_printable(name): _printable(each) for name, each in value.items()}
    return value


def _reason(error: ValueError) -> str:
    if isinstance(error, UnicodeDecodeError):
        return f"the line is not UTF-8, at byte {error.start + 1}"
    if isinstance(error, json.JSONDecodeError):
        return f"the line is not JSON: {error.msg}, at character {error.pos + 1}"
    return "an integer has too many digits"


class RecordError(Exception):
    """What is wrong with a record."""


class _Checker:
    """Checks one record after another, and knows what came before in the same run."""

    def __init__(self) -> None:
        self._bench = ""
        self._rows: set[str] = set()

    def check(self, record: Any) -> None:
        """Raise `RecordError` if the next record is none, or does not belong here."""
        if not isinstance(record, dict):
            raise RecordError(f"a record is an object, not {reprlib.repr(record)}")
        kind = record.get("kind")
        if kind == "run":
            bench = record.get("bench", "load")
            _check_value("bench", bench, one_of(*BENCHES))
            self._bench, self._rows = bench, set()
        if not self._bench:
            raise RecordError("the first record of `idxhub bench load`, `train` or `device` has the kind 'run'")
        kinds = KINDS[self._bench]
        _check_value("kind", kind, one_of(*kinds))
        _check_fields(record, kinds[record["kind"]])
        if kind == "row":
            self._rows.add(record["row"])
        elif (self._bench, kind) in _AFTER_ROW and record["row"] not in self._rows:
            raise RecordError(f"no record of the kind 'row' comes before this {kind} of {reprlib.repr(record['row'])}")


def _check_fields(record: Mapping[str, Any], fields: Fields, parent: str = "") -> None:
    for name, kind in fields.items():
        key = name.removesuffix("?")
        if key in record:
            _check_value(f"{parent}{key}", record[key], kind)
        elif key == name:
            raise RecordError(f"{parent}{key} is missing")


def _check_value(name: str, value: Any, kind: Type | Fields) -> None:
    known = kind if isinstance(kind, Type) else _OBJECT
    if not known.accepts(value):
        raise RecordError(f"{name} is {reprlib.repr(value)}; it must be {known.name}")
    if not isinstance(kind, Type):
        _check_fields(value, kind, f"{name}.")


_OBJECT = Type("an object", lambda value: isinstance(value, dict))
