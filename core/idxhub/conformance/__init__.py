"""What every adapter promises, as checks that anybody can run on an adapter: no test framework needed.

    from idxhub import conformance
    report = conformance.run(conformance.subject("torch"))
    print(report)

An adapter takes part through a `Subject`, which says how to read its native dataset back; see
docs/how-to/write-an-adapter.md.
"""

from idxhub.conformance.checks import CHECKS
from idxhub.conformance.kit import Case, Check, Report, Result, Violation, run
from idxhub.conformance.subject import Subject, subject
from idxhub.conformance.synthetic import Synthetic, make

__all__ = [
    "CHECKS",
    "Case",
    "Check",
    "Report",
    "Result",
    "Subject",
    "Synthetic",
    "Violation",
    "make",
    "run",
    "subject",
]
