"""The orders of coming epochs, which threads draw before they are asked for."""

from __future__ import annotations

import os
import threading
from collections.abc import Callable, Sequence
from typing import TYPE_CHECKING, Any

import numpy as np

from idxhub.data.order import order
from idxhub.threads import Threads

if TYPE_CHECKING:  # importing numpy.typing takes 0.7 ms
    from concurrent.futures import Future

    from numpy.typing import NDArray

_MOST_EPOCHS, _MOST_BYTES = 16, 1 << 24  # of the orders that are drawn ahead; one epoch is, however large
_MOST_THREADS = 4


class OrdersAhead:
    """Called with an epoch, it returns the order of that epoch as `send` returns it.

    `part` takes from `order(n, seed, epoch)` the indices of a pass. `send` gets a list of such indices, int32 if n
    allows, and returns one object for each: that of the epoch asked for, and those of the next epochs that are ready.

    Threads draw the next epochs as soon as two epochs in a row were asked for. They end when these are drawn, and call
    neither `send` nor anything else of an adapter.
    """

    def __init__(
        self,
        n: int,
        seed: int,
        part: Callable[[NDArray[np.int64]], NDArray[np.int64]],
        send: Callable[[Sequence[NDArray[Any]]], Sequence[Any]],
    ) -> None:
        self._n, self._seed, self._part, self._send = n, seed, part, send
        self._ahead = max(1, min(_MOST_EPOCHS, _MOST_BYTES // (8 * max(1, n))))
        self._drawn: dict[int, Future[NDArray[Any]]] = {}
        self._sent: dict[int, Any] = {}
        self._without_lock: Future[bool] | None = None
        self._last = -2
        self._forget()

    def __call__(self, epoch: int) -> Any:
        """The order of `epoch`."""
        if self._process != os.getpid():  # a forked process has no copy of the threads, and its lock may be held
            self._forget()
        with self._lock:
            follows, self._last = epoch == self._last + 1, epoch
            coming = range(epoch, epoch + self._ahead + 1)
            self._drawn = {each: drawn for each, drawn in self._drawn.items() if each in coming}
            self._sent = {each: sent for each, sent in self._sent.items() if each in coming}
            if epoch not in self._sent:
                self._send_ready(coming)
            if follows:
                self._draw(coming)
            return self._sent.pop(epoch)

    def __getstate__(self) -> dict[str, Any]:
        return {name: self.__dict__[name] for name in ("_n", "_seed", "_part", "_send", "_ahead")}

    def __setstate__(self, state: dict[str, Any]) -> None:
        self.__dict__.update(state)
        self._forget()

    def _forget(self) -> None:
        self._process, self._lock = os.getpid(), threading.Lock()
        self._drawn, self._sent, self._without_lock = {}, {}, None
        self._last = -2  # an epoch that none follows

    def _send_ready(self, coming: range) -> None:
        """Send the order of the first epoch, and those after it that are ready."""
        first = self._drawn.pop(coming[0], None)
        # if no thread has begun with it, or if the thread failed, it is drawn here
        is_here = first is None or first.cancel() or first.exception() is not None
        orders = [self._indices(coming[0], None) if first is None or is_here else first.result()]
        for each in coming[1:]:
            if each not in self._drawn or not self._drawn[each].done() or self._drawn[each].exception() is not None:
                break
            orders.append(self._drawn.pop(each).result())
        self._sent.update(zip(coming, self._send(orders), strict=False))

    def _draw(self, coming: range) -> None:
        """Let threads draw the epochs after the first, if half of them or more are neither drawn nor being drawn."""
        wanted = [each for each in coming[1:] if each not in self._drawn and each not in self._sent]
        if 2 * len(wanted) < self._ahead:
            return
        pool = Threads(min(_MOST_THREADS, max(1, (os.cpu_count() or 1) // 2)), "idxhub-order")
        if self._without_lock is None:
            self._without_lock = pool.submit(_is_drawn_without_lock, self._n, self._seed, coming[0])
        for each in wanted:
            self._drawn[each] = pool.submit(self._indices, each, self._without_lock)
        pool.shutdown(wait=False)  # its threads end when all are drawn

    def _indices(self, epoch: int, without_lock: Future[bool] | None) -> NDArray[Any]:
        """The indices of a pass, drawn in this thread."""
        draw = _order_without_lock if without_lock is not None and without_lock.result() else order
        indices = self._part(draw(self._n, self._seed, epoch))
        return indices.astype(np.int32 if self._n <= np.iinfo(np.int32).max else np.int64, copy=False)


def _order_without_lock(n: int, seed: int, epoch: int) -> NDArray[np.int64]:
    """`order`, drawn by a `Generator`, which lets Python's other threads run meanwhile; a `RandomState` does not.

    NumPy promises that a `RandomState` draws the same numbers in every release, but not that a `Generator` does. In the
    releases up to 2.4 both draw the same permutations.
    """
    indices = np.arange(n, dtype=np.int64)
    bits = np.random.MT19937(np.random.SeedSequence([seed, epoch]))
    np.random.Generator(bits).shuffle(indices)
    return indices


def _is_drawn_without_lock(n: int, seed: int, epoch: int) -> bool:
    """Whether a `Generator` of this release of NumPy draws the same permutation of n, or of 64 if n is smaller.

    Two permutations of a few examples may be equal by chance.
    """
    n = max(n, 64)
    return np.array_equal(_order_without_lock(n, seed, epoch), order(n, seed, epoch))
