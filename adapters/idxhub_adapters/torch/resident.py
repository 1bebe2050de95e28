"""A split that is kept on a device, where its batches are gathered too."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray

from idxhub import Split, errors

_GATHER_BYTES = 1 << 22  # as stored; a device needs as long to start a kernel as to gather about so many bytes


class Resident:
    """The images and labels of a split on a device, as stored: uint8 (N, H, W) and int64 (N,).

    Called with the indices of a pass, int64 (n,), and a batch size, it yields `[images, labels]` on that device, in the
    dtype and layout asked for.
    """

    def __init__(self, split: Split, device: Any) -> None:
        self.device = resolve_device(device)
        self._split = split
        self._images = torch.from_numpy(split.images).to(self.device)
        self._labels = torch.from_numpy(split.labels).to(self.device)
        # a tensor on the device: if the divisor is a Python number, CUDA multiplies by its reciprocal instead
        self._scale = torch.tensor(255, dtype=torch.float32, device=self.device)

    def __call__(self, indices: NDArray[np.int64], size: int) -> Iterator[list[torch.Tensor]]:
        """The batches of a pass. The indices are copied to the device once, and nothing waits for the device."""
        on_device = torch.from_numpy(indices)
        if self.device.type == "cuda":
            on_device = on_device.pin_memory()
        on_device = on_device.to(self.device, non_blocking=True)
        size = max(1, min(size, len(indices)))
        step = size * self._batches_per_gather(size)
        for start in range(0, len(indices), step):
            images, labels = self._gather(on_device[start : start + step])
            # to autograd each batch is a tensor of its own, not a view: each can be changed in place without the others
            yield from map(list, zip(torch.unsafe_split(images, size), torch.unsafe_split(labels, size), strict=True))

    def _gather(self, indices: torch.Tensor) -> tuple[torch.Tensor, torch.Tensor]:
        images = torch.index_select(self._images, 0, indices)
        if self._split.dtype != self._split.images.dtype.name:
            images = torch.div(images, self._scale)
        return images.view(len(indices), *self._split.element_shape), torch.index_select(self._labels, 0, indices)

    def _batches_per_gather(self, size: int) -> int:
        """How many batches of `size` one gather makes: on a CPU one, because one batch fits into the CPU's cache."""
        if self.device.type == "cpu":
            return 1
        return max(1, _GATHER_BYTES // max(1, size * self._images[:1].nbytes))


def resolve_device(device: Any) -> torch.device:
    """The torch.device that `device` means. Raises `ArgumentError` if this machine does not have it."""
    try:
        resolved = torch.device(device)
        torch.empty(0, device=resolved)
    except (AssertionError, NotImplementedError, RuntimeError, TypeError) as error:
        must_be = f"a device of torch that this machine has: {', '.join(_device_names())}"
        raise errors.ArgumentError("device", device, must_be) from error
    return resolved


def _device_names() -> list[str]:
    """The names of this machine's devices: the CPU, each CUDA device, and Apple's GPU. Rarer kinds are not listed."""
    cuda = [f"cuda:{number}" for number in range(torch.cuda.device_count())]
    return ["cpu", *cuda, *(["mps"] if torch.backends.mps.is_available() else [])]
