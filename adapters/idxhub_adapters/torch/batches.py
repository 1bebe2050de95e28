"""Batches of the dataset on their way through a DataLoader: gathered, collated, and sent from a worker process."""

from __future__ import annotations

import sys
from collections.abc import Iterable, Iterator, Sequence
from typing import Any

import torch
from numpy.typing import NDArray
from torch.utils._pytree import register_pytree_node
from torch.utils.data import get_worker_info
from torch.utils.data._utils import fetch
from torch.utils.data._utils.collate import default_collate_fn_map

from idxhub import Arrays

# Larger tensors go through shared memory. Measured: from about this size on, that is faster than the pipe.
_LARGEST_SENT_BY_VALUE = 1 << 19  # bytes


class Sample(tuple[torch.Tensor, Any]):
    """An element of a `GatheredBatch`: (image, label). By this type default_collate finds `collate_samples`."""

    __slots__ = ()


class GatheredBatch(Sequence[tuple[Any, Any]]):
    """B images and labels gathered in one step, which read as a sequence of B elements.

    So a `collate_fn` that expects a list of elements works. A slice of it, and a sum with another list, is a list.
    """

    def __init__(self, images: NDArray[Any], labels: NDArray[Any]) -> None:
        self.arrays = Arrays(images, labels)

    def __len__(self) -> int:
        return len(self.arrays.labels)

    def __getitem__(self, index: Any) -> Any:
        if isinstance(index, slice):
            return list(self)[index]
        return Sample((torch.from_numpy(self.arrays.images[index, ...]), self.arrays.labels[index].item()))

    def __iter__(self) -> Iterator[Sample]:
        images, labels = self.tensors()
        return (Sample(pair) for pair in zip(images, labels.tolist(), strict=True))

    def tensors(self) -> list[torch.Tensor]:
        """`[images, labels]`, (B, ...) and (B,), as default_collate would have stacked them."""
        return [torch.from_numpy(array) for array in self.arrays]

    def __add__(self, other: Iterable[Any]) -> list[Any]:
        return [*self, *other]

    def __radd__(self, other: Iterable[Any]) -> list[Any]:
        return [*other, *self]


def collate_samples(batch: Sequence[tuple[torch.Tensor, Any]], **_: Any) -> list[torch.Tensor]:
    """`[images, labels]` of a batch whose elements are of type `Sample`: what default_collate calls."""
    if isinstance(batch, GatheredBatch):
        return WorkerBatch(batch.tensors()) if _is_sent_next() else batch.tensors()
    return [torch.stack([image for image, _ in batch]), torch.tensor([label for _, label in batch], device="cpu")]


# torch documents this registry as the way to add an element type to default_collate
default_collate_fn_map[Sample] = collate_samples

# torch's functions for nested containers, which torchvision's v2 transforms use, would take these types for leaves
register_pytree_node(Sample, lambda sample: (list(sample), None), lambda items, _: tuple(items))
register_pytree_node(GatheredBatch, lambda batch: (list(batch), None), lambda items, _: list(items))


class WorkerBatch(list[torch.Tensor]):
    """`[images, labels]` that a worker process sends next. The main process receives a plain list.

    torch sends a tensor as a file in shared memory and a handshake over a socket. That is cheap for megabytes, but for
    128 images of 28x28 it takes longer than everything else that is done for them. So small tensors are sent as bytes.
    """

    def __reduce__(self) -> tuple[Any, ...]:
        return list, ([TensorAsBytes(item) if item.nbytes <= _LARGEST_SENT_BY_VALUE else item for item in self],)


class TensorAsBytes:
    """A tensor that is pickled as its bytes, and unpickled as a tensor."""

    def __init__(self, tensor: torch.Tensor) -> None:
        self.tensor = tensor

    def __reduce__(self) -> tuple[Any, ...]:
        return torch.from_numpy, (self.tensor.numpy(),)


def _is_sent_next() -> bool:
    """Whether a worker process sends what `collate_samples` returns, as it is.

    That is so if the worker's fetcher called default_collate itself. What a user's `collate_fn` gets is a plain list:
    functions for nested containers, such as those of JAX, know containers by their exact types.
    """
    if get_worker_info() is None:
        return False
    # above this function: collate_samples, collate, default_collate
    caller = sys._getframe(4)  # noqa: SLF001 -- documented, in spite of its name
    return bool(caller.f_globals["__name__"] == fetch.__name__)
