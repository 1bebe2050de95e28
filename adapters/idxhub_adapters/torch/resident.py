"""A split that is kept on a device, where its batches are gathered too."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray

from idxhub import Split, errors

_GATHER_BYTES = 1 << 24  # as stored; starting a kernel takes a device as long as gathering several MiB


class Resident:
    """The images and labels of a split on a device, as stored: uint8 (N, H, W) and int64 (N,).

    Called with the indices of a pass, (n,), and a batch size, it yields `[images, labels]` on that device, in the dtype
    and layout asked for. Indices that `send` returned are on the device already.
    """

    def __init__(self, split: Split, device: Any) -> None:
        self.device = resolve_device(device)
        self._split = split
        self._images = torch.from_numpy(split.images).to(self.device)
        self._labels = torch.from_numpy(split.labels).to(self.device)
        # a tensor on the device: if the divisor is a Python number, CUDA multiplies by its reciprocal instead
        self._scale = torch.tensor(255, dtype=torch.float32, device=self.device)
        self._copied: torch.cuda.Event | None = None  # the newest copy of orders

    def send(self, orders: Sequence[NDArray[Any]]) -> Sequence[torch.Tensor]:
        """Copy the orders of several passes to the device, in one transfer that nothing waits for."""
        if self.device.type == "cpu":
            return [torch.from_numpy(each) for each in orders]
        together = torch.from_numpy(np.stack(orders))
        if self.device.type != "cuda":
            return together.to(self.device).unbind()
        sent = together.pin_memory().to(self.device, non_blocking=True)
        self._copied = torch.cuda.Event()  # type: ignore[no-untyped-call]  # torch leaves it so
        self._copied.record(torch.cuda.current_stream(self.device))
        return sent.unbind()

    def __call__(self, indices: NDArray[Any] | torch.Tensor, size: int) -> Iterator[list[torch.Tensor]]:
        """The batches of a pass. Nothing waits for the device."""
        on_device = indices if isinstance(indices, torch.Tensor) else self.send([indices])[0]
        if self._copied is not None:  # perhaps in another stream, for an earlier pass
            stream = torch.cuda.current_stream(self.device)
            stream.wait_event(self._copied)
            on_device.record_stream(stream)
        size = max(1, min(size, len(indices)))
        step = size * self._batches_per_gather(size)
        for start in range(0, len(indices), step):
            images, labels = self._gather(on_device[start : start + step])
            # to autograd each batch is a tensor of its own, not a view: each can be changed in place without the others
            yield from map(list, zip(torch.unsafe_split(images, size), torch.unsafe_split(labels, size), strict=True))

    def __reduce__(self) -> tuple[Any, ...]:
        return Resident, (self._split, self.device)  # a split is pickled as a reference

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
