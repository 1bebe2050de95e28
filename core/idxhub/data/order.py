"""The one order in which every framework sees an epoch, and the part of it that each process sees."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Literal

import numpy as np
from numpy.typing import NDArray

from idxhub.arguments import integer
from idxhub.errors import ArgumentError, UnknownNameError

Equal = Literal["drop", "pad"] | None
_MOST = 2**63 - 1  # the largest int64


def order(n: int, seed: int, epoch: int) -> NDArray[np.int64]:
    """A permutation of range(n): int64 of shape (n,), the same on every platform and NumPy release.

    NumPy freezes the streams of `RandomState` (NEP 19), so it is drawn from that, seeded through
    `SeedSequence([seed, epoch])`. The global random state is neither read nor changed. Raises `ArgumentError` unless
    all three are integers from 0.
    """
    n, seed, epoch = integer("n", n, most=_MOST), integer("seed", seed), integer("epoch", epoch)
    bits = np.random.MT19937(np.random.SeedSequence([seed, epoch]))
    return np.random.RandomState(bits).permutation(n).astype(np.int64, copy=False)


def check_shard(shard: tuple[int, int], equal: Equal) -> tuple[int, int]:
    """`shard`, if it is (i, n) with 0 <= i < n, and `equal` something `sharded` knows; or raises `UnknownNameError`."""
    must_be = "(i, n) with 0 <= i < n"
    if not isinstance(shard, (Sequence, np.ndarray)) or len(shard) != 2:
        raise ArgumentError("shard", shard, must_be)
    try:
        n = integer("shard", shard[1], 1)
        i = integer("shard", shard[0], most=n - 1)
    except ArgumentError:
        raise ArgumentError("shard", shard, must_be) from None
    if equal not in (None, "drop", "pad"):
        raise UnknownNameError("equal", equal, ["None", "drop", "pad"])
    return i, n


def shard_size(n: int, shard: tuple[int, int], equal: Equal = None) -> int:
    """How many of n examples shard (i, k) has: n/k, rounded so that all shards together have n, or all the same."""
    i, k = shard
    if equal == "drop":
        return n // k
    return -(-n // k) if equal == "pad" else len(range(i, n, k))


def sharded(indices: NDArray[np.int64], shard: tuple[int, int], equal: Equal = None) -> NDArray[np.int64]:
    """Shard (i, k) of an epoch: every k-th index from the i-th on.

    Together the k shards are the epoch, each index once. `equal="drop"` leaves the last n mod k indices out, so that
    all have the same length; `equal="pad"` gives the shorter shards one more, from the start of the epoch.
    """
    i, k = shard
    part = indices[i::k]
    size = shard_size(len(indices), shard, equal)
    if len(part) < size:
        return np.concatenate([part, np.resize(indices, k)[i : i + 1]])
    return part[:size]
