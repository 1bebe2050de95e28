"""What is trained: a framework, and where its batches come from."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True)
class Row:
    """A line of the table. `workers` are those of torchvision's DataLoader; None is idxhub's `get_loader`."""

    name: str
    framework: str
    workers: int | None = None

    @property
    def ours(self) -> bool:
        """Whether its batches are idxhub's, and so the same as those of all others of ours."""
        return self.workers is None


ROWS = (
    Row("torch", "torch"),
    Row("tensorflow", "tensorflow"),
    Row("jax", "jax"),
    Row("torch with torchvision", "torch", 0),
    Row("torch with torchvision, 2 workers", "torch", 2),
)
FRAMEWORKS = ("torch", "tensorflow", "jax")
