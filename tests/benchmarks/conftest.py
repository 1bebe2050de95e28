"""Files of records that several tests report, and interpreters that do not answer."""

from __future__ import annotations

from pathlib import Path

import pytest
from support.bench_records import DEVICE, LOAD, TRAIN, write

from idxhub_bench import processes


@pytest.fixture
def raw(tmp_path: Path) -> Path:
    """The records of `idxhub bench load`."""
    return write(tmp_path / "raw.jsonl", LOAD)


@pytest.fixture
def three(tmp_path: Path) -> list[Path]:
    """A file of each benchmark."""
    made = {"run": LOAD, "train": TRAIN, "device": DEVICE}
    return [write(tmp_path / f"{name}.jsonl", records) for name, records in made.items()]


@pytest.fixture(
    params=[
        ("echo 'no such instruction' >&2; exit 3", 60.0, "no such instruction"),
        ("exec sleep 60", 0.2, "it took more than 0.2 s"),
        ("echo '{}'", 60.0, "it wrote no answer"),
    ],
    ids=["fails", "takes too long", "writes nothing"],
)
def broken(request: pytest.FixtureRequest, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> tuple[Path, str]:
    """An interpreter that gives no answer, and what is said of it."""
    script, limit, why = request.param
    monkeypatch.setattr(processes, "TIMEOUT", limit)
    program = tmp_path / "python"
    program.write_text(f"#!/bin/sh\n{script}\n", encoding="utf-8")
    program.chmod(0o755)
    return program, why
