"""Using the kit in a test suite: the checks that apply, the case to call them with, and a parametrised test."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

from idxhub.conformance.checks import CHECKS
from idxhub.conformance.kit import Case, Check, Violation
from idxhub.conformance.subject import Subject, subject
from idxhub.plugins.manager import Plugins

if TYPE_CHECKING:
    import pytest  # for the type checker alone: the kit works without pytest


def applicable(examined: str | Subject, plugins: Plugins | None = None) -> list[Check]:
    """The checks that apply to a subject, given itself or by its framework: it declares all capabilities they need.

    Raises `Violation` if there are fewer than the subject's `minimum`, so that a test suite fails if it loses checks.
    """
    found = _subject(examined, plugins)
    checks = [check for check in CHECKS if check.needs <= found.capabilities]
    if len(checks) < found.minimum:
        raise Violation(
            f"{found.framework}: {len(checks)} checks apply, and the subject declares at least {found.minimum}"
        )
    return checks


def case(examined: str | Subject, folder: Path, plugins: Plugins | None = None) -> Case:
    """The case to call a check with. The files of the synthetic dataset and the cache are in `folder`."""
    return Case.create(_subject(examined, plugins), folder, plugins)


def parametrize(examined: str | Subject) -> pytest.MarkDecorator:
    """A `pytest.mark.parametrize` with the argument `check`, for each check that applies. It needs pytest.

    >>> @conformance.parametrize("torch")
    ... def test_conformance(check, tmp_path):
    ...     check(conformance.case("torch", tmp_path))
    """
    import pytest  # noqa: PLC0415 -- needed by this function alone

    checks = applicable(examined)
    return pytest.mark.parametrize("check", checks, ids=[check.id for check in checks])


def _subject(examined: str | Subject, plugins: Plugins | None = None) -> Subject:
    return examined if isinstance(examined, Subject) else subject(examined, plugins)
