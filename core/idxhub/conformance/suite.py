"""The kit inside a test suite: the checks that apply, the case to put them to, and both as a parametrised test."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

from idxhub.conformance.checks import CHECKS
from idxhub.conformance.kit import Case, Check, Violation
from idxhub.conformance.subject import Subject, subject
from idxhub.plugins.manager import Plugins

if TYPE_CHECKING:
    import pytest  # the kit does without it, and is imported by what has no tests


def applicable(examined: str | Subject, plugins: Plugins | None = None) -> list[Check]:
    """The checks whose capabilities a framework's subject, or the subject given, declares.

    Raises `Violation` if they are fewer than its `minimum`: a suite that lost its checks shall not be green.
    """
    found = _subject(examined, plugins)
    checks = [check for check in CHECKS if check.needs <= found.capabilities]
    if len(checks) < found.minimum:
        raise Violation(
            f"{found.framework}: {len(checks)} checks apply, and the subject declares at least {found.minimum}"
        )
    return checks


def case(examined: str | Subject, folder: Path, plugins: Plugins | None = None) -> Case:
    """What a check is called with; the files of the synthetic dataset and the cache are in `folder`."""
    return Case.create(_subject(examined, plugins), folder, plugins)


def parametrize(examined: str | Subject) -> pytest.MarkDecorator:
    """`pytest.mark.parametrize` over `check`, for each check that applies; needs pytest.

    >>> @conformance.parametrize("torch")
    ... def test_conformance(check, tmp_path):
    ...     check(conformance.case("torch", tmp_path))
    """
    import pytest  # noqa: PLC0415 -- for those who call this, and nobody else

    checks = applicable(examined)
    return pytest.mark.parametrize("check", checks, ids=[check.id for check in checks])


def _subject(examined: str | Subject, plugins: Plugins | None = None) -> Subject:
    return examined if isinstance(examined, Subject) else subject(examined, plugins)
