"""Keras on TensorFlow: a functional model and `keras.optimizers.SGD`, the step as a `tf.function`."""

from __future__ import annotations

from typing import Any

import keras
import tensorflow as tf
from numpy.typing import NDArray

from idxhub_bench.train.convnet import SHAPES, Weights


def _model() -> Any:
    """A model of images (B, 28, 28, 1) and the mask of dropout."""
    images, mask = keras.Input((28, 28, 1)), keras.Input((1024,))
    x = keras.layers.Conv2D(32, 5, padding="same", activation="relu", name="conv1")(images)
    x = keras.layers.MaxPooling2D(2)(x)
    x = keras.layers.Conv2D(64, 5, padding="same", activation="relu", name="conv2")(x)
    x = keras.layers.MaxPooling2D(2)(x)
    x = keras.layers.Dense(1024, activation="relu", name="dense")(keras.layers.Flatten()(x))
    return keras.Model([images, mask], keras.layers.Dense(10, name="logits")(keras.layers.Multiply()([x, mask])))


class ConvNet:
    """Images are (B, 28, 28, 1)."""

    layout = "HWC"

    def __init__(self, rate: float, device: str | None) -> None:
        self._device = "/CPU:0" if device in (None, "cpu") else "/GPU:0"
        with tf.device(self._device):
            self._model = _model()
            self._optimiser = keras.optimizers.SGD(rate)
            self._loss = keras.losses.SparseCategoricalCrossentropy(from_logits=True)
        self._step, self._predict = tf.function(self._gradient_step), tf.function(self._model)

    def load(self, weights: Weights) -> None:
        for layer in SHAPES:
            self._model.get_layer(layer).set_weights([weights[layer], weights[f"{layer}/bias"]])

    def ready(self, batch: Any) -> tuple[tf.Tensor, tf.Tensor]:
        with tf.device(self._device):
            images, labels = (tf.identity(each) for each in batch) if self._device != "/CPU:0" else batch
        if self._device != "/CPU:0":
            tf.test.experimental.sync_devices()
        return images, labels

    def step(self, images: tf.Tensor, labels: tf.Tensor, mask: NDArray[Any]) -> float:
        """Making a number of the loss waits for the step."""
        with tf.device(self._device):
            return float(self._step(images, labels, tf.constant(mask)))

    def classes(self, images: tf.Tensor) -> NDArray[Any]:
        with tf.device(self._device):
            found: NDArray[Any] = self._predict([images, tf.ones((len(images), 1024))]).numpy().argmax(1)
        return found

    def threads(self) -> dict[str, int]:
        """0 means as many as there are cores."""
        found = tf.config.threading
        return {"intra": found.get_intra_op_parallelism_threads(), "inter": found.get_inter_op_parallelism_threads()}

    def _gradient_step(self, images: tf.Tensor, labels: tf.Tensor, mask: tf.Tensor) -> tf.Tensor:
        with tf.GradientTape() as tape:
            loss = self._loss(labels, self._model([images, mask], training=True))
        self._optimiser.apply_gradients(
            zip(tape.gradient(loss, self._model.trainable_variables), self._model.trainable_variables, strict=True)
        )
        return loss
