"""TensorFlow: a `tf.data.Dataset` over the mapped file; the images are not copied into a graph."""

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

_ALIGNMENT = 64  # bytes; TensorFlow ends the process over a tensor that starts elsewhere
_THREADS = 2  # one gather fills memory's bandwidth; the second hides the time between two
# A call of a function costs TensorFlow more than the gather of a batch: several are gathered by one, then taken apart.
_TOGETHER = 8  # batches
_MOST = 1 << 22  # bytes of them
_BLOCK = 256  # examples gathered at once where an element is one example


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
def idxhub_check(options: Mapping[str, Any], shape: tuple[int, ...]) -> None:
    """Batches need a size of 1 or more, an order its seed, images a pixel."""
    if not math.prod(shape):  # TensorFlow ends the process over them
        raise errors.ArgumentError("framework", "tensorflow", f"another one for images of shape {shape}, with no pixel")
    if options.get("batch_size") is not None:
        arguments.integer("batch_size", options["batch_size"], 1)
    elif arguments.boolean("drop_last", options.get("drop_last", False)):
        raise errors.ArgumentError("drop_last", options["drop_last"], "False where there is no batch_size")
    arguments.boolean("drop_last", options.get("drop_last", False))
    arguments.boolean("shuffle", options.get("shuffle", False))
    arguments.integer("seed", options.get("seed", 0))


@hookimpl
def idxhub_dataset(split: Split, options: Mapping[str, Any]) -> tf.data.Dataset:
    """A Dataset of (image, label), or of batches of them, of known cardinality."""
    dataset = _dataset(split, **options)
    dataset.info = split.info  # of this object; what map and its like make of it has none
    return dataset


@hookimpl
def idxhub_batch(images: NDArray[Any], labels: NDArray[Any]) -> tuple[tf.Tensor, tf.Tensor]:
    """Two eager tensors, the images in the array's own memory."""
    return _tensor(images), _tensor(labels)


def _dataset(
    split: Split, batch_size: int | None = None, shuffle: bool = False, seed: int = 0, drop_last: bool = False
) -> tf.data.Dataset:
    # an integer of Python's: one of NumPy's may be too small for the sums that follow
    n, size = len(split), _BLOCK if batch_size is None else operator.index(batch_size)
    # flat, so that a gather copies whole rows; as tensors that the pipeline captures, not as constants of its graph
    images, labels = _tensor(split.images.reshape(n, math.prod(split.images.shape[1:]))), _tensor(split.labels)
    # not a constant either: TensorFlow would multiply by its reciprocal, which is not pixel/255
    scale = tf.Variable(255.0) if split.dtype != split.images.dtype else None

    def gather(where: tf.Tensor) -> tuple[tf.Tensor, tf.Tensor]:
        each = tf.reshape(where, (-1,))
        batch = tf.gather(images, each)
        if scale is not None:
            batch = tf.cast(batch, tf.float32) / scale
        shape = tf.concat([tf.shape(where), split.element_shape], 0)
        known = tf.TensorShape([*where.shape, *split.element_shape])
        return tf.ensure_shape(tf.reshape(batch, shape), known), tf.reshape(tf.gather(labels, each), tf.shape(where))

    row = images[:1].shape[1] * np.dtype(split.dtype).itemsize
    together = max(1, min(_TOGETHER, _MOST // max(1, size * row)))
    dataset = _indices(n, size, together, shuffle=shuffle, seed=seed, drop_last=drop_last and batch_size is not None)
    dataset = dataset.map(gather, num_parallel_calls=_THREADS, deterministic=True).unbatch()
    if batch_size is None:
        dataset = dataset.unbatch()
    count = n if batch_size is None else n // size if drop_last else -(-n // size)
    dataset = dataset.apply(tf.data.experimental.assert_cardinality(count)).prefetch(_TOGETHER)
    # the optimiser would write all that the pipeline captures, images included, into a graph of its own
    as_it_stands = tf.data.Options()
    as_it_stands.experimental_optimization.apply_default_optimizations = False
    # nothing here is left to be tuned, and the model that tuning keeps costs a fifth of a step
    as_it_stands.autotune.enabled = False
    # by themselves several workers take turns with files, and this has none
    as_it_stands.experimental_distribute.auto_shard_policy = tf.data.experimental.AutoShardPolicy.DATA
    return dataset.with_options(as_it_stands)


def _indices(n: int, size: int, together: int, *, shuffle: bool, seed: int, drop_last: bool) -> tf.data.Dataset:
    """Indices (k, size) of up to `together` batches, the last short one alone; each pass when shuffled is an epoch."""
    epochs = itertools.count()

    def epoch(_: tf.Tensor) -> tf.Tensor:
        return tf.ensure_shape(tf.numpy_function(lambda: order(n, seed, next(epochs)), [], tf.int64), (n,))

    def batches(indices: tf.Tensor) -> tf.data.Dataset:
        full = tf.data.Dataset.from_tensor_slices(tf.reshape(indices[: n // size * size], (-1, size))).batch(together)
        if drop_last:
            return full
        # added even where there is none: the spec then has batches of any length, as after Dataset.batch
        rest = tf.data.Dataset.from_tensors(indices[None, n // size * size :]).take(min(n % size, 1))
        return full.concatenate(rest)

    if shuffle:
        # from_generator sets malloc's thresholds for the whole process, so that each batch's memory is mapped afresh
        whole = tf.data.Dataset.range(1).map(epoch)
    else:
        whole = tf.data.Dataset.from_tensors(tf.range(n, dtype=tf.int64))
    return whole.flat_map(batches)


def _tensor(array: NDArray[Any]) -> tf.Tensor:
    """A tensor over the array's memory where TensorFlow can use it, otherwise of a copy."""
    if array.size and array.ctypes.data % _ALIGNMENT == 0:
        return tf.experimental.dlpack.from_dlpack(array.__dlpack__())
    return tf.constant(array)
