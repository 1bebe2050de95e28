"""The kit in a test suite, and the least that a subject declares."""

from __future__ import annotations

import os
import tempfile
import unittest
from dataclasses import replace

import numpy as np
import pytest
from support.processes import python

from idxhub import conformance
from idxhub.conformance import CHECKS, Check, NotHere, Report, Result, Violation, kit, run

NUMPY = conformance.subject("numpy")
A_FEW = ["image-bytes", "label-values", "counts"]


def some_checks():
    return [check for check in CHECKS if check.id in A_FEW]


@conformance.parametrize("numpy")
def test_a_check_is_a_test(check, tmp_path):
    check(conformance.case("numpy", tmp_path))


def test_a_check_that_fails_is_a_test_that_fails(tmp_path):
    wrong = replace(NUMPY, to_numpy=lambda array: np.asarray(array)[::-1])
    with pytest.raises(Violation, match="train images"):
        some_checks()[0](conformance.case(wrong, tmp_path))


def test_the_checks_of_declared_capabilities_are_applicable():
    assert conformance.applicable("numpy") == conformance.applicable(NUMPY)
    assert [check for check in CHECKS if check.needs <= NUMPY.capabilities] == conformance.applicable("numpy")
    fewer = conformance.applicable(replace(NUMPY, length=None, minimum=0))
    assert {"length", "index", "index-out-of-range"}.isdisjoint(check.id for check in fewer)


def test_parameters_carry_the_checks_ids():
    mark = conformance.parametrize("numpy")
    assert mark.args == ("check", conformance.applicable("numpy"))
    assert mark.kwargs["ids"] == [check.id for check in conformance.applicable("numpy")]


def test_fewer_checks_than_the_declared_minimum_are_an_error():
    declared = replace(NUMPY, minimum=len(CHECKS) + 1)
    with pytest.raises(Violation, match=f"{len(conformance.applicable('numpy'))} checks apply.* {len(CHECKS) + 1}$"):
        conformance.applicable(declared)
    with pytest.raises(Violation):
        conformance.parametrize(declared)


def report(outcomes: str, minimum: int) -> Report:
    # "n" is one that this machine could not tell
    names = {"p": "passed", "f": "failed", "s": "skipped", "n": "skipped"}
    results = (Result(f"check-{i}", "", names[o], applies=o != "s") for i, o in enumerate(outcomes))
    return Report("rows", tuple(results), minimum)


@pytest.mark.parametrize(
    ("outcomes", "minimum", "ok"),
    [
        ("ppp", 0, True),
        ("ppp", 3, True),
        ("pps", 2, True),
        ("pps", 3, False),
        ("ppn", 3, True),
        ("n", 1, False),
        ("ppf", 2, False),
        ("", 0, False),
    ],
)
def test_a_report_is_held_against_the_minimum(outcomes, minimum, ok):
    seen = report(outcomes, minimum)
    assert seen.ok is ok
    assert seen.to_json()["ok"] is ok
    assert seen.to_json()["minimum"] == minimum


def test_a_check_that_this_machine_cannot_make_is_skipped_with_the_reason():
    def asks(case):
        raise NotHere("there is no /proc")

    (result,) = run(NUMPY, [Check("x", "It is so.", frozenset(), asks)]).results
    assert (result.outcome, result.seen, result.applies) == ("skipped", "there is no /proc", True)
    with pytest.raises(unittest.SkipTest):
        Check("x", "It is so.", frozenset(), asks)(None)


@pytest.mark.parametrize("check", ["memory-bound", "no-descriptor-leaked"])
def test_without_proc_two_checks_are_skipped(check, monkeypatch):
    (wanted,) = [each for each in CHECKS if each.id == check]
    for asked in ("isfile", "isdir"):
        real = getattr(os.path, asked)
        monkeypatch.setattr(os.path, asked, lambda path, real=real: not str(path).startswith("/proc") and real(path))
    (result,) = run(NUMPY, [wanted]).results
    assert (result.outcome, result.applies) == ("skipped", True)
    assert "/proc" in result.seen


def test_files_that_the_system_keeps_are_left(monkeypatch, tmp_path):
    """Windows does not remove a file that is mapped, and an adapter may keep its arrays."""

    def keep(*_, **__):
        raise PermissionError(13, "Access is denied")

    monkeypatch.setattr(tempfile, "tempdir", str(tmp_path))
    with monkeypatch.context() as patched:
        patched.setattr(kit, "KEEPS_OPEN_FILES", True)
        patched.setattr(os, "unlink", keep)
        assert run(NUMPY, some_checks()).ok
    assert [each.name.startswith("idxhub-conformance-") for each in tmp_path.iterdir()] == [True]


def test_a_report_says_that_too_little_was_checked():
    assert str(report("pps", 3)).endswith("rows: 2 passed, 0 failed, 1 skipped; AT LEAST 3 ARE DECLARED")
    assert str(report("pps", 2)).endswith("rows: 2 passed, 0 failed, 1 skipped")


def test_the_minimum_is_for_all_checks_and_not_for_a_choice():
    declared = replace(NUMPY, minimum=len(CHECKS) + 1)
    chosen = conformance.run(declared, some_checks())
    assert (chosen.ok, chosen.count("passed")) == (True, 3)
    whole = conformance.run(declared)
    assert (whole.ok, whole.count("failed")) == (False, 0)


def test_a_batch_that_is_a_pair_needs_no_function():
    images, labels = np.zeros((2, 5, 7)), np.zeros(2)
    assert NUMPY.pair([images, labels]) == (images, labels)


def test_the_kit_does_without_pytest():
    code = "import sys, idxhub.conformance as c; c.applicable('numpy'); print('pytest' in sys.modules)"
    assert python(code).stdout == "False\n"
