"""TensorFlow: idxhub's pipeline and loader, and Keras' arrays in tf.data."""

from __future__ import annotations

import math
import os
from collections.abc import Iterator
from typing import Any

import numpy as np
import tensorflow as tf
from numpy.typing import NDArray

from idxhub_bench.load.contenders import hub
from idxhub_bench.load.contenders.base import Contender, InMemory
from idxhub_bench.load.touch import KEY, PassRecord, weights


class TensorFlow(Contender):
    """What the rows of TensorFlow share. An opened dataset ends with a dictionary: a pipeline for each batch size."""

    def batches(self, dataset: Any, size: int, dtype: str, workers: int = 0) -> Iterator[Any]:
        pipelines = dataset[-1]
        if size not in pipelines:  # made once for all epochs
            pipelines[size] = self.pipeline(dataset, size, dtype)
        return iter(pipelines[size])

    def pipeline(self, dataset: Any, size: int, dtype: str) -> Any:
        """An iterable that gives a new epoch each time."""
        raise NotImplementedError

    def arrays(self, batch: Any) -> tuple[NDArray[Any], NDArray[Any]]:
        """Views of the tensors' memory: `.numpy()` would copy."""
        images, labels = batch
        return np.asarray(memoryview(images)), np.asarray(memoryview(labels))

    def threads(self) -> dict[str, int]:
        threading = tf.config.threading
        found = {
            "inter-op": threading.get_inter_op_parallelism_threads(),
            "intra-op": threading.get_intra_op_parallelism_threads(),
        }
        return {name: count or os.cpu_count() or 1 for name, count in found.items()}  # 0 stands for all cores


class Pipeline(TensorFlow, hub.Dataset):
    """`get_dataset(framework="tensorflow", batch_size=..., shuffle=True)`; each batch size is a dataset of its own."""

    framework = "tensorflow"

    def open(self, dtype: str) -> Any:
        return super().open(dtype), {}

    def pipeline(self, dataset: Any, size: int, dtype: str) -> Any:
        options = {"batch_size": size, "shuffle": True, "cache_dir": self.place.folder("cache")}
        return self.get(dtype=dtype, **options)


class InGraph(TensorFlow):
    """Iterates inside one `tf.function`, as `model.fit` does, and reads each batch by operations of TensorFlow."""

    compiles = True

    def read(self, dataset: Any, size: int, dtype: str, workers: int = 0, limit: int | None = None) -> PassRecord:
        self.batches(dataset, size, dtype, workers)
        pipelines = dataset[-1]
        if ("loop", size, limit) not in pipelines:  # traced once for all epochs
            pipeline = pipelines[size] if limit is None else pipelines[size].take(max(1, limit // size))
            pipelines["loop", size, limit] = reading_loop(pipeline)
        sizes, labels, keys, sums = (found.numpy() for found in pipelines["loop", size, limit]())
        seen = PassRecord()
        seen.add(pipelines[size].element_spec[0].dtype.name, sizes.tolist(), labels, keys, sums)
        return seen


class PipelineInGraph(InGraph, Pipeline):
    """idxhub's pipeline."""


class Loader(hub.Loader):
    """`get_loader(framework="tensorflow")`."""

    framework = "tensorflow"
    arrays, threads = TensorFlow.arrays, TensorFlow.threads


class Keras(TensorFlow, InMemory):
    """`keras.datasets`, then `from_tensor_slices`, shuffle, batch, map, prefetch, as tf.data's pages advise."""

    def cold(self, folder: str) -> Any:
        return tf.keras.datasets.fashion_mnist.load_data()

    def open(self, dtype: str) -> Any:
        train, test = tf.keras.datasets.fashion_mnist.load_data()
        return *train, test, {}

    def pipeline(self, dataset: Any, size: int, dtype: str) -> Any:
        images, labels, _, pipelines = dataset
        if "source" not in pipelines:  # one copy of the arrays for all batch sizes
            pipelines["source"] = tf.data.Dataset.from_tensor_slices((images, labels))
        return self.shuffled(pipelines["source"], size, dtype)

    def shuffled(self, source: Any, size: int, dtype: str) -> Any:
        """Map after batch: the map works on whole batches."""
        return mapped_batches(source, size, dtype)

    def small(self) -> None:
        """Keras looks for the folder of its files only once, when it is imported."""


class KerasInGraph(InGraph, Keras):
    """The same inside one `tf.function`."""


class KerasMapFirst(Keras):
    """The same with the map before the batch, one example at a time, as in tutorials."""

    def shuffled(self, source: Any, size: int, dtype: str) -> Any:
        if dtype == "float32":
            source = source.map(_scaled, num_parallel_calls=tf.data.AUTOTUNE)
        return mapped_batches(source, size, "uint8")


def reading_loop(pipeline: Any) -> Any:
    """A function that reads an epoch: the size of each batch, all labels, all keys, and the sum of each batch.

    Keys and sums are those of `touch.fingerprint`.
    """
    images, labels = pipeline.element_spec
    exact = images.dtype == tf.uint8
    pixels = math.prod(images.shape[1:])
    factors = tf.constant(weights(pixels))

    def fingerprint(batch: Any) -> tuple[Any, Any]:
        if exact:
            words = tf.bitcast(tf.reshape(batch, (-1, pixels // 8, 8)), tf.uint64)
            return words[:, KEY], tf.reduce_sum(words)
        return tf.linalg.matvec(tf.reshape(batch, (-1, pixels)), factors), tf.constant(0, tf.uint64)

    def new_array(dtype: Any) -> Any:
        return tf.TensorArray(dtype, 0, dynamic_size=True, infer_shape=False)

    @tf.function  # type: ignore[untyped-decorator]  # as TensorFlow's types have it
    def loop() -> tuple[Any, Any, Any, Any]:
        sizes, all_labels, sums = map(new_array, (tf.int32, labels.dtype, tf.uint64))
        keys = new_array(tf.uint64 if exact else images.dtype)
        number = 0
        for batch, of_batch in pipeline:
            key, total = fingerprint(batch)
            sizes = sizes.write(number, tf.shape(of_batch)[0])
            all_labels = all_labels.write(number, of_batch)
            keys = keys.write(number, key)
            sums = sums.write(number, total)
            number += 1  # noqa: SIM113 -- a variable of the loop in the graph
        return sizes.stack(), all_labels.concat(), keys.concat(), sums.stack()

    return loop


def mapped_batches(source: Any, size: int, dtype: str) -> Any:
    """Shuffle over all examples, batch, scale if float32 is asked for, prefetch."""
    batched = source.shuffle(source.cardinality()).batch(size)
    if dtype == "float32":
        batched = batched.map(_scaled, num_parallel_calls=tf.data.AUTOTUNE)
    return batched.prefetch(tf.data.AUTOTUNE)


def _scaled(image: Any, label: Any) -> tuple[Any, Any]:
    return tf.cast(image, tf.float32) / 255.0, label
