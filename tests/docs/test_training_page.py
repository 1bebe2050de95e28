"""docs/explanation/convnet.md has the figures of the records beside it."""

from __future__ import annotations

import runpy
from pathlib import Path

ROOT = Path(__file__).parents[2]


def test_the_table_is_made_from_the_records():
    tool = runpy.run_path(str(ROOT / "tools" / "draw_training.py"))
    page = (ROOT / "docs" / "explanation" / "convnet.md").read_text(encoding="utf-8")
    assert tool["table"](tool["FOLDER"] / "train150-h200.jsonl") in page
