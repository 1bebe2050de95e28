"""The network that is trained, without a framework: its shapes, initial weights and dropout.

It is that of benchmark/convnet.py in github.com/zalandoresearch/fashion-mnist, which is that of TensorFlow's tutorial
on layers: two convolutions 5x5 of 32 and 64 filters, padded to the same size, each with ReLU and a 2x2 maximum; a layer
of 1,024 with ReLU; dropout of 0.4; 10 logits; cross-entropy; gradient descent on batches of 400. Weights start as
TensorFlow's layers do: uniform (Glorot), biases 0. The rate is higher than that script's 0.001, which would learn
nothing within minutes.
"""

from __future__ import annotations

import math

import numpy as np
from numpy.typing import NDArray

Weights = dict[str, NDArray[np.float32]]
# kernels are (height, width, in, out), matrices (in, out); the flattened layer is (7, 7, 64)
SHAPES = {
    "conv1": (5, 5, 1, 32),
    "conv2": (5, 5, 32, 64),
    "dense": (7 * 7 * 64, 1024),
    "logits": (1024, 10),
}
BATCH, RATE = 400, 0.02
KEPT = 0.6


def initial(seed: int) -> Weights:
    """The weights of each layer, and its biases under `layer/bias`."""
    random = _random(seed, 0)
    made: Weights = {}
    for layer, shape in SHAPES.items():
        field = math.prod(shape[:-2])
        limit = math.sqrt(6 / (field * (shape[-2] + shape[-1])))
        made[layer] = random.uniform(-limit, limit, shape).astype(np.float32)
        made[f"{layer}/bias"] = np.zeros(shape[-1], np.float32)
    return made


def mask(seed: int, step: int, size: int) -> NDArray[np.float32]:
    """The mask of dropout in a step, by which the layer of 1,024 is multiplied: 0 or 1/0.6, float32 (size, 1024)."""
    kept = _random(seed, 1 + step).random_sample((size, SHAPES["dense"][1])) < KEPT
    return kept.astype(np.float32) / np.float32(KEPT)


def _random(seed: int, purpose: int) -> np.random.RandomState:
    # NumPy has frozen the streams of RandomState: every release draws the same numbers
    return np.random.RandomState(np.random.MT19937(np.random.SeedSequence([seed, purpose])))
