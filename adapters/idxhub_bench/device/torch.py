"""A device of PyTorch."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import torch


class Device:
    """A `torch.device`."""

    def __init__(self, device: str) -> None:
        self._device = torch.device(device)
        self._accelerator = self._device.type != "cpu"
        self.name = torch.cuda.get_device_name(self._device) if self._device.type == "cuda" else str(self._device)

    def put(self, batch: Any) -> Any:
        return [each.to(self._device) for each in batch]

    def wait(self, batches: Any) -> None:
        """Wait for everything that the device was asked for."""
        del batches
        if self._accelerator:
            torch.accelerator.synchronize(self._device)

    def make_copy(self, size: int) -> Callable[[], Any]:
        source = torch.ones(size, dtype=torch.uint8, device=self._device)
        target = torch.empty_like(source)
        return lambda: target.copy_(source)
