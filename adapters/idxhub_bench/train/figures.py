"""What follows from the records of epochs."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any


def waiting(epochs: Sequence[Mapping[str, Any]]) -> float:
    """The share of the time in which a step waits for data, 0 to 1."""
    return float(sum(epoch["waiting"] for epoch in epochs) / sum(epoch["seconds"] for epoch in epochs))
