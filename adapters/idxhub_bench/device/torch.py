"""A device of PyTorch."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from typing import Any

import torch
from numpy.typing import NDArray


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

    def keep(self, images: NDArray[Any], labels: NDArray[Any]) -> ByHand:
        return ByHand(torch.from_numpy(images).to(self._device), torch.from_numpy(labels).to(self._device))


class ByHand:
    """Tensors on a device."""

    def __init__(self, images: torch.Tensor, labels: torch.Tensor) -> None:
        self._images, self._labels = images, labels

    def passes(self, size: int) -> Callable[[], Iterator[Any]]:
        def begin() -> Iterator[Any]:
            order = torch.randperm(len(self._labels), device=self._labels.device)
            for start in range(0, len(order), size):
                rows = order[start : start + size]
                yield self._images[rows], self._labels[rows]

        return begin

    def whole_epoch(self, size: int) -> Callable[[NDArray[Any]], Any]:
        """On a GPU one CUDA graph has the kernels of all batches. A CPU has no such graphs, so there it is a loop."""
        count, device = len(self._labels) // size, self._labels.device
        order = torch.zeros(count * size, dtype=torch.int64, device=device)
        of_pixels = torch.zeros(count, dtype=torch.float32 if self._images.is_floating_point() else torch.int64)
        sums = [each.to(device) for each in (of_pixels, torch.zeros(count, dtype=torch.int64))]

        def gather_all() -> None:
            for number in range(count):
                rows = order[number * size : (number + 1) * size]
                for source, into in zip((self._images, self._labels), sums, strict=True):
                    into[number] = torch.index_select(source, 0, rows).sum(dtype=into.dtype)

        call = _capture(gather_all) if device.type == "cuda" else gather_all

        def epoch(indices: NDArray[Any]) -> Any:
            given = torch.from_numpy(indices[: count * size])
            order.copy_(given.pin_memory() if device.type == "cuda" else given, non_blocking=True)
            call()
            return sums

        return epoch


def _capture(call: Callable[[], None]) -> Callable[[], None]:
    """What `call` asks the device for, as one CUDA graph."""
    stream = torch.cuda.Stream()  # type: ignore[no-untyped-call]  # torch leaves it so
    stream.wait_stream(torch.cuda.current_stream())
    with torch.cuda.stream(stream):  # a first call, in which CUDA loads kernels, must not be captured
        call()
    torch.cuda.current_stream().wait_stream(stream)
    graph = torch.cuda.CUDAGraph()
    with torch.cuda.graph(graph):
        call()
    replay: Callable[[], None] = graph.replay
    return replay
