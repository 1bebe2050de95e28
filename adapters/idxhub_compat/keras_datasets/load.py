"""What the modules share: the four arrays as Keras gives them."""

from __future__ import annotations

from typing import Any, TypeAlias

import numpy as np
from numpy.typing import NDArray

from idxhub import load

Pair: TypeAlias = tuple[NDArray[Any], NDArray[Any]]


def load_pairs(name: str) -> tuple[Pair, Pair]:
    """`(x_train, y_train), (x_test, y_test)`: images uint8 (N, 28, 28), labels uint8 (N,)."""
    train, test = (load(name, split) for split in ("train", "test"))
    return (train.images, train.labels.astype(np.uint8)), (test.images, test.labels.astype(np.uint8))
