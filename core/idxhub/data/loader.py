"""Making batches: every framework gets the same examples in the same batches, in the same order."""

from __future__ import annotations

import functools
import math
import os
from collections import deque
from collections.abc import Callable, Iterator, Mapping
from typing import TYPE_CHECKING, Any, Generic, TypeAlias, TypeVar

import numpy as np

from idxhub.arguments import boolean, integer
from idxhub.catalog import split_string
from idxhub.data.arrays import ALIGNMENT
from idxhub.data.order import Equal, check_shard, order, shard_size, sharded
from idxhub.data.split import Split
from idxhub.errors import ArgumentError, StateError, UnknownNameError, describe_value

if TYPE_CHECKING:  # importing numpy.typing takes 0.7 ms
    from numpy.typing import NDArray

    from idxhub.data.ahead import OrdersAhead

T = TypeVar("T")
U = TypeVar("U")
# (the indices of a pass in order, batch size) -> batches
Batches: TypeAlias = "Callable[[NDArray[np.int64], int], Iterator[T]]"
HostBatch: TypeAlias = "tuple[NDArray[Any], NDArray[Any]]"  # images and labels
_STATE_FORMAT = 1
_GATHERED_AT_ONCE = 1 << 18  # bytes of images: several small batches, which fit into a cache of the processor
_END: Any = object()


class Batching:
    """How a split is divided into batches: the arguments of `get_loader`, checked. Raises `ArgumentError`."""

    def __init__(
        self,
        batch_size: int,
        *,
        shuffle: bool = True,
        seed: int = 0,
        drop_last: bool = False,
        shard: tuple[int, int] = (0, 1),
        equal: Equal = None,
        prefetch: int = 0,
    ) -> None:
        self.batch_size = integer("batch_size", batch_size, 1)
        self.seed = integer("seed", seed, 0)
        self.prefetch = integer("prefetch", prefetch, 0)
        self.shuffle = boolean("shuffle", shuffle)
        self.drop_last = boolean("drop_last", drop_last)
        self.shard = check_shard(shard, equal)
        self.equal = equal


class Loader(Generic[T]):
    """An iterable of native batches, as `get_loader` describes them. Each pass is the next epoch.

    `split` is the split that is read, and `batching` says how it is divided into batches. A pass has the examples in
    the order of `order(n, seed, epoch)`, or in the files' order without `shuffle`; the shards take turns. `len` is the
    number of batches in a pass. `state_dict` saves the position of the newest pass; after `load_state_dict`, the
    next pass begins with the batch that would have come next. Each batch has arrays of its own: writing into them
    changes nothing else.
    """

    def __init__(self, split: Split, batches: Batches[T], batching: Batching) -> None:
        self.split, self.batching, self._make_batches = split, batching, batches
        self._part = functools.partial(_part, batching=batching, most=len(self) * batching.batch_size)
        # a function for batches on a device may have this attribute: see the hook idxhub_resident
        send = getattr(batches, "send", None) if batching.shuffle else None
        self._ahead = None if send is None else _orders_ahead(len(split), batching.seed, self._part, send)
        self._next_start: tuple[int, int]
        self._begin_at(0, 0)

    def __len__(self) -> int:
        batching = self.batching
        examples = shard_size(len(self.split), batching.shard, batching.equal)
        return examples // batching.batch_size if batching.drop_last else -(-examples // batching.batch_size)

    def __repr__(self) -> str:
        info = self.split.info
        return f"Loader({info.dataset!r}, split={info.split!r}, {self._summary()})"

    def _repr_html_(self) -> str:
        return self.split.to_html("Loader", [("loader", self._summary())])

    def _summary(self) -> str:
        batching = self.batching
        order = f"shuffled by seed {batching.seed}" if batching.shuffle else "in the files' order"
        return f"{len(self):,} batches of {batching.batch_size:,}, {order}"

    def __iter__(self) -> Iterator[T]:
        epoch, first = self._next_start
        self._next_start, self._position = (epoch + 1, 0), [epoch, first]
        return self._iterate(self._position)

    def __getstate__(self) -> dict[str, Any]:
        return vars(self) | {"_position": list(self._position)}  # a pass goes on in the original alone

    def set_epoch(self, epoch: int) -> None:
        """Make the next pass the one of `epoch`, an integer of 0 or more. Raises `ArgumentError`."""
        self._begin_at(integer("epoch", epoch), 0)

    def state_dict(self) -> dict[str, Any]:
        """The position of the newest pass, and what identifies the loader. The state can be written as JSON."""
        epoch, batch = self._position
        return self._identity() | {"epoch": epoch, "batch": batch}

    def load_state_dict(self, state: dict[str, Any]) -> None:
        """Make the next pass begin at the saved position. After the last batch, that is the start of the next epoch.

        Raises `StateError` for the state of another loader, and for anything that is not a loader's state.
        """
        if not isinstance(state, Mapping):
            raise StateError(
                f"{describe_value(state)} is not the state of a loader, which is a mapping that state_dict returned"
            )
        for name, value in self._identity().items():
            if name not in state:
                raise StateError(f"this state has no {name!r}, so it is not one that state_dict returned")
            saved = _as_json(state[name])
            if saved != value and not (name == "split" and self._is_same_split(saved)):
                raise StateError(
                    f"this state belongs to another loader: its {name} is {saved!r}, but here it is {value!r}"
                )
        try:
            epoch, batch = integer("epoch", state.get("epoch")), integer("batch", state.get("batch"), most=len(self))
        except ArgumentError as error:
            raise StateError(f"the position in this state is not one of {len(self):,} batches: {error}") from None
        if batch and batch == len(self):  # saved while the loop used the last batch, before the pass could end
            epoch, batch = epoch + 1, 0
        self._begin_at(epoch, batch)

    def _begin_at(self, epoch: int, batch: int) -> None:
        self._next_start = epoch, batch
        self._position = [epoch, batch]  # that of the newest pass, which updates it; older passes update their own

    def _identity(self) -> dict[str, Any]:
        """The values that are equal in two loaders with the same examples in the same batches."""
        batching = vars(self.batching) | {"shard": list(self.batching.shard)}
        del batching["prefetch"]  # it changes when a batch is made, but not what is in it
        info = self.split.info
        dataset = {"dataset": info.dataset, "fingerprint": info.spec.fingerprint, "split": info.split}
        return {"format": _STATE_FORMAT} | dataset | batching

    def _is_same_split(self, text: object) -> bool:
        """Whether a split string means the same examples as the loader's own: "train[:]" means the same as "train"."""
        spec = self.split.info.spec
        try:
            return split_string.ranges(spec, text) == self.split.info.parts  # type: ignore[arg-type]  # checked there
        except UnknownNameError:
            return False

    def _iterate(self, position: list[int]) -> Iterator[T]:
        """The batches of one pass, which begins at `position` (epoch, batch) and keeps it up to date."""
        epoch, first = position
        for number, batch in enumerate(self._batches(epoch, first), first + 1):
            position[:] = epoch, number
            yield batch
        position[:] = epoch + 1, 0

    def _batches(self, epoch: int, first: int) -> Iterator[T]:
        """The batches of an epoch, beginning with batch number `first`.

        The thread of `prefetch` gathers arrays of NumPy, and calls nothing of a framework, which may have another
        default device or another stream in another thread. On a device no thread is needed: it works by itself.
        """
        make, size = self._make_batches, self.batching.batch_size
        ahead = min(self.batching.prefetch, len(self) - first)
        if ahead <= 0 or not isinstance(make, HostBatches):
            return make(self._indices(epoch, first), size)

        def gather(delivered: int) -> Iterator[HostBatch]:
            return make.gather(self._indices(epoch, first + delivered), size)

        gathered = _prefetch_batches(gather(0), ahead, gather)
        return (make.to_native(images, labels) for images, labels in gathered)

    def _indices(self, epoch: int, first: int) -> Any:
        """The indices of a pass, beginning with those of batch number `first`."""
        n = len(self.split)
        if self._ahead is not None:
            indices = self._ahead(epoch)
        else:
            indices = self._part(order(n, self.batching.seed, epoch) if self.batching.shuffle else np.arange(n))
        return indices[first * self.batching.batch_size :] if first else indices


def _orders_ahead(n: int, *others: Any) -> OrdersAhead:
    from idxhub.data.ahead import OrdersAhead  # noqa: PLC0415 -- it imports threading, and most loaders need no threads

    return OrdersAhead(n, *others)


def _part(indices: NDArray[np.int64], batching: Batching, most: int) -> NDArray[np.int64]:
    """The indices of a pass, at most `most`, of those of an epoch."""
    return sharded(indices, batching.shard, batching.equal)[:most]


class HostBatches(Generic[T]):
    """Batches that are gathered in the host's memory; `to_native` turns each into the framework's type.

    One call gathers several small batches, because a call takes microseconds itself. Each of them is another part of
    the memory that was gathered, and begins on a boundary of `ALIGNMENT` bytes.
    """

    def __init__(self, split: Split, to_native: Callable[[NDArray[Any], NDArray[Any]], T]) -> None:
        self._split, self.to_native = split, to_native

    def __call__(self, indices: NDArray[np.int64], size: int) -> Iterator[T]:
        """The batches of a pass: `indices` in their order, `size` at a time."""
        return self._batches(indices, size, self.to_native)

    def gather(self, indices: NDArray[np.int64], size: int) -> Iterator[HostBatch]:
        """The same batches as images and labels of NumPy."""
        return self._batches(indices, size, _as_pair)

    def _batches(
        self, indices: NDArray[np.int64], size: int, make: Callable[[NDArray[Any], NDArray[Any]], U]
    ) -> Iterator[U]:
        split = self._split
        step = size * self._batches_at_once(size)
        for start in range(0, len(indices), step):
            chosen = indices[start : start + step]
            images, labels = split.gather(chosen), split.labels.take(chosen)
            for first in range(0, len(chosen), size):
                yield make(images[first : first + size], labels[first : first + size])

    def _batches_at_once(self, size: int) -> int:
        nbytes = size * math.prod(self._split.element_shape) * np.dtype(self._split.dtype).itemsize
        return 1 if nbytes % ALIGNMENT else max(1, _GATHERED_AT_ONCE // max(1, nbytes))


def _as_pair(images: NDArray[Any], labels: NDArray[Any]) -> HostBatch:
    return images, labels


def _as_json(value: Any) -> Any:
    """A saved value as JSON would return it. Other formats return arrays, tensors, tuples and NumPy's numbers."""
    if hasattr(value, "tolist"):
        return value.tolist()
    return [_as_json(each) for each in value] if isinstance(value, (tuple, list)) else value


def _prefetch_batches(
    batches: Iterator[HostBatch], count: int, restart: Callable[[int], Iterator[HostBatch]]
) -> Iterator[HostBatch]:
    """Yield the same batches. A thread gathers them, at most `count` batches ahead of their use.

    A forked process has no copy of the thread. It continues with `restart(n)`, which skips the first n batches.
    """
    from idxhub.threads import Threads  # noqa: PLC0415 -- it imports logging, and most loaders need no threads

    owner, delivered = os.getpid(), 0
    pool = Threads(1, "idxhub-prefetch")
    try:
        waiting = deque(pool.submit(next, batches, _END) for _ in range(count))
        while os.getpid() == owner:
            batch = waiting.popleft().result()
            if batch is _END:
                return
            waiting.append(pool.submit(next, batches, _END))
            delivered += 1
            yield batch
        yield from restart(delivered)
    finally:  # if the loop ends early, wait for the batch that is being made, and cancel the others
        if os.getpid() == owner:
            pool.shutdown(cancel_futures=True)
