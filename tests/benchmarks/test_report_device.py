"""The report's section on `idxhub bench device`."""

from __future__ import annotations

from collections.abc import Iterable
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
    assert "ot measured" not in said
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
