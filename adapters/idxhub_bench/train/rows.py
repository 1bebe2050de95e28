"""The rows that are trained: a framework, and the origin of its batches."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True)
class Row:
    """A line of the table. `workers` is the number for torchvision's DataLoader; None means idxhub's `get_loader`."""

    name: str
    framework: str
    workers: int | None = None

    @property
    def ours(self) -> bool:
        """Whether its batches are idxhub's, which are the same in all frameworks."""
        return self.workers is None


ROWS = (
    Row("torch", "torch"),
    Row("tensorflow", "tensorflow"),
    Row("jax", "jax"),
    Row("torch with torchvision", "torch", 0),
    Row("torch with torchvision, 2 workers", "torch", 2),
)
FRAMEWORKS = ("torch", "tensorflow", "jax")
