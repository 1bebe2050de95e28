"""The report's section on `idxhub bench device`."""

from __future__ import annotations

import json
from collections.abc import Iterable
from pathlib import Path
from typing import Any

import pytest
from support.bench_records import device

from idxhub_bench.report.device import sections
from idxhub_bench.report.markdown import sections as as_markdown
from idxhub_bench.report.model import Report
from idxhub_bench.report.records import runs

HOW = "Where there is a GPU, `idxhub bench device device.jsonl --device cuda` measures it"
*_, JAX_MISSING = device(found=False)
FAILURE = {"kind": "failure", "row": "torch", "why": "no such instruction"}


def text(records: Iterable[dict[str, Any]] = ()) -> str:
    records = list(records)
    (made,) = sections(runs(records) if records else [])
    return as_markdown(Report("", (made,)))


@pytest.mark.parametrize(
    "line",
    [
        # medians of 100, 200, 300 million and of 1, 2, 3; 1,568 bytes an image, of 2,000 GB/s
        "| torch uint8 | 512 | 200,000 | 2,000 | 100 | 15.7% |",
        "| torch | a cuda of some make | 2,000 GB/s, of 256 MiB | torch 2.13.0 |",
        "- jax: jax has no cuda",
        "- A processor, 2 cores, 8 GiB, Linux 6",
    ],
)
def test_what_a_run_says(line):
    said = text(device())
    assert line in said.splitlines()
    assert "medians of 3 passes over fashion-mnist, device `cuda`. " in said
    assert "Not measured: " not in said
    assert HOW not in said


@pytest.mark.parametrize(
    ("records", "why"),
    [
        ([], "no run of `idxhub bench device` is among the records, and it takes a machine with a GPU"),
        ([*device(found=False)], "no framework found an accelerator, `cuda`, on the machine"),
        ([*device(found=False), *device("tpu", found=False)], "an accelerator, `cuda` or `tpu`, on the machine"),
        ([next(device()), FAILURE], "the run failed, or was cut short"),
        ([next(device()), JAX_MISSING, FAILURE], "the run failed, or was cut short"),
        ([next(device())], "the run failed, or was cut short"),
    ],
    ids=["no run", "missing", "two devices", "failed", "one failed", "cut short"],
)
def test_that_it_was_not_measured_why_and_how(records, why):
    said = text(records)
    assert "Not measured: " in said
    assert f"{why}. {HOW}" in said
    assert "| " not in said
    for record in records:
        assert record.get("why", "") in said


def test_a_cpu_is_no_accelerator():
    said = text(device("cpu"))
    assert "| torch uint8 | 512 |" in said
    assert f"no GPU's speed. {HOW}" in said


def rates(**ways: float) -> list[dict[str, Any]]:
    """One reading of each way, at each batch size; `by_hand_4096=` is that of one size."""
    head, row, sample, *_ = device()
    made = [head, row]
    for way in ("resident", "ordinary", "by hand", "whole epoch"):
        for size in (128, 4096):
            value = ways.get(f"{way.replace(' ', '_')}_{size}", ways.get(way.replace(" ", "_")))
            if value:
                made.append(sample | {"way": way, "size": size, "value": value})
    return made


def test_a_gather_by_hand_and_a_whole_epoch_are_beside_it():
    said = text(rates(resident=60e6, ordinary=1e6, by_hand=40e6, whole_epoch=90e6))
    assert "| torch uint8 | 128 | 40,000 | 1.5 | 90,000 |" in said


@pytest.mark.parametrize(
    ("ways", "lines"),
    [
        (
            {"resident": 60e6, "by_hand": 40e6, "by_hand_4096": 120e6},
            ["uint8 | 4096 | 60,000 | 120,000 | 0.5 | ≥ 1 | missed by 50% |"],
        ),
        ({"resident": 60e6, "by_hand": 40e6}, ["uint8 | 128 | 60,000 | 40,000 | 1.5 | ≥ 1 | met |"]),
        (
            {"resident": 60e6, "resident_4096": 25e6},
            ["uint8 | 4096 | 25,000 |  |  | ≥ 50 million images/s | missed by 50% |"],
        ),
        ({"resident": 60e6}, ["uint8 |  |  |  |  | ≥ 1 | not measured |", "million images/s | met |"]),
    ],
    ids=["by hand missed", "by hand met", "rate missed", "by hand not measured"],
)
def test_goals_are_judged_where_they_are_furthest_away(ways, lines):
    said = text(rates(ordinary=1e6, **ways))
    for line in lines:
        assert line in said
    assert "jax get_loader(device=), uint8, batch 128 |  |  |  |  | ≥ 10 million images/s | not measured |" in said


def test_reasons_are_given_below():
    said = text(rates(resident=60e6, resident_4096=25e6, ordinary=1e6))
    goal = "**torch get_loader(device=) vs the gather by hand"
    assert f"- {goal}, uint8**: not measured. The published" in said
    assert "gave 5.7, 1.5, 0.85 and 0.26 times the gather by hand" in said
    assert "**torch get_loader(device=), uint8**: missed by 50%. In the published" in said
    both = rates(resident=25e6, ordinary=1e6)
    said = text([*both, *(each | {"dtype": "float32"} for each in both[2:])])
    one = "**torch get_loader(device=), uint8**: missed by 50%; **torch get_loader(device=), float32**: missed by 50%."
    assert f"- {one} In the published" in said


def test_a_cpu_has_no_goals():
    assert "verdict" not in text(device("cpu"))
    assert "verdict" in text(device("cuda"))


def test_the_published_records_are_judged():
    path = Path(__file__).parents[2] / "docs" / "_static" / "benchmarks" / "device-h200.jsonl"
    said = text(json.loads(line) for line in path.read_text(encoding="utf-8").splitlines())
    assert "uint8 | 128 | 14,741 |  |  | ≥ 50 million images/s | missed by 71% |" in said
    assert (
        "jax get_loader(device=), uint8, batch 128 | 128 | 1,672 |  |  | ≥ 10 million images/s | missed by 83% |"
        in said
    )


def test_devices_are_told_apart():
    said = text([*device(), *device("cuda:1")])
    assert "| torch uint8, cuda | 512 | " in said
    assert "| torch uint8, cuda:1 | 512 | " in said
    assert "device `cuda`; and medians of 3 passes over fashion-mnist, device `cuda:1`." in said


def test_an_added_run_replaces_what_was_missing():
    said = text([*device(found=False), *device()])
    assert "torch has no cuda" not in said
    assert "| torch uint8 | 512 |" in said


def test_a_run_that_was_cut_short_has_no_half_lines():
    *records, missing = (record for record in device() if record.get("way") != "ordinary")
    cut = records[-1] | {"dtype": "float32"}
    assert "Not measured: the run failed, or was cut short. " in text([*records, missing])
    said = text([*device(), cut])
    assert "| torch uint8 |" in said
    assert "torch float32" not in said
