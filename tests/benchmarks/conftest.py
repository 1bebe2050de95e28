"""Files of records that several tests report."""

from __future__ import annotations

from pathlib import Path

import pytest
from support.bench_records import DEVICE, LOAD, TRAIN, write


@pytest.fixture
def raw(tmp_path: Path) -> Path:
    """The records of `idxhub bench load`."""
    return write(tmp_path / "raw.jsonl", LOAD)


@pytest.fixture
def three(tmp_path: Path) -> list[Path]:
    """A file of each benchmark."""
    made = {"run": LOAD, "train": TRAIN, "device": DEVICE}
    return [write(tmp_path / f"{name}.jsonl", records) for name, records in made.items()]
