"""Batches in the shared order: the same examples in the same batches in every framework."""

from __future__ import annotations

import os
from collections import deque
from collections.abc import Callable, Iterator, Mapping
from dataclasses import asdict, dataclass
from typing import Any, Generic, TypeVar

import numpy as np
from numpy.typing import NDArray

from idxhub.arguments import boolean, integer
from idxhub.catalog import split_string as splits
from idxhub.data.order import Equal, check_shard, order, shard_size, sharded
from idxhub.data.split import Split
from idxhub.errors import ArgumentError, StateError, UnknownNameError

T = TypeVar("T")
Batches = Callable[[NDArray[np.int64], int], Iterator[T]]  # of a pass's indices, in order, and the batch size
_STATE_FORMAT = 1
_END: Any = object()


@dataclass(frozen=True)
class Batching:
    """How a split becomes batches: the arguments of `get_loader`, checked. Raises `ArgumentError`."""

    batch_size: int
    shuffle: bool = True
    seed: int = 0
    drop_last: bool = False
    shard: tuple[int, int] = (0, 1)
    equal: Equal = None
    prefetch: int = 0

    def __post_init__(self) -> None:
        for argument, least in (("batch_size", 1), ("seed", 0), ("prefetch", 0)):
            object.__setattr__(self, argument, integer(argument, getattr(self, argument), least))
        for argument in ("shuffle", "drop_last"):
            object.__setattr__(self, argument, boolean(argument, getattr(self, argument)))
        object.__setattr__(self, "shard", check_shard(self.shard, self.equal))


class Loader(Generic[T]):
    """An iterable of native batches, as `get_loader` describes them; each pass is the next epoch.

    `split` is what is read, with its `info`, and `batching` how. The examples of a pass are those of
    `order(n, seed, epoch)` (of the file's order without `shuffle`), taken by turns by the shards. `len` is the number
    of batches in a pass. `state_dict` says where the newest pass stands; after `load_state_dict` the next pass begins
    at the batch that would have come. Images and labels are arrays of the batch alone: writing into them changes
    nothing else.
    """

    def __init__(self, split: Split, batches: Batches[T], batching: Batching) -> None:
        self.split, self.batching, self._make_batches = split, batching, batches
        self._next: tuple[int, int]
        self._begin_at(0, 0)

    def __len__(self) -> int:
        how = self.batching
        examples = shard_size(len(self.split), how.shard, how.equal)
        return examples // how.batch_size if how.drop_last else -(-examples // how.batch_size)

    def __repr__(self) -> str:
        info, how = self.split.info, self.batching
        order = f"shuffled by seed {how.seed}" if how.shuffle else "in the files' order"
        return f"Loader({info.dataset!r}, split={info.split!r}, {len(self):,} batches of {how.batch_size:,}, {order})"

    def __iter__(self) -> Iterator[T]:
        epoch, first = self._next
        self._next, self._at = (epoch + 1, 0), [epoch, first]
        return self._pass(self._at)

    def set_epoch(self, epoch: int) -> None:
        """Let the next pass be that of `epoch`, an integer from 0, from its beginning. Raises `ArgumentError`."""
        self._begin_at(integer("epoch", epoch), 0)

    def state_dict(self) -> dict[str, Any]:
        """Where the newest pass stands, and what it is a pass of: JSON-able."""
        epoch, batch = self._at
        return self._identity() | {"epoch": epoch, "batch": batch}

    def load_state_dict(self, state: dict[str, Any]) -> None:
        """Let the next pass begin where the saved one stood; after its last batch that is the next epoch's start.

        Raises `StateError` for a state of another loader, and for what is none.
        """
        if not isinstance(state, Mapping):
            raise StateError(f"{state!r} is not the state of a loader: what state_dict gave, a mapping")
        for what, mine in self._identity().items():
            saved = state.get(what)
            saved = _as_json(saved)
            if saved != mine and not (what == "split" and self._is_split(saved)):
                raise StateError(f"this state is of another loader: its {what} is {saved!r}, here {mine!r}")
        try:
            epoch, batch = integer("epoch", state.get("epoch")), integer("batch", state.get("batch"), most=len(self))
        except ArgumentError as error:
            raise StateError(f"this state is no place in {len(self):,} batches: {error}") from None
        if batch and batch == len(self):  # saved in the loop's body, before the pass could end
            epoch, batch = epoch + 1, 0
        self._begin_at(epoch, batch)

    def _begin_at(self, epoch: int, batch: int) -> None:
        self._next = epoch, batch
        self._at = [epoch, batch]  # where the newest pass stands: that pass moves it on, older ones move their own

    def _identity(self) -> dict[str, Any]:
        how = asdict(self.batching) | {"shard": list(self.batching.shard)}
        del how["prefetch"]  # it changes when a batch is made, and nothing in it
        info = self.split.info
        what = {"dataset": info.dataset, "fingerprint": info.spec.fingerprint, "split": info.split}
        return {"format": _STATE_FORMAT} | what | how

    def _is_split(self, text: object) -> bool:
        """Whether a split string means the loader's examples, as "train[:]" and "train" do."""
        spec = self.split.info.spec
        try:
            pieces = splits.parse(text, spec.splits, spec.everything)  # type: ignore[arg-type]  # it is checked there
            return splits.resolve(pieces, spec.sizes) == self.split.info.parts
        except UnknownNameError:
            return False

    def _pass(self, at: list[int]) -> Iterator[T]:
        epoch, first = at
        batches = self._batches(epoch, first)
        ahead = min(self.batching.prefetch, len(self) - first)
        if ahead > 0:
            batches = _prefetch_batches(batches, ahead, lambda delivered: self._batches(epoch, first + delivered))
        for number, batch in enumerate(batches, first + 1):
            at[:] = epoch, number
            yield batch
        at[:] = epoch + 1, 0

    def _batches(self, epoch: int, first: int) -> Iterator[T]:
        how, n = self.batching, len(self.split)
        indices = order(n, how.seed, epoch) if how.shuffle else np.arange(n)
        indices = sharded(indices, how.shard, how.equal)
        yield from self._make_batches(indices[first * how.batch_size : len(self) * how.batch_size], how.batch_size)


class HostBatches(Generic[T]):
    """Batches gathered here, in the host's memory, and made native one by one."""

    def __init__(self, split: Split, native: Callable[[NDArray[Any], NDArray[Any]], T]) -> None:
        self._split, self._native = split, native

    def __call__(self, indices: NDArray[np.int64], size: int) -> Iterator[T]:
        """The batches of a pass."""
        split, native = self._split, self._native
        for start in range(0, len(indices), size):
            where = indices[start : start + size]
            yield native(split.gather(where), split.labels.take(where))


def _as_json(value: Any) -> Any:
    """A saved value as JSON has it: formats other than JSON give arrays, tensors, tuples and NumPy's numbers back."""
    if hasattr(value, "tolist"):
        return value.tolist()
    return [_as_json(each) for each in value] if isinstance(value, (tuple, list)) else value


def _prefetch_batches(batches: Iterator[T], count: int, restart: Callable[[int], Iterator[T]]) -> Iterator[T]:
    """The same batches, made by a thread that is at most `count` ahead.

    A forked process has no copy of the thread: it goes on with `restart`, which gives the batches after the first n.
    """
    from idxhub.threads import Threads  # noqa: PLC0415 -- it imports logging; most loaders need no threads

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
    finally:  # a pass that is broken off waits for the batch in hand, and for none behind it
        if os.getpid() == owner:
            pool.shutdown(cancel_futures=True)
