"""Principal component analysis, with NumPy alone."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np
from numpy.typing import NDArray

_BLOCK = 1 << 22  # pixels in a block of examples: as float64, 32 MiB


def compute(images: NDArray[Any], progress: Callable[[float], None], *, seed: int) -> NDArray[np.float64]:  # noqa: ARG001 -- PCA draws nothing
    """The first two principal components."""
    return principal_components(images, 2, progress)


def principal_components(
    points: NDArray[Any], count: int, progress: Callable[[float], None] = lambda _: None
) -> NDArray[np.float64]:
    """The coordinates of the points (n, d) on the axes of greatest variance, (n, count), centred.

    The axes are eigenvectors of the covariance. Their signs are fixed: the largest coordinate of each axis, by absolute
    value, is positive. If there are fewer than `count` axes, the rest of the coordinates are 0.
    """
    n, d = points.shape
    step = max(1, _BLOCK // d)
    blocks = [slice(start, start + step) for start in range(0, n, step)]
    mean = sum(points[block].sum(axis=0, dtype=np.float64) for block in blocks) / n
    covariance = np.zeros((d, d))
    for i, block in enumerate(blocks, 1):
        centred = points[block] - mean
        covariance += centred.T @ centred
        progress(0.8 * i / len(blocks))
    _, vectors = np.linalg.eigh(covariance / max(n - 1, 1))
    axes = vectors[:, ::-1][:, :count]
    largest = np.abs(axes).argmax(axis=0)
    axes = axes * np.where(axes[largest, np.arange(axes.shape[1])] < 0, -1.0, 1.0)
    found = np.zeros((n, count))
    for block in blocks:
        found[block, : axes.shape[1]] = (points[block] - mean) @ axes
    progress(1.0)
    return found
