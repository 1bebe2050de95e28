"""Whether frameworks computed the same: with the same weights and batches their losses must agree."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

# relative. In ten steps at a rate of 0.02, rounding in float32 makes a difference of 1e-6, one wrong batch about 2e-3.
# Each step multiplies the difference, and more so at a higher rate: at 0.1 rounding makes 1e-4 in ten steps.
TOLERANCE = 1e-5
# On an H200, at a rate of 0.05, the losses of PyTorch and JAX differed by 3.2e-5 in ten steps: see
# docs/_static/benchmarks/train25-h200.jsonl and docs/explanation/convnet.md. TF32 made that difference, and is off now.
# This is three times as much, and a twentieth of what one wrong batch makes.
DEVICE_TOLERANCE = 1e-4
STEPS = 10


def tolerance(device: str | None) -> float:
    """The relative difference that rounding explains on `device`; None is the CPU."""
    return TOLERANCE if device is None or device.startswith("cpu") else DEVICE_TOLERANCE


@dataclass(frozen=True)
class Agreement:
    """The largest relative difference between the losses of two rows in the first `steps`; steps count from 0."""

    steps: int
    worst: float
    step: int
    between: tuple[str, str]

    def holds(self, device: str | None = None) -> bool:
        """Whether rounding on `device` explains the difference."""
        return self.worst <= tolerance(device)

    def __str__(self) -> str:
        one, other = self.between
        where = f"{one} and {other}, step {self.step + 1}"
        return f"the losses of the first {self.steps} steps differ by {self.worst:.1e} at most ({where})"


def compare(losses: Mapping[str, Sequence[float]]) -> Agreement | None:
    """The agreement of two rows or more; None for fewer. NaN differs from every loss."""
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
