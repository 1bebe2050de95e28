"""TensorFlow: a `tf.data.Dataset` over the mapped file. The images are not copied into a graph."""

from __future__ import annotations

import itertools
import math
import operator
from collections.abc import Mapping
from typing import Any

import numpy as np
import tensorflow as tf
from numpy.typing import NDArray

from idxhub import Conventions, Split, arguments, errors, hookimpl, order

_ALIGNMENT = 64  # bytes; TensorFlow aborts the process if a tensor starts elsewhere
_GATHER_THREADS = 2  # one gather uses all of the memory's bandwidth; the second fills the time between two gathers
# TensorFlow needs longer to call a function than to gather a batch: one call gathers several batches, which are then
# taken apart.
_BATCHES_PER_GATHER = 8
_BYTES_PER_GATHER = 1 << 22  # at most
_LARGEST_BATCH = 1 << 32  # examples; no IDX file has so many, and TensorFlow has no shape with a dimension of 2**63
_EXAMPLES_PER_GATHER = 256  # without a batch size, when an element is one example


@hookimpl
def idxhub_conventions() -> Conventions:
    """The conventions: layout HWC, and int64 labels."""
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
def idxhub_check(options: Mapping[str, Any], shape: tuple[int, ...]) -> None:
    """Refuse images without pixels, a batch size below 1, values of the wrong type, and programs without eager mode."""
    _check_eager()
    if not math.prod(shape):  # TensorFlow aborts the process
        raise errors.ArgumentError(
            "framework",
            "tensorflow",
            f"another one, because TensorFlow cannot read images of shape {shape}, with no pixel",
        )
    arguments.batching(options)


@hookimpl
def idxhub_dataset(split: Split, options: Mapping[str, Any]) -> tf.data.Dataset:
    """A Dataset of (image, label), or of batches of them, of known cardinality."""
    dataset = _dataset(split, **options)
    dataset.info = split.info  # an attribute of this object: what `map` and similar methods return has none
    return dataset


@hookimpl
def idxhub_batch(images: NDArray[Any], labels: NDArray[Any]) -> tuple[tf.Tensor, tf.Tensor]:
    """Two eager tensors, (B, ...) and (B,), over the arrays' memory if it is aligned."""
    _check_eager()
    return _to_tensor(images), _to_tensor(labels)


def _dataset(
    split: Split, batch_size: int | None = None, shuffle: bool = False, seed: int = 0, drop_last: bool = False
) -> tf.data.Dataset:
    # a Python integer, since the products below may overflow one of NumPy's small integers
    size = _EXAMPLES_PER_GATHER if batch_size is None else min(operator.index(batch_size), _LARGEST_BATCH)
    n = len(split)
    # one row of pixels for each image, so that a gather copies whole rows; the pipeline captures the two tensors
    images = _to_tensor(split.images.reshape(n, math.prod(split.images.shape[1:])))
    labels = _to_tensor(split.labels)
    # TensorFlow would multiply by the reciprocal of a constant, which is not pixel/255. The pipeline makes constants of
    # small tensors, so this one is larger than it need be. With a variable, an iterator could not be saved.
    scale = tf.fill((256,), 255.0) if split.dtype != split.images.dtype else None

    def gather(indices: tf.Tensor) -> tuple[tf.Tensor, tf.Tensor]:
        flat = tf.reshape(indices, (-1,))
        batch = tf.gather(images, flat)
        if scale is not None:
            batch = tf.cast(batch, tf.float32) / scale[0]
        shape = tf.concat([tf.shape(indices), split.element_shape], 0)
        static_shape = tf.TensorShape([*indices.shape, *split.element_shape])
        batch = tf.ensure_shape(tf.reshape(batch, shape), static_shape)
        return batch, tf.reshape(tf.gather(labels, flat), tf.shape(indices))

    image_bytes = images[:1].shape[1] * np.dtype(split.dtype).itemsize
    per_gather = max(1, min(_BATCHES_PER_GATHER, _BYTES_PER_GATHER // max(1, size * image_bytes)))
    drop_last = drop_last and batch_size is not None
    dataset = _batch_indices(n, size, per_gather, shuffle=shuffle, seed=seed, drop_last=drop_last)
    dataset = dataset.map(gather, num_parallel_calls=_GATHER_THREADS, deterministic=True).unbatch()
    if batch_size is None:
        dataset = dataset.unbatch()
    count = n if batch_size is None else n // size if drop_last else -(-n // size)
    dataset = dataset.apply(tf.data.experimental.assert_cardinality(count)).prefetch(_BATCHES_PER_GATHER)
    options = tf.data.Options()
    # the optimiser would copy all that the pipeline captures, images included, into a graph of its own
    options.experimental_optimization.apply_default_optimizations = False
    # nothing here is left to tune, and the model that autotuning keeps takes a fifth of a step
    options.autotune.enabled = False
    # by default tf.distribute shards by files, and this dataset has none
    options.experimental_distribute.auto_shard_policy = tf.data.experimental.AutoShardPolicy.DATA
    return dataset.with_options(options)


def _batch_indices(n: int, size: int, per_gather: int, *, shuffle: bool, seed: int, drop_last: bool) -> tf.data.Dataset:
    """Elements int64 (k, size): the indices of up to `per_gather` batches. A last short batch is an element of its own.

    With `shuffle` each pass over the dataset is the next epoch.
    """
    epochs = itertools.count()

    def epoch(_: tf.Tensor) -> tf.Tensor:
        return tf.ensure_shape(tf.numpy_function(lambda: order(n, seed, next(epochs)), [], tf.int64), (n,))

    def batches(indices: tf.Tensor) -> tf.data.Dataset:
        full = tf.data.Dataset.from_tensor_slices(tf.reshape(indices[: n // size * size], (-1, size))).batch(per_gather)
        if drop_last:
            return full
        # concatenated even if it is empty: the element_spec then has batches of any length, as after Dataset.batch
        short = tf.data.Dataset.from_tensors(indices[None, n // size * size :]).take(min(n % size, 1))
        return full.concatenate(short)

    if shuffle:
        # not from_generator, which sets malloc's thresholds for the whole process: the memory of each batch would be
        # requested from the system again
        whole = tf.data.Dataset.range(1).map(epoch)
    else:
        whole = tf.data.Dataset.from_tensors(tf.range(n, dtype=tf.int64))
    return whole.flat_map(batches)


def _check_eager() -> None:
    """Refuse a program that has switched to the graphs of TensorFlow 1, in which a tensor has no memory."""
    if not tf.compat.v1.executing_eagerly_outside_functions():
        must_be = "'numpy' in a program that has called tf.compat.v1.disable_eager_execution or disable_v2_behavior"
        raise errors.ArgumentError("framework", "tensorflow", must_be)


def _to_tensor(array: NDArray[Any]) -> tf.Tensor:
    """A tensor over the array's own memory if that is aligned, otherwise over a copy."""
    if array.size and array.ctypes.data % _ALIGNMENT == 0:
        return tf.experimental.dlpack.from_dlpack(array.__dlpack__())
    return tf.constant(array)
