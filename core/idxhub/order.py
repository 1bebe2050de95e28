"""The one order in which every framework sees a shuffled epoch."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from idxhub.errors import UnknownNameError


def order(n: int, seed: int, epoch: int) -> NDArray[np.int64]:
    """A permutation of range(n): int64 of shape (n,), the same on every platform and NumPy release.

    NumPy freezes the streams of `RandomState` (NEP 19), so it is drawn from that, seeded through
    `SeedSequence([seed, epoch])`. The global random state is neither read nor changed.
    """
    for kind, value in (("n", n), ("seed", seed), ("epoch", epoch)):
        if value < 0:
            raise UnknownNameError(kind, value, ["an integer of 0 or more"])
    bits = np.random.MT19937(np.random.SeedSequence([seed, epoch]))
    return np.random.RandomState(bits).permutation(n).astype(np.int64, copy=False)
