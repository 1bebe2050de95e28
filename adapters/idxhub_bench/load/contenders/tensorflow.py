"""TensorFlow: idxhub's pipeline and loader, Keras' arrays in tf.data, TensorFlow Datasets."""

from __future__ import annotations

import os
from collections.abc import Iterator
from typing import Any

import numpy as np
import tensorflow as tf
from numpy.typing import NDArray

from idxhub_bench.load.contenders import hub
from idxhub_bench.load.contenders.base import Contender, added_up


class TensorFlow(Contender):
    """What the rows of TensorFlow share."""

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
        return {None: self.get(dtype=dtype, cache_dir=self.place.folder("cache"))}

    def batches(self, dataset: Any, size: int, dtype: str, workers: int = 0) -> Iterator[Any]:
        del workers
        if size not in dataset:
            options = {"batch_size": size, "shuffle": True, "cache_dir": self.place.folder("cache")}
            dataset[size] = self.get(dtype=dtype, **options)
        return iter(dataset[size])


class Loader(TensorFlow, hub.Loader):
    """`get_loader(framework="tensorflow")`."""

    framework = "tensorflow"


class Keras(TensorFlow):
    """`keras.datasets`, then `from_tensor_slices`, shuffle over all, batch, map, prefetch: tf.data's own advice."""

    def cold(self, folder: str) -> Any:
        del folder
        return tf.keras.datasets.fashion_mnist.load_data()

    def open(self, dtype: str) -> Any:
        del dtype
        return list(tf.keras.datasets.fashion_mnist.load_data())

    def batches(self, dataset: Any, size: int, dtype: str, workers: int = 0) -> Iterator[Any]:
        del workers
        if len(dataset) == 2:  # once for all epochs, as is the pipeline of each batch size
            dataset += [tf.data.Dataset.from_tensor_slices(dataset[0]), {}]
        *_, source, pipelines = dataset
        if size not in pipelines:
            pipelines[size] = self.pipeline(source, size, dtype)
        return iter(pipelines[size])

    def pipeline(self, source: tf.data.Dataset, size: int, dtype: str) -> tf.data.Dataset:
        """Vectorised: the map is over batches."""
        batched = source.shuffle(source.cardinality()).batch(size)
        if dtype == "float32":
            batched = batched.map(_scaled, num_parallel_calls=tf.data.AUTOTUNE)
        return batched.prefetch(tf.data.AUTOTUNE)

    def small(self) -> None:
        """Keras looks for the home of its files once, when it is imported."""

    def sums(self, dataset: Any) -> dict[str, int]:
        """Of train and test when cold; when warm of train, though it has read both."""
        return added_up(*(dataset if isinstance(dataset, tuple) else dataset[:1]))


class KerasMapFirst(Keras):
    """The same with the map before the batch: an example at a time, as tutorials have it."""

    def pipeline(self, source: tf.data.Dataset, size: int, dtype: str) -> tf.data.Dataset:
        if dtype == "float32":
            source = source.map(_scaled, num_parallel_calls=tf.data.AUTOTUNE)
        return source.shuffle(source.cardinality()).batch(size).prefetch(tf.data.AUTOTUNE)


def _scaled(image: Any, label: Any) -> tuple[Any, Any]:
    return tf.cast(image, tf.float32) / 255.0, label
