"""Whether frameworks computed the same: from the same weights, on the same batches, their losses are the same."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

# relative. Rounding in float32 makes 1e-6 of it in ten steps of rate 0.02, one batch instead of another about 2e-3.
# Each step multiplies what rounding made, the more the higher the rate: at 0.1 it is 1e-4 after ten.
TOLERANCE = 1e-5
STEPS = 10


@dataclass(frozen=True)
class Agreement:
    """The largest relative difference between two rows' losses in the first `steps`, and where, counted from 0."""

    steps: int
    worst: float
    step: int
    between: tuple[str, str]

    def holds(self, tolerance: float = TOLERANCE) -> bool:
        """Whether it is no more than rounding makes."""
        return self.worst <= tolerance

    def __str__(self) -> str:
        one, other = self.between
        where = f"{one} and {other}, step {self.step + 1}"
        return f"the losses of the first {self.steps} steps differ by {self.worst:.1e} at most ({where})"


def compare(losses: Mapping[str, Sequence[float]]) -> Agreement | None:
    """The agreement of two rows or more; None of fewer. A loss that is no number differs from all."""
    if len(losses) < 2:
        return None
    steps = min(STEPS, *map(len, losses.values()))
    (first, expected), *others = losses.items()
    found = [
        Agreement(steps, abs(seen[step] - expected[step]) / abs(expected[step]), step, (first, name))
        for name, seen in others
        for step in range(steps)
    ]
    return max(found, key=lambda each: (math.isnan(each.worst), each.worst))
