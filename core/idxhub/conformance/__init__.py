"""Checks of what every adapter promises. Anybody can run them on an adapter; no test framework is needed.

    from idxhub import conformance
    report = conformance.run(conformance.subject("torch"))
    print(report)

With pytest, each check is a test:

    @conformance.parametrize("torch")
    def test_conformance(check, tmp_path):
        check(conformance.case("torch", tmp_path))

For each adapter, a `Subject` says how to read its native dataset back; see docs/how-to/write-an-adapter.md.
"""

from idxhub.conformance.checks import CHECKS
from idxhub.conformance.kit import Case, Check, NotHere, Report, Result, Violation, run
from idxhub.conformance.subject import Subject, subject
from idxhub.conformance.suite import applicable, case, parametrize
from idxhub.conformance.synthetic import Synthetic, make

__all__ = [
    "CHECKS",
    "Case",
    "Check",
    "NotHere",
    "Report",
    "Result",
    "Subject",
    "Synthetic",
    "Violation",
    "applicable",
    "case",
    "make",
    "parametrize",
    "run",
    "subject",
]
