"""What a checker knows of TensorFlow's datasets where TensorFlow's stubs are installed; read as uses.py is."""

from typing import assert_type

import tensorflow as tf

from idxhub import Loader, get_dataset, get_loader

Batches = tf.data.Dataset[tuple[tf.Tensor, tf.Tensor]]


def uses() -> None:
    assert_type(get_dataset(framework="tensorflow", dtype=tf.float32, batch_size=8), Batches)
    assert_type(get_dataset(framework="tensorflow", split=["train", "test"]), tuple[Batches, ...])
    assert_type(get_loader(framework="tensorflow", batch_size=8), Loader[tuple[tf.Tensor, tf.Tensor]])
