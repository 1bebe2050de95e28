"""What a test needs and a machine may lack: the test is skipped, but fails in the environment made for it."""

from __future__ import annotations

import importlib
import importlib.util
import os
import warnings
from types import ModuleType

import pytest


def need(module: str) -> ModuleType:
    """Import `module`; without it skip the test file, unless IDXHUB_TEST_REQUIRE names it."""
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", DeprecationWarning)  # what an old library imports itself is no matter of ours
        if module in os.environ.get("IDXHUB_TEST_REQUIRE", "").split(","):
            return importlib.import_module(module)
        return pytest.importorskip(module, reason=f"{module} is not installed", exc_type=ModuleNotFoundError)


def need_elsewhere(module: str) -> None:
    """As `need`, for what a child process imports: importing it here would start its threads, or can fail."""
    if importlib.util.find_spec(module) is None:
        need(module)
