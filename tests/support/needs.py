"""What a test needs and a machine may lack: skipped in a bare run, red where an environment exists for it."""

from __future__ import annotations

import importlib
import os
from types import ModuleType

import pytest


def need(module: str) -> ModuleType:
    """Import `module`; without it skip the test file, unless IDXHUB_TEST_REQUIRE names it."""
    if module in os.environ.get("IDXHUB_TEST_REQUIRE", "").split(","):
        return importlib.import_module(module)
    return pytest.importorskip(module, reason=f"{module} is not installed", exc_type=ModuleNotFoundError)
