"""Made-up results of `idxhub board run`."""

from __future__ import annotations

import json
from collections.abc import Iterable
from pathlib import Path
from typing import Any

DIGEST = "0" * 64


def record(classifier: str = "SVC", parameters: dict[str, Any] | None = None, **fields: Any) -> dict[str, Any]:
    """A result that is done, with these fields."""
    return {
        "format": 1,
        "dataset": "fashion-mnist",
        "examples": None,
        "digest": DIGEST,
        "preprocessing": "StandardScaler",
        "classifier": classifier,
        "parameters": parameters or {"C": 10.0, "kernel": "rbf"},
        "seed": 0,
        "versions": {"scikit-learn": "1.9.1"},
        "backend": "loky",
        "accelerated": False,
        "status": "done",
        "accuracy": 0.9,
        "fit_seconds": 10.0,
        "predict_seconds": 2.0,
        "predictions": None,
    } | fields


def write(path: Path, records: Iterable[dict[str, Any]]) -> Path:
    """A store with these results."""
    path.write_bytes(b"".join(map(line, records)))
    return path


def line(made: dict[str, Any]) -> bytes:
    """A line of a store."""
    return json.dumps(made, separators=(",", ":")).encode() + b"\n"
