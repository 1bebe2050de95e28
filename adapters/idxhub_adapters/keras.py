"""Keras: a `keras.utils.PyDataset` of NumPy batches, which Keras gives to TensorFlow, JAX or PyTorch."""

from __future__ import annotations

import functools
import operator
from collections.abc import Mapping
from typing import Any, SupportsIndex

import numpy as np
from numpy.typing import NDArray

from idxhub import Conventions, DatasetInfo, Split, arguments, errors, hookimpl, order

_BACKENDS = ("tensorflow", "jax", "torch")

try:
    import keras
except ModuleNotFoundError as error:
    missing = (error.name or "").partition(".")[0]
    if missing not in _BACKENDS:
        raise
    others = " or ".join(backend for backend in _BACKENDS if backend != missing)
    raise errors.MissingFrameworkError(
        f"Keras needs its backend {missing}, which is not installed; install it, or choose one that is installed: "
        f"set the environment variable KERAS_BACKEND to {others}",
        name=missing,
    ) from error


@hookimpl
def idxhub_conventions() -> Conventions:
    """The conventions: layout HWC, and int32 labels, because Keras' integers are int32 on each of its backends."""
    return Conventions(
        layout="HWC",
        label_dtype="int32",
        options={
            "batch_size": "how many examples a batch has (32, as in Model.fit)",
            "shuffle": "whether each epoch has the shared order (False)",
            "seed": "the seed of that order (0)",
            "drop_last": "whether a last batch that is short is left out (False)",
        },
    )


@hookimpl
def idxhub_check(options: Mapping[str, Any]) -> None:
    """Refuse a batch size below 1, and values of the wrong type."""
    arguments.integer("batch_size", options.get("batch_size", 1), 1)
    arguments.boolean("shuffle", options.get("shuffle", False))
    arguments.integer("seed", options.get("seed", 0))
    arguments.boolean("drop_last", options.get("drop_last", False))


@hookimpl
def idxhub_dataset(split: Split, options: Mapping[str, Any]) -> IdxPyDataset:
    """A PyDataset. Its element i is batch i."""
    return IdxPyDataset(split, **options)


@hookimpl
def idxhub_batch(images: NDArray[Any], labels: NDArray[Any]) -> tuple[NDArray[Any], NDArray[Any]]:
    """`(images, labels)`, what `train_on_batch` and the functions of `keras.ops` take on every backend."""
    return images, labels


class IdxPyDataset(keras.utils.PyDataset):  # type: ignore[misc]  # Keras has no types: mypy knows nothing of the class
    """Batches of images and labels, for `Model.fit`, `evaluate` and `predict`.

    Element i is batch i, `(images, labels)`: uint8 (B, 28, 28, 1), or float32 of pixel/255, and int32 (B,). The arrays
    are copies. With `shuffle`, the batches are those of `epoch` in the shared order. `epoch` begins with 0, and may be
    assigned. Keras' own call of `on_epoch_end` makes it the next one.
    """

    def __init__(
        self, split: Split, batch_size: int = 32, shuffle: bool = False, seed: int = 0, drop_last: bool = False
    ) -> None:
        super().__init__()
        # Python integers, because products of NumPy's small integers may overflow
        self.batch_size, self.seed, self.epoch = operator.index(batch_size), operator.index(seed), 0
        self.shuffle, self.drop_last = shuffle, drop_last
        self._split = split
        self._batches_read: set[int] = set()

    @property
    def class_names(self) -> list[str]:
        """`class_names[i]` is the name of label i."""
        return list(self._split.classes)

    @property
    def num_examples(self) -> int:
        """The number of examples of the split."""
        return len(self._split)

    @property
    def info(self) -> DatasetInfo:
        """The dataset, split and description, and where each file came from."""
        return self._split.info

    def __len__(self) -> int:
        """The number of batches."""
        whole, rest = divmod(self.num_examples, self.batch_size)
        return whole + (rest > 0 and not self.drop_last)

    def __getitem__(self, index: SupportsIndex) -> tuple[NDArray[Any], NDArray[np.int32]]:
        """Batch `index`; a negative index counts from the end."""
        number, count = operator.index(index), len(self)
        if not -count <= number < count:
            raise IndexError(f"batch {number} is out of range for {count} batches")
        start = number % count * self.batch_size
        stop = min(start + self.batch_size, self.num_examples)
        if self.shuffle:
            where = _epoch_order(self.num_examples, self.seed, self.epoch)[start:stop]
        else:
            where = np.arange(start, stop)
        self._batches_read.add(number % count)
        return self._split.gather(where), self._split.labels[where]

    def on_epoch_begin(self) -> None:
        """What Keras calls before it reads the batches of an epoch."""
        self._batches_read.clear()

    def on_epoch_end(self) -> None:
        """Go to the next epoch if all batches of this one were read.

        Keras calls this after an epoch, and also after it has read one or two batches to learn their shapes.
        """
        self.epoch += len(self._batches_read) == len(self)
        self._batches_read.clear()

    def __repr__(self) -> str:
        info = self.info
        return f"{type(self).__name__}({info.dataset!r}, split={info.split!r}, {len(self):,} batches)"

    def _repr_html_(self) -> str:
        return self._split.to_html(type(self).__name__, [("batches", f"{len(self):,} of {self.batch_size:,}")])


_epoch_order = functools.lru_cache(maxsize=8)(order)  # train and validation data, and an epoch that ends
