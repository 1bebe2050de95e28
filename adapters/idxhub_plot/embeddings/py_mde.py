"""Minimum-distortion embedding by PyMDE."""

from __future__ import annotations

import contextlib
import logging
from collections.abc import Callable, Iterator
from typing import Any

import numpy as np
import pymde
import torch
from numpy.typing import NDArray

_LOGGER = logging.getLogger("__pymde__")  # PyMDE tells of its progress there, and nowhere else


class _Reports(logging.Handler):
    def __init__(self, progress: Callable[[float], None], total: int) -> None:
        super().__init__()
        self._progress, self._total, self._done = progress, total, 0

    def emit(self, record: logging.LogRecord) -> None:
        """One iteration more, if the message is that of an iteration."""
        if record.getMessage().lstrip().startswith("iteration"):
            self._done += 1
            self._progress(min(1.0, self._done / self._total))


@contextlib.contextmanager
def _reported(progress: Callable[[float], None], total: int) -> Iterator[None]:
    """PyMDE's own messages become reports of progress, and are not printed."""
    handlers, _LOGGER.handlers = _LOGGER.handlers, [_Reports(progress, total)]
    try:
        yield
    finally:
        _LOGGER.handlers = handlers


@contextlib.contextmanager
def _seeded(seed: int) -> Iterator[None]:
    """PyMDE draws from the global random states of NumPy and torch: the caller has them back afterwards."""
    state = np.random.get_state()  # noqa: NPY002 -- the one that PyMDE uses
    try:
        with torch.random.fork_rng(devices=[]):
            pymde.seed(seed)
            yield
    finally:
        np.random.set_state(state)  # noqa: NPY002 -- as above


def compute(
    points: NDArray[Any], progress: Callable[[float], None], *, seed: int, neighbors: int, iterations: int
) -> NDArray[np.float64]:
    """The embedding in which neighbours stay neighbours (`pymde.preserve_neighbors`)."""
    with _seeded(seed), _reported(progress, iterations):
        problem = pymde.preserve_neighbors(points, n_neighbors=min(neighbors, len(points) - 1))
        found = problem.embed(max_iter=iterations, print_every=1, verbose=True)
    coordinates = np.asarray(found.cpu().numpy(), np.float64)
    # each axis may come out mirrored, because PyMDE starts from eigenvectors: its longer tail is made the positive one
    signs = np.where((coordinates**3).sum(axis=0) < 0, -1.0, 1.0)
    return coordinates * signs
