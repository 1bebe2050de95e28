"""What a test needs and a machine may lack: skipped in a bare run, red where an environment exists for it."""

from __future__ import annotations

import importlib
import importlib.util
import os
from types import ModuleType

import pytest


def need(module: str) -> ModuleType:
    """Import `module`; without it skip the test file, unless IDXHUB_TEST_REQUIRE names it."""
    if module in os.environ.get("IDXHUB_TEST_REQUIRE", "").split(","):
        return importlib.import_module(module)
    return pytest.importorskip(module, reason=f"{module} is not installed", exc_type=ModuleNotFoundError)


def need_elsewhere(module: str) -> None:
    """As `need`, for what a child process imports: here it would bring its threads, and cannot always be imported."""
    if importlib.util.find_spec(module) is None:
        need(module)
