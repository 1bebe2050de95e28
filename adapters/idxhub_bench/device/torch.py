"""A device of PyTorch."""

from __future__ import annotations

from time import perf_counter
from typing import Any

import torch

_COPIES, _ROUNDS = 10, 5


class Device:
    """A `torch.device`."""

    def __init__(self, device: str) -> None:
        self._device = torch.device(device)
        self._accelerator = self._device.type != "cpu"
        self.name = torch.cuda.get_device_name(self._device) if self._device.type == "cuda" else str(self._device)

    def put(self, batch: Any) -> Any:
        """As programs for torch have it."""
        return [each.to(self._device) for each in batch]

    def wait(self, batches: Any) -> None:
        """All that the device was asked for."""
        del batches
        if self._accelerator:
            torch.accelerator.synchronize(self._device)

    def copied(self, size: int) -> float:
        """`copy_`, several of them between two looks at the clock."""
        source = torch.ones(size, dtype=torch.uint8, device=self._device)
        target = torch.empty_like(source)
        best = float("inf")
        for _ in range(_ROUNDS):
            self.wait(None)
            start = perf_counter()
            for _ in range(_COPIES):
                target.copy_(source)
            self.wait(None)
            best = min(best, (perf_counter() - start) / _COPIES)
        return best
