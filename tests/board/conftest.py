"""What the tests of the board share."""

from __future__ import annotations

from collections.abc import Callable

import pytest
from click.testing import CliRunner, Result

from idxhub.cli import commands

SAMPLE = "fashion-mnist-sample"


@pytest.fixture
def board(monkeypatch: pytest.MonkeyPatch) -> Callable[..., Result]:
    """Runs `idxhub board` in this process."""
    monkeypatch.setenv("IDXHUB_OFFLINE", "1")
    return lambda *arguments: CliRunner().invoke(commands, ["board", *map(str, arguments)])
