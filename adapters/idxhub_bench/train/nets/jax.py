"""Plain JAX: functions of a dictionary of weights, with a jitted step."""

from __future__ import annotations

from typing import Any

import jax
import jax.numpy as jnp
import numpy as np
from jax import lax
from numpy.typing import NDArray

from idxhub_bench.train.convnet import Weights


class ConvNet:
    """Images are (B, 28, 28, 1)."""

    layout = "HWC"

    def __init__(self, rate: float, device: str | None) -> None:
        self._device = jax.devices(device or "cpu")[0]
        # by default XLA rounds the operands of convolutions and products to TF32 on a GPU, which has 10 bits
        jax.config.update("jax_default_matmul_precision", "highest")
        self._rate = rate
        self._weights: Any = {}

    def load(self, weights: Weights) -> None:
        self._weights = jax.device_put(weights, self._device)

    def ready(self, batch: Any) -> tuple[jax.Array, jax.Array]:
        images, labels = jax.block_until_ready(jax.device_put(tuple(batch), self._device))
        return images, labels

    def step(self, images: jax.Array, labels: jax.Array, mask: NDArray[Any]) -> float:
        self._weights, loss = jax.block_until_ready(_step(self._weights, images, labels, mask, self._rate))
        return float(loss)

    def classes(self, images: jax.Array) -> NDArray[Any]:
        return np.asarray(_classes(self._weights, jax.device_put(images, self._device)))

    def threads(self) -> dict[str, int]:
        return {"devices": jax.device_count()}


def _logits(weights: Any, images: Any, mask: Any) -> Any:
    x = _max_pool(jax.nn.relu(_convolution(images, weights["conv1"]) + weights["conv1/bias"]))
    x = _max_pool(jax.nn.relu(_convolution(x, weights["conv2"]) + weights["conv2/bias"]))
    x = jax.nn.relu(x.reshape(len(x), -1) @ weights["dense"] + weights["dense/bias"])
    return (x * mask) @ weights["logits"] + weights["logits/bias"]


def _convolution(x: Any, kernel: Any) -> Any:
    return lax.conv_general_dilated(x, kernel, (1, 1), "SAME", dimension_numbers=("NHWC", "HWIO", "NHWC"))


def _max_pool(x: Any) -> Any:
    return lax.reduce_window(x, -jnp.inf, lax.max, (1, 2, 2, 1), (1, 2, 2, 1), "VALID")


def _loss(weights: Any, images: Any, labels: Any, mask: Any) -> Any:
    log_probabilities = jax.nn.log_softmax(_logits(weights, images, mask))
    return -jnp.take_along_axis(log_probabilities, labels[:, None], axis=1).mean()


def _gradient_step(weights: Any, images: Any, labels: Any, mask: Any, rate: Any) -> Any:
    loss, gradients = jax.value_and_grad(_loss)(weights, images, labels, mask)
    return jax.tree.map(lambda weight, gradient: weight - rate * gradient, weights, gradients), loss


def _argmax(weights: Any, images: Any) -> Any:
    return _logits(weights, images, 1.0).argmax(1)


_step, _classes = jax.jit(_gradient_step), jax.jit(_argmax)
