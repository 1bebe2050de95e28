"""What the tests of the board share."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from click.testing import CliRunner, Result
from support.board_records import write

from idxhub.cli import commands

SAMPLE = "fashion-mnist-sample"


@pytest.fixture
def board(monkeypatch: pytest.MonkeyPatch) -> Callable[..., Result]:
    """Runs `idxhub board` in this process."""
    monkeypatch.setenv("IDXHUB_OFFLINE", "1")
    return lambda *arguments: CliRunner().invoke(commands, ["board", *map(str, arguments)])


@pytest.fixture
def assert_checked(board: Callable[..., Result], tmp_path: Path) -> Callable[[dict[str, Any], str | None], None]:
    """Hands in one result on the sample, and asserts what `board check` says of it: a problem, or none."""

    def check(made: dict[str, Any], problem: str | None) -> None:
        from idxhub_board.matrices import load_data  # noqa: PLC0415 -- where scikit-learn is installed

        digest = load_data(SAMPLE, download=False).digest
        on_sample = {"dataset": SAMPLE, "digest": digest, "test_examples": 500}
        done = board("check", write(tmp_path / "handed in", [made | on_sample]))
        assert done.exit_code == (problem is not None)
        assert (problem or "no problems") in done.output

    return check
