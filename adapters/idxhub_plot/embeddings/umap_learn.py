"""UMAP by umap-learn."""

from __future__ import annotations

import io
import re
import warnings
from collections.abc import Callable
from typing import Any

import numpy as np
from numpy.typing import NDArray

with warnings.catch_warnings():
    warnings.simplefilter("ignore", ImportWarning)  # it says that its networks need TensorFlow; they are not used here
    from umap import UMAP


class _Bar(io.StringIO):
    """What UMAP takes for the terminal of its progress bar, for which it has no other hook."""

    def __init__(self, progress: Callable[[float], None]) -> None:
        super().__init__()
        self._progress = progress

    def write(self, text: str) -> int:
        """Take the number of epochs from the text of the bar."""
        found = re.search(r"(\d+) of (\d+)", text)
        if found:
            self._progress(int(found[1]) / int(found[2]))
        return len(text)


def compute(
    points: NDArray[Any],
    progress: Callable[[float], None],
    *,
    seed: int,
    neighbors: int,
    min_distance: float,
    epochs: int,
) -> NDArray[np.float64]:
    """UMAP of the pixels. With a seed it runs on one core, so that its result is the same each time."""
    method = UMAP(
        n_neighbors=min(neighbors, len(points) - 1),
        min_dist=min_distance,
        n_epochs=epochs,
        random_state=seed,
        n_jobs=1,
        tqdm_kwds={"disable": False, "file": _Bar(progress), "bar_format": "{n_fmt} of {total_fmt}"},
    )
    return np.asarray(method.fit_transform(points))
