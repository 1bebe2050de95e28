"""t-SNE by openTSNE, with the forces interpolated by FFT (FIt-SNE), so that its time is linear in the examples."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np
from numpy.typing import NDArray
from openTSNE import TSNE

from idxhub_plot.embeddings.pca import principal_components

_EVERY = 10  # iterations between two reports


def compute(
    points: NDArray[Any],
    progress: Callable[[float], None],
    *,
    seed: int,
    perplexity: float,
    pca_components: int,
    early_iterations: int,
    iterations: int,
) -> NDArray[np.float64]:
    """t-SNE of the first principal components, from their first two."""
    done = 0

    def report(*_: object) -> None:
        nonlocal done
        done += _EVERY
        progress(min(1.0, done / (early_iterations + iterations)))

    reduced = principal_components(points, min(pca_components, points.shape[1]))
    method = TSNE(
        perplexity=min(perplexity, (len(points) - 1) / 3),
        early_exaggeration_iter=early_iterations,
        n_iter=iterations,
        initialization="pca",
        negative_gradient_method="fft",
        neighbors="auto",
        n_jobs=-1,
        random_state=seed,
        callbacks=report,
        callbacks_every_iters=_EVERY,
    )
    return np.asarray(method.fit(reduced))
