"""The conformance kit as pytest parameters: each check that applies to a subject, and those that do not, by name."""

from __future__ import annotations

from pathlib import Path

import pytest

from idxhub import conformance


def applicable(framework: str) -> pytest.MarkDecorator:
    """Parametrise a test over `check` for the checks that the framework's subject has the capabilities for."""
    capabilities = conformance.subject(framework).capabilities
    checks = [check for check in conformance.CHECKS if check.needs <= capabilities]
    return pytest.mark.parametrize("check", checks, ids=[check.id for check in checks])


def not_applicable(framework: str) -> set[str]:
    capabilities = conformance.subject(framework).capabilities
    return {check.id for check in conformance.CHECKS if not check.needs <= capabilities}


def case(framework: str, folder: Path) -> conformance.Case:
    return conformance.Case.made(conformance.subject(framework), folder)
