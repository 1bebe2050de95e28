"""TensorFlow: a `tf.data.Dataset` over the mapped file; the images are not copied into a graph."""

from __future__ import annotations

import itertools
import math
from collections.abc import Iterator, Mapping
from typing import Any

import numpy as np
import tensorflow as tf
from numpy.typing import NDArray

from idxhub import Conventions, Split, hookimpl, order

_ALIGNMENT = 64  # bytes; TensorFlow ends the process over a tensor that starts elsewhere
_THREADS = 2  # one gather fills memory's bandwidth; the second hides the time between two


@hookimpl
def idxhub_conventions() -> Conventions:
    """HWC, int64 labels."""
    return Conventions(
        layout="HWC",
        label_dtype="int64",
        options={
            "batch_size": "how many examples an element has; by default an element is one example",
            "shuffle": "whether each iteration is an epoch of the shared order (False)",
            "seed": "the seed of that order (0)",
            "drop_last": "whether a last batch that is short is left out (False)",
        },
    )


@hookimpl
def idxhub_dataset(split: Split, options: Mapping[str, Any]) -> tf.data.Dataset:
    """A Dataset of (image, label), or of batches of them, of known cardinality."""
    return _dataset(split, **options)


@hookimpl
def idxhub_batch(images: NDArray[Any], labels: NDArray[Any]) -> tuple[tf.Tensor, tf.Tensor]:
    """Two eager tensors, the images in the array's own memory."""
    return _tensor(images), _tensor(labels)


def _dataset(
    split: Split, batch_size: int | None = None, shuffle: bool = False, seed: int = 0, drop_last: bool = False
) -> tf.data.Dataset:
    n, size = len(split), batch_size or 256  # without a batch size, what is gathered at once and then taken apart
    # flat, so that a gather copies whole rows; as tensors that the pipeline captures, not as constants of its graph
    images, labels = _tensor(split.images.reshape(n, math.prod(split.images.shape[1:]))), _tensor(split.labels)
    # not a constant either: TensorFlow would multiply by its reciprocal, which is not pixel/255
    scale = tf.Variable(255.0) if split.dtype != split.images.dtype else None

    def gather(where: tf.Tensor) -> tuple[tf.Tensor, tf.Tensor]:
        batch = tf.gather(images, where)
        if scale is not None:
            batch = tf.cast(batch, tf.float32) / scale
        return tf.reshape(batch, (-1, *split.element_shape)), tf.gather(labels, where)

    dataset = _indices(n, size, shuffle=shuffle, seed=seed, drop_last=drop_last and batch_size is not None)
    dataset = dataset.map(gather, num_parallel_calls=_THREADS, deterministic=True)
    if batch_size is None:
        dataset = dataset.unbatch()
    count = n if batch_size is None else n // size if drop_last else -(-n // size)
    dataset = dataset.apply(tf.data.experimental.assert_cardinality(count)).prefetch(_THREADS)
    # the optimiser would write all that the pipeline captures, images included, into a graph of its own
    as_it_stands = tf.data.Options()
    as_it_stands.experimental_optimization.apply_default_optimizations = False
    # by themselves several workers take turns with files, and this has none
    as_it_stands.experimental_distribute.auto_shard_policy = tf.data.experimental.AutoShardPolicy.DATA
    return dataset.with_options(as_it_stands)


def _indices(n: int, size: int, *, shuffle: bool, seed: int, drop_last: bool) -> tf.data.Dataset:
    """Batches of indices; each iteration over a shuffled one is the next epoch."""
    if not shuffle:
        return tf.data.Dataset.range(n).batch(size, drop_remainder=drop_last)
    epochs = itertools.count()

    def epoch() -> Iterator[NDArray[np.int64]]:
        yield order(n, seed, next(epochs))

    def batches(indices: tf.Tensor) -> tf.data.Dataset:
        full = tf.data.Dataset.from_tensor_slices(tf.reshape(indices[: n // size * size], (-1, size)))
        if drop_last:
            return full
        # added even where there is none: the spec then has batches of any length, as after Dataset.batch
        rest = tf.data.Dataset.from_tensors(indices[n // size * size :]).take(min(n % size, 1))
        return full.concatenate(rest)

    whole = tf.data.Dataset.from_generator(epoch, output_signature=tf.TensorSpec((n,), tf.int64))
    return whole.flat_map(batches)


def _tensor(array: NDArray[Any]) -> tf.Tensor:
    """A tensor over the array's memory where TensorFlow can use it, otherwise of a copy."""
    if array.size and array.ctypes.data % _ALIGNMENT == 0:
        return tf.experimental.dlpack.from_dlpack(array.__dlpack__())
    return tf.constant(array)
