"""A batch that was gathered in one step, and that reads as the list of its elements."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray
from torch.utils._pytree import register_pytree_node
from torch.utils.data import Dataset, default_collate
from torch.utils.data._utils.collate import default_collate_fn_map


class Sample(tuple[Any, Any]):
    """An element of a `GatheredBatch`. By this type default collation finds `collate_samples`."""

    __slots__ = ()


class GatheredBatch(Sequence[tuple[Any, Any]]):
    """The elements of a dataset at `rows`. Default collation takes `images` and `labels`, (B, ...), instead.

    A `collate_fn` that reads the elements gets what the dataset gives, PIL images for example. `element` makes it of
    one image; if it is None, the dataset is asked.
    """

    def __init__(
        self,
        dataset: Dataset[Any],
        rows: NDArray[np.int64],
        images: torch.Tensor,
        labels: torch.Tensor,
        element: Callable[[torch.Tensor], Any] | None,
    ) -> None:
        self._dataset, self._rows, self._element = dataset, rows, element
        self.images, self.labels = images, labels

    def __len__(self) -> int:
        return len(self._rows)

    def __getitem__(self, index: Any) -> Any:
        if isinstance(index, slice):
            return [self[number] for number in range(len(self))[index]]
        if self._element is None:
            return Sample(self._dataset[self._rows[index].item()])
        label = self.labels[index]
        return Sample((self._element(self.images[index]), label if label.ndim else label.item()))

    def __add__(self, other: Iterable[Any]) -> list[Any]:
        return [*self, *other]

    def __radd__(self, other: Iterable[Any]) -> list[Any]:
        return [*other, *self]


def collate_samples(batch: Sequence[tuple[Any, Any]], **_: Any) -> Any:
    """`[images, labels]` of a batch whose elements are of type `Sample`: what default collation calls."""
    if isinstance(batch, GatheredBatch):
        return [batch.images, batch.labels]
    return default_collate([tuple(sample) for sample in batch])


# torch documents this registry as the way to add an element type to default collation
default_collate_fn_map[Sample] = collate_samples

# torch's functions for nested containers, which torchvision's v2 transforms use, would take these types for leaves
register_pytree_node(Sample, lambda sample: (list(sample), None), lambda items, _: tuple(items))
register_pytree_node(GatheredBatch, lambda batch: (list(batch), None), lambda items, _: list(items))
