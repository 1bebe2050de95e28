"""The report's section on `idxhub bench train`."""

from __future__ import annotations

import math
from collections.abc import Iterable
from typing import Any

import pytest
from support import bench_records
from support.bench_records import agreement, trained, training

from idxhub_bench.report.markdown import sections as as_markdown
from idxhub_bench.report.model import Report, Section
from idxhub_bench.report.page import page
from idxhub_bench.report.records import runs
from idxhub_bench.report.training import sections

ONCE = "12,000 images of fashion-mnist, 2 epochs, in batches of 400 at a rate of 0.02, seed 0, on the CPU"


def section(records: Iterable[dict[str, Any]]) -> Section:
    (made,) = sections(runs(records))
    return made


def text(records: Iterable[dict[str, Any]]) -> str:
    return as_markdown(Report("", (section(records),)))


def without(*kinds: str) -> list[dict[str, Any]]:
    return [record for record in training() if record["kind"] not in kinds]


def test_nothing_is_said_of_what_was_not_run():
    assert list(sections([])) == []


@pytest.mark.parametrize(
    "line",
    [
        "| row | seconds, each epoch | waits for data | accuracy after each | loss of each |",
        "| torch | 20, 10 | 1.00% | 0.5100, 0.5200 | 2.4000, 2.3000 |",
        "| jax | 150, 150 | 3.00% | 0.5100, 0.5200 | 2.4000, 2.3000 |",
        "| torch with torchvision, 2 workers | 20, 20 | 10.00% | 0.5100, 0.5200 | 2.4000, 2.3000 |",
        "| torch | python 3.11.7, numpy 2.4.6 | all 2 |",
        "- tensorflow: failed: no such instruction",
        "- torch with torchvision: torchvision not installed",
        "- A processor, 2 cores, 8 GiB, Linux 6; OMP_NUM_THREADS and the like not set; load average before the run 0.5",
    ],
)
def test_what_a_run_says(line):
    assert line in text(training()).splitlines()


@pytest.mark.parametrize(
    ("asked", "said"),
    [
        ({}, ONCE),
        ({"epochs": 1}, "12,000 images of fashion-mnist, 1 epoch, in"),
        ({"rate": 0.001}, "at a rate of 0.001,"),
        ({"device": "cuda"}, "seed 0, on cuda."),
    ],
    ids=str,
)
def test_what_was_asked_for_is_said(asked, said):
    assert said in section(training(**asked)).text


@pytest.mark.parametrize(
    ("seconds", "cell"),
    [
        ([12.34], "12.3"),
        ([1234.5], "1234"),
        ([1, 2, 3, 4], "1, 2, 3, 4"),
        ([1, 2, 3, 4, 5], "1, 2, …, 4, 5"),
        (range(1, 301), "1, 2, …, 299, 300"),
    ],
)
def test_of_many_epochs_the_first_and_the_last_are_shown(seconds, cell):
    head = next(training())
    assert f"| torch | {cell} | 0.00% |" in text([head, *trained("torch", [(each, 0) for each in seconds])])


@pytest.mark.parametrize(
    ("worst", "cells", "colour"),
    [
        (1.2e-6, "| 1.2e-06 | ≤ 1e-05 | met |", "good"),
        (0, "| 0.0e+00 | ≤ 1e-05 | met |", "good"),
        (1.3e-5, "| 1.3e-05 | ≤ 1e-05 | missed: 1.3 times as much |", "bad"),
        (2.4e-2, "| 2.4e-02 | ≤ 1e-05 | missed: 2,400 times as much |", "bad"),
        (math.nan, "| nan | ≤ 1e-05 | missed: a loss is no number |", "bad"),
    ],
)
def test_the_verdict_on_the_first_losses(worst, cells, colour):
    records = [*without("agreement"), agreement(worst)]
    furthest = "losses of the first 10 steps across frameworks: jax is the furthest from torch, at step 7"
    assert f"| {furthest} {cells}" in text(records).splitlines()
    html = page(Report("", (section(records),)), [])
    assert [kind for kind in ("good", "bad") if f'<span class="{kind}">' in html] == [colour]


@pytest.mark.parametrize(
    ("device", "cells"),
    [
        ("cuda", "| 3.2e-05 | ≤ 1e-04 | met |"),
        (None, "| 3.2e-05 | ≤ 1e-05 | missed: 3.2 times as much |"),
    ],
)
def test_a_device_has_a_tolerance_of_its_own_whatever_the_records_say(device, cells):
    records = [record for record in training(device=device) if record["kind"] != "agreement"]
    assert cells in text([*records, agreement(3.2e-5)])


def test_when_the_published_accuracy_was_passed():
    def epochs(row, accuracies):
        first, *made, losses = trained(row, [(1.0, 0.1)] * len(accuracies))
        return [first, *(each | {"accuracy": value} for each, value in zip(made, accuracies, strict=True)), losses]

    rising = [0.9] * 5 + [0.917] + [0.915] * 24
    head = next(training())
    said = text([head, *epochs("torch", rising), *epochs("jax", [0.9] * 30), *epochs("tensorflow", [0.95] * 20)])
    assert (
        f"this network 0.916 after more than 300 epochs. Here, with {ONCE}, torch passed 0.916 after 6 epochs" in said
    )
    assert "and stood at 0.915 over the last 20 of 30; jax did not pass 0.916 and stood at 0.900 over" in said
    assert "tensorflow passed" not in said
    assert "300 epochs" not in text(training())


def test_that_no_losses_were_compared_is_said():
    assert "- No losses were compared" in text(without("agreement"))
    assert "No losses" not in text(training())


@pytest.mark.parametrize(
    ("records", "absent"),
    [
        ([next(training())], "torch; tensorflow; jax; torch with torchvision; torch with torchvision, 2 workers"),
        (without("missing", "failure"), "tensorflow; torch with torchvision"),
        (without("epoch"), "torch; jax; torch with torchvision, 2 workers"),  # a run that was cut short
    ],
    ids=["nothing", "some", "no epochs"],
)
def test_rows_that_are_not_there_are_named(records, absent):
    assert f"- Not among the records: {absent}" in text(records).splitlines()


def test_an_added_run_of_the_same_replaces_its_rows():
    added = [next(training()), *trained("tensorflow", [(7.0, 0.7)]), *trained("torch", [(8.0, 0.8)])]
    said = text([*training(), *added])
    assert "| tensorflow | 7 | 10.00% |" in said
    assert "| torch | 8 | 10.00% |" in said
    assert "no such instruction" not in said
    assert said.count("| torch | ") == 2  # of the results, and of the versions
    assert ONCE in said


def test_rows_of_unlike_runs_are_told_apart():
    said = text([*training(), *training(rate=0.001)])
    other = ONCE.replace("0.02", "0.001")
    assert f": {ONCE}; and {other}. " in said
    one, two = (f"in batches of 400 at a rate of {rate}" for rate in (0.02, 0.001))  # the part that differs
    for line in (f"| torch ({one}) | 20, 10 |", f"| torch ({two}) | 20, 10 |", f"- tensorflow ({two}): failed"):
        assert line in said
    assert said.count(f"across frameworks ({two}): jax is") == 1


def test_runs_that_differ_in_several_things_are_told_apart_by_the_last():
    said = text([*training(), *training(rate=0.001, device="cuda", epochs=5)])
    assert "| torch (on the CPU) | 20, 10 |" in said
    assert "| torch (on cuda) | 20, 10 |" in said
    three = text([*training(), *training(rate=0.001), *training(rate=0.001, device="cuda")])
    assert f"| torch ({ONCE}) | 20, 10 |" in three  # no part is another in each of them


def test_why_a_row_failed_cannot_become_markup():
    failure = {"kind": "failure", "row": "jax", "why": "<script>alert(1)</script>"}
    records = [next(training()), failure]
    assert "<script>alert" not in page(Report("", (section(records),)), []) + text(records)


def test_the_made_up_records_are_of_the_kinds_that_a_run_writes():
    assert {record["kind"] for record in bench_records.training()} == {
        *("run", "row", "epoch", "losses", "failure", "missing", "agreement")
    }
