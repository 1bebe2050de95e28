"""What the tests of the command share."""

import pytest
from click.testing import CliRunner

from idxhub.cli import commands


@pytest.fixture
def run(monkeypatch):
    """Run the command offline; returns click's result, stdout and stderr apart."""
    monkeypatch.setenv("IDXHUB_OFFLINE", "1")
    return lambda *arguments: CliRunner().invoke(commands, [*map(str, arguments)])
