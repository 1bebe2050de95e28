"""`idxhub bench report` reads records: those of something else, and those that are wrong, are refused."""

from __future__ import annotations

import json
from collections.abc import Sequence
from typing import Any

import pytest
from support.bench_records import DEVICE, LOAD, TRAIN, UNMARKED, records, report, write

from idxhub import errors
from idxhub_bench.report.records import runs


def changed(record: dict[str, Any], **fields: Any) -> bytes:
    return json.dumps(record | fields).encode()


def of_kind(records: Sequence[dict[str, Any]], kind: str) -> dict[str, Any]:
    return next(record for record in records if record["kind"] == kind)


def lacking(record: dict[str, Any], *names: str) -> dict[str, Any]:
    return {name: value for name, value in record.items() if name not in names}


SAMPLE, ROUND, FAILED = (of_kind(LOAD, kind) for kind in ("sample", "round", "failure"))
EPOCH, AGREED = (of_kind(TRAIN, kind) for kind in ("epoch", "agreement"))
ON_DEVICE, PASS = (of_kind(DEVICE, kind) for kind in ("row", "sample"))
DEEP = b'{"kind": "missing", "row": "TFDS", "why": ' + b"[" * 100_000 + b"]" * 100_000 + b"}"
# a line that is put after the first one of a file, and what is said of it
WRONG_LINES = {
    "not UTF-8": (LOAD, b'{"kind": "missing", "row": "\xff"}', "the line is not UTF-8, at byte 29"),
    "not JSON": (LOAD, b"sleep", "the line is not JSON"),
    "empty": (LOAD, b"", "the line is not JSON"),
    "cut": (LOAD, b'{"kind": "sam', "the line is not JSON: Unterminated string"),
    "nested deeply": (LOAD, DEEP, "the JSON is nested too deeply"),
    "an integer of many digits": (LOAD, b"1" * 5000, "an integer has too many digits"),
    "no object": (LOAD, b"[1, 2]", "a record is an object, not [1, 2]"),
    "no kind": (LOAD, b"{}", "kind is None; it must be 'run' or 'round' or"),
    "a kind that no dict can have": (LOAD, b'{"kind": []}', "kind is []; it must be"),
    "an unknown kind": (LOAD, b'{"kind": "epoch"}', "kind is 'epoch'; it must be"),
    "another benchmark": (LOAD, changed(LOAD[0], bench="sleep"), "bench is 'sleep'; it must be 'load' or"),
    "a benchmark that is a list": (LOAD, changed(LOAD[0], bench=[]), "bench is []; it must be 'load' or"),
    "no machine": (LOAD, changed(lacking(LOAD[0], "machine")), "machine is missing"),
    "a machine in a word": (LOAD, changed(LOAD[0], machine="mine"), "machine is 'mine'; it must be an object"),
    "text for cores": (
        LOAD,
        changed(LOAD[0], machine=LOAD[0]["machine"] | {"cores": "two"}),
        "machine.cores is 'two'; it must be an integer",
    ),
    "no file system": (
        LOAD,
        changed(LOAD[0], machine=lacking(LOAD[0]["machine"], "file system")),
        "machine.file system is missing",
    ),
    "no value": (LOAD, changed(lacking(SAMPLE, "value")), "value is missing"),
    "text for a value": (LOAD, changed(SAMPLE, value="fast"), "value is 'fast'; it must be 0, or a number"),
    "a truth for a value": (LOAD, changed(SAMPLE, value=True), "value is True; it must be 0, or a number"),
    "NaN": (LOAD, changed(SAMPLE, value=float("nan")), "value is nan; it must be 0, or a number"),
    "infinity": (LOAD, changed(SAMPLE, value=float("-inf")), "value is -inf; it must be 0, or a number"),
    "a number beyond float64": (LOAD, changed(SAMPLE, value=10**400), "value is 1000"),
    "a number whose half is 0": (LOAD, changed(SAMPLE, value=5e-324), "value is 5e-324; it must be 0, or a number"),
    "a list for a row": (LOAD, changed(SAMPLE, row=["torchvision"]), "row is ['torchvision']; it must be text"),
    "an object for a dtype": (LOAD, changed(SAMPLE, dtype={}), "dtype is {}; it must be text, or null"),
    "a size of text": (LOAD, changed(SAMPLE, size="128"), "size is '128'; it must be an integer from 0"),
    "a number for why": (LOAD, changed(LOAD[1], why=3), "why is 3; it must be text"),
    "a number for figures": (LOAD, changed(FAILED, figures=3), "figures is 3; it must be a list of text"),
    "text for cheat": (LOAD, changed(FAILED, cheat="no"), "cheat is 'no'; it must be true or false"),
    "text for a round": (LOAD, changed(ROUND, round="first"), "round is 'first'; it must be an integer"),
    "text for a load": (LOAD, changed(ROUND, load="high"), "load is 'high'; it must be 0, or a number"),
    "a list of versions": (
        LOAD,
        changed(of_kind(LOAD, "row"), versions=["3.11"]),
        "versions is ['3.11']; it must be an object of text",
    ),
    "text for epochs": (TRAIN, changed(TRAIN[0], epochs="two"), "epochs is 'two'; it must be an integer"),
    "an epoch before its row": (
        TRAIN,
        changed(EPOCH),
        "no record of the kind 'row' comes before this epoch of 'torch'",
    ),
    "an epoch of no time": (TRAIN, changed(TRAIN[1]) + b"\n" + changed(EPOCH, seconds=0), "seconds is 0; it must be"),
    "one that agrees alone": (
        TRAIN,
        changed(AGREED, between=["torch"]),
        "between is ['torch']; it must be a list of two",
    ),
    "no tolerance": (TRAIN, changed(AGREED, tolerance=0), "tolerance is 0; it must be a number from"),
    "a sample before its row": (
        DEVICE,
        changed(PASS),
        "no record of the kind 'row' comes before this sample of 'torch'",
    ),
    "an unknown way": (DEVICE, changed(ON_DEVICE) + b"\n" + changed(PASS, way="by air"), "way is 'by air'; it must be"),
    "a copy without bandwidth": (
        DEVICE,
        changed(ON_DEVICE, copy=lacking(ON_DEVICE["copy"], "bandwidth")),
        "copy.bandwidth is missing",
    ),
}


@pytest.mark.parametrize(("records", "line", "says"), WRONG_LINES.values(), ids=WRONG_LINES)
def test_a_wrong_line_is_one_clear_error(records, line, says, tmp_path):
    raw = tmp_path / "wrong.jsonl"
    first, *others = (changed(record) for record in records)
    raw.write_bytes(b"\n".join([first, line, *others, b""]))
    done = report(raw, "--html", tmp_path / "page.html", "--markdown", tmp_path / "page.md")
    assert done.exit_code == 2, done.output
    assert isinstance(done.exception, SystemExit)
    assert f"Error: wrong.jsonl:{2 + line.count(10)}: {says}" in done.stderr
    assert list(tmp_path.iterdir()) == [raw]


def test_a_run_that_was_cut_short_is_reported(raw):
    whole = raw.read_text(encoding="utf-8")
    raw.write_text(whole[:-20], encoding="utf-8")
    done = report(raw)
    assert done.exit_code == 0
    assert f"Warning: raw.jsonl:{whole.count(chr(10))}: the last line is cut off and is left out" in done.stderr
    raw.write_text(whole, encoding="utf-8")
    assert not report(raw).stderr


def test_without_an_option_the_tables_are_printed(raw, tmp_path):
    assert report(raw).output.startswith("|  | idxhub | peer | ratio |\n")
    alone = [each for each in records() if each.get("row") in {None, "grain"}]
    printed = report(write(tmp_path / "alone.jsonl", alone)).output
    assert "|  | idxhub | peer | ratio |" not in printed  # it would have no row
    assert "\n| grain |" in printed


def test_a_file_of_something_else_is_refused(tmp_path):
    other = tmp_path / "other.jsonl"
    other.write_text('{"kind": "sample", "row": "x", "figure": "import", "value": 1}\n', encoding="utf-8")
    done = report(other)
    assert done.exit_code == 2
    assert "other.jsonl:1: the first record" in done.stderr


@pytest.mark.parametrize("loss", [float("nan"), float("inf"), 1e300, 0])
def test_a_training_that_diverged_is_reported(loss, tmp_path):
    records = [{**each, "loss": loss} if each["kind"] == "epoch" else each for each in TRAIN[:-1]]
    raw = write(tmp_path / "train.jsonl", [*records, {**AGREED, "worst": loss, "holds": not loss}])
    done = report(raw, "--html", tmp_path / "page.html")
    assert done.exit_code == 0, done.output


@pytest.mark.parametrize(
    ("records", "benches"),
    [
        (LOAD, ["load"]),
        (UNMARKED, ["load"]),  # as it was written before it said so
        (TRAIN, ["train"]),
        (DEVICE, ["device"]),
        ((*UNMARKED, *TRAIN, *TRAIN), ["load", "train", "train"]),
    ],
)
def test_a_file_says_itself_what_it_is(records, benches):
    found = runs(records)
    assert [each.bench for each in found] == benches
    assert sum(len(each.records) for each in found) == len(records)


@pytest.mark.parametrize(
    "records",
    [(), LOAD[1:], (LOAD[1], *LOAD), ({"kind": "run", "bench": "sleep"},)],
    ids=["nothing", "no run", "something before it", "another benchmark"],
)
def test_records_of_something_else_are_refused(records):
    with pytest.raises(errors.ArgumentError, match=r"'some\.jsonl'.*`idxhub bench load` or `idxhub bench train` or"):
        runs(records, "some.jsonl")


def test_without_its_mark_a_run_is_reported_as_with_it(raw, tmp_path):
    before = write(tmp_path / "before.jsonl", UNMARKED)
    assert report(before).output == report(raw).output
    assert "| 50 |" in report(before).output
