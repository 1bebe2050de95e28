"""The order of the examples in an epoch, which is the same in every framework, and the part of each process."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING, Literal

import numpy as np

from idxhub.arguments import integer
from idxhub.errors import ArgumentError

if TYPE_CHECKING:  # importing numpy.typing takes 0.7 ms
    from numpy.typing import NDArray

Equal = Literal["drop", "pad"] | None
_MAX_EXAMPLES = 2**60 - 1  # NumPy makes no int64 array with more elements


def order(n: int, seed: int, epoch: int) -> NDArray[np.int64]:
    """A permutation of range(n): an int64 array of shape (n,), the same on every platform and NumPy release.

    It is drawn from a `RandomState`, because NumPy guarantees that its streams do not change (NEP 19). The seed is
    `SeedSequence([seed, epoch])`. The global random state is neither read nor changed. Raises `ArgumentError` unless
    all three arguments are integers of 0 or more.
    """
    n, seed, epoch = integer("n", n, most=_MAX_EXAMPLES), integer("seed", seed), integer("epoch", epoch)
    bits = np.random.MT19937(np.random.SeedSequence([seed, epoch]))
    return np.random.RandomState(bits).permutation(n).astype(np.int64, copy=False)


def check_shard(shard: tuple[int, int], equal: Equal) -> tuple[int, int]:
    """Return `shard` as a pair of ints.

    Raises `ArgumentError` unless it is (i, n) with 0 <= i < n, and `equal` is a value that `sharded` knows.
    """
    must_be = "(i, n) with 0 <= i < n"
    if not isinstance(shard, (Sequence, np.ndarray)) or len(shard) != 2:
        raise ArgumentError("shard", shard, must_be)
    try:
        n = integer("shard", shard[1], 1)
        i = integer("shard", shard[0], most=n - 1)
    except ArgumentError:
        raise ArgumentError("shard", shard, must_be) from None
    if equal is not None and (not isinstance(equal, str) or equal not in ("drop", "pad")):
        raise ArgumentError("equal", equal, "None, 'drop' or 'pad'")
    return i, n


def shard_size(n: int, shard: tuple[int, int], equal: Equal = None) -> int:
    """How many of n examples shard (i, k) has: n/k, rounded as `sharded` says."""
    i, k = shard
    if equal == "drop":
        return n // k
    return -(-n // k) if equal == "pad" else len(range(i, n, k))


def sharded(indices: NDArray[np.int64], shard: tuple[int, int], equal: Equal = None) -> NDArray[np.int64]:
    """Shard (i, k) of an epoch of n examples: every k-th index, beginning with index i.

    Together, the k shards contain each index of the epoch once. With `equal="drop"`, the last n mod k indices are left
    out, so that all shards have the same length. With `equal="pad"`, the shorter shards get one more index each, from
    the start of the epoch.
    """
    i, k = shard
    part = indices[i::k]
    size = shard_size(len(indices), shard, equal)
    if len(part) < size:
        return np.append(part, indices[i % len(indices)])
    return part[:size]
