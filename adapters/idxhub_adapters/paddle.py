"""PaddlePaddle: a map-style `paddle.io.Dataset`, or with `batch_size=` an iterable one of whole batches."""

from __future__ import annotations

import operator
import sys
from collections.abc import Iterator, Mapping
from typing import Any

import numpy as np
from numpy.typing import NDArray

from idxhub import Conventions, DatasetInfo, Split, arguments, as_layout, errors, hookimpl, order, to_float32

if "tensorflow" in sys.modules and "paddle" not in sys.modules:  # the process would end with a segmentation fault
    raise errors.MissingFrameworkError("PaddlePaddle crashes if TensorFlow was imported before: import paddle first")

import paddle


@hookimpl
def idxhub_conventions() -> Conventions:
    """The conventions: layout CHW, and int64 labels."""
    return Conventions(
        layout="CHW",
        label_dtype="int64",
        options={
            "batch_size": "how many examples an element has; by default an element is one example",
            "shuffle": "whether each iteration over the batches is an epoch of the shared order (False)",
            "seed": "the seed of that order (0)",
            "drop_last": "whether a last batch that is short is left out (False)",
        },
    )


@hookimpl
def idxhub_check(options: Mapping[str, Any]) -> None:
    """Refuse a batch size below 1, values of the wrong type, and what needs a batch size that is not given."""
    arguments.batching(options, need_batches=("shuffle", "drop_last"))


@hookimpl
def idxhub_dataset(split: Split, options: Mapping[str, Any]) -> IdxDataset | IdxBatches:
    """A map-style Dataset, or an IterableDataset of batches."""
    if options.get("batch_size") is None:
        return IdxDataset(split)
    return IdxBatches(split, **options)


@hookimpl
def idxhub_batch(images: NDArray[Any], labels: NDArray[Any]) -> list[paddle.Tensor]:
    """`[images, labels]`, as a DataLoader gives them: tensors (B, ...) and (B,) on Paddle's current device."""
    return [paddle.to_tensor(images), paddle.to_tensor(labels)]


class IdxDataset(paddle.io.Dataset):  # type: ignore[misc]  # Paddle is not installed where types are checked
    """Images and labels as a map-style dataset. An element is `(image, label)`.

    The image is a NumPy array: uint8 (1, 28, 28), or float32 of pixel/255; it is a copy. The label is an int64. A
    DataLoader stacks arrays faster than tensors, and its batches are tensors in either case.
    """

    def __init__(self, split: Split) -> None:
        super().__init__()
        self._split = split
        self._images = as_layout(split.images, split.layout)
        self._scale = split.dtype != split.images.dtype

    @property
    def classes(self) -> list[str]:
        """`classes[i]` is the name of label i."""
        return list(self._split.classes)

    @property
    def info(self) -> DatasetInfo:
        """The dataset, split and description, and where each file came from."""
        return self._split.info

    def __len__(self) -> int:
        return len(self._split)

    def __getitem__(self, index: Any) -> tuple[NDArray[Any], Any]:
        """An image and its label; of a slice, several images, (B, 1, 28, 28), and labels, (B,)."""
        image = self._images[index]
        return to_float32(image) if self._scale else image.copy(), self._split.labels[index]

    def __getstate__(self) -> dict[str, Any]:
        return {name: value for name, value in vars(self).items() if name != "_images"}

    def __setstate__(self, state: dict[str, Any]) -> None:
        self.__dict__.update(state)
        self._images = as_layout(self._split.images, self._split.layout)


class IdxBatches(paddle.io.IterableDataset):  # type: ignore[misc]  # as above
    """Batches `[images, labels]` of tensors, each gathered in one step. Each iteration is the next epoch.

    Iterate over it, or give it to `DataLoader(batches, batch_size=None)`, without worker processes.
    """

    def __init__(
        self, split: Split, batch_size: int, shuffle: bool = False, seed: int = 0, drop_last: bool = False
    ) -> None:
        super().__init__()
        self._split, self._size, self._drop_last = split, operator.index(batch_size), drop_last
        self._shuffle, self._seed, self.epoch = shuffle, seed, 0

    classes, info = IdxDataset.classes, IdxDataset.info

    def __len__(self) -> int:
        """The number of batches."""
        n = len(self._split)
        return n // self._size if self._drop_last else -(-n // self._size)

    def __iter__(self) -> Iterator[list[paddle.Tensor]]:
        """The batches of the epoch `epoch`, which is then increased by 1."""
        worker = paddle.io.get_worker_info()
        if worker is not None:  # each worker would read all batches, of the same epoch each time
            raise RuntimeError("a dataset of batches is read without worker processes: write num_workers=0")
        n = len(self._split)
        indices = order(n, self._seed, self.epoch) if self._shuffle else np.arange(n)
        self.epoch += 1
        starts = range(0, len(self) * self._size, self._size)
        return (self._gather(indices[start : start + self._size]) for start in starts)

    def _gather(self, indices: NDArray[np.int64]) -> list[paddle.Tensor]:
        return idxhub_batch(self._split.gather(indices), self._split.labels.take(indices))
