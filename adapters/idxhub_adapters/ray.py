"""Ray: a `ray.data.Dataset`; each worker reads its blocks from the verified cache of its own machine."""

from __future__ import annotations

import functools
import itertools
import math
import operator
import pickle
import weakref
from collections.abc import Callable, Iterable, Iterator, Mapping
from typing import Any

import numpy as np
import ray.data
from numpy.typing import NDArray
from ray.data.block import Block, BlockAccessor, BlockMetadata

from idxhub import Conventions, Split, arguments, hookimpl, order

# Bytes, both Ray's own limits. Ray chooses blocks of the smallest size; they take more time than reading them.
_SMALLEST_BLOCK, _LARGEST_BLOCK = 1 << 20, 1 << 27
_PART = 1 << 24  # bytes that a task gives to Ray at once; Ray makes blocks of them
_MOST_KEPT = 8  # parts whose memory a worker process keeps for the next pass: together a block of the largest size
_MAX_OPEN_SPLITS = 8  # how many splits a worker process keeps mapped


@hookimpl
def idxhub_conventions() -> Conventions:
    """The conventions: layout HW, as `ray.data.read_images` gives grey images, and int64 labels."""
    return Conventions(
        layout="HW",
        label_dtype="int64",
        options={
            "batch_size": "how many examples a row has; by default a row is one example",
            "shuffle": "whether each pass over the dataset is an epoch of the shared order (False)",
            "seed": "the seed of that order (0)",
            "drop_last": "whether a last batch that is short is left out (False)",
            "override_num_blocks": "how many blocks there are; by default few, since Ray spends time on each",
        },
    )


@hookimpl
def idxhub_check(options: Mapping[str, Any]) -> None:
    """Refuse a batch size or a number of blocks below 1, and values of the wrong type."""
    arguments.batching(options)
    if options.get("override_num_blocks") is not None:
        arguments.integer("override_num_blocks", options["override_num_blocks"], 1)


@hookimpl
def idxhub_dataset(split: Split, options: Mapping[str, Any]) -> ray.data.Dataset:
    """A Dataset with the columns image and label, in the file's order, or of a new epoch in each pass over it.

    A row is an example, or with `batch_size` a whole batch: images (B, ...) and labels (B,).
    """
    dataset = _read(split, **options)
    # For this dataset and those made from it. By default Ray gives blocks in the order in which workers finish them.
    dataset.context.execution_options.preserve_order = True
    dataset.info = split.info  # an attribute of this object: what `map` and similar methods return has none
    return dataset


def _read(
    split: Split,
    *,
    batch_size: int | None = None,
    shuffle: bool = False,
    seed: int = 0,
    drop_last: bool = False,
    override_num_blocks: int | None = None,
) -> ray.data.Dataset:
    size = None if batch_size is None else operator.index(batch_size)
    source = IdxDatasource(split, seed if shuffle else None, size, drop_last=drop_last)
    blocks = (
        _default_blocks(source.estimate_inmemory_data_size()) if override_num_blocks is None else override_num_blocks
    )
    return ray.data.read_datasource(source, override_num_blocks=blocks)


def _default_blocks(size: int) -> int:
    """A block for each CPU of the cluster, more if blocks would be large, and fewer if they would be small."""
    if not ray.is_initialized():
        ray.init()  # as read_datasource does
    cpus = int(ray.cluster_resources().get("CPU", 1))
    return max(1, min(max(cpus, -(-size // _LARGEST_BLOCK)), -(-size // _SMALLEST_BLOCK)))


@hookimpl
def idxhub_batch(images: NDArray[Any], labels: NDArray[Any]) -> dict[str, NDArray[Any]]:
    """What `iter_batches` gives: images (B, ...) and int64 labels (B,)."""
    return {"image": images, "label": labels}


class IdxDatasource(ray.data.Datasource):  # type: ignore[misc]  # Ray is not installed where types are checked
    """The examples of a split. The task that reads a range of them holds a reference to the split, and no images.

    If `seed` is given, a task reads a range of the shared order instead; the epoch is the number of passes before. Each
    worker draws the order itself, so no example travels from one worker to another. If `batch_size` is given, a row is
    a whole batch, and with `drop_last` a short one at the end is left out.
    """

    def __init__(
        self, split: Split, seed: int | None = None, batch_size: int | None = None, *, drop_last: bool = False
    ) -> None:
        super().__init__()
        self._seed, self._batch_size = seed, batch_size
        # pickled once, since pickling a split compares its arrays with the cache's
        self._reference = pickle.dumps(split)
        size = batch_size or 1
        self._examples = len(split) // size * size if drop_last else len(split)
        self._rows = -(-self._examples // size)
        self._example_size = math.prod(split.element_shape) * np.dtype(split.dtype).itemsize + split.labels.itemsize
        self._schema = self._find_schema(split)

    def _find_schema(self, split: Split) -> Any:
        """The schema of a small block: Ray makes no tensor column of an array without rows."""
        size = self._batch_size
        # if the batches have two lengths, both must be there
        examples = 1 if size is None else size + self._examples % size if self._examples > size else self._examples
        images, labels = np.zeros((max(1, examples), *split.element_shape), split.dtype), np.zeros(max(1, examples))
        return _block(images, labels.astype(split.labels.dtype), size).schema

    def estimate_inmemory_data_size(self) -> int:
        """The size of all blocks in bytes."""
        return self._examples * self._example_size

    def get_read_tasks(
        self,
        parallelism: int,
        per_task_row_limit: int | None = None,
        data_context: Any = None,
    ) -> list[ray.data.ReadTask]:
        """`parallelism` tasks, or one for each row if there are fewer rows; one for an empty split."""
        count = max(1, min(parallelism, self._rows))
        edges = [self._rows * i // count for i in range(count + 1)]
        # Ray counts the passes over a dataset there, for the same use; it calls this without a context for the schema
        epoch = 0 if data_context is None else data_context._execution_idx  # noqa: SLF001
        return [self._task(start, stop, epoch, per_task_row_limit) for start, stop in itertools.pairwise(edges)]

    def _task(self, first: int, end: int, epoch: int, row_limit: int | None) -> ray.data.ReadTask:
        size = self._batch_size
        start, stop = first * (size or 1), min(end * (size or 1), self._examples)
        bytes_of_block = (stop - start) * self._example_size
        metadata = BlockMetadata(num_rows=end - first, size_bytes=bytes_of_block, input_files=None, exec_stats=None)
        read: Callable[[], Iterable[Block]]
        if not end - first:
            read = self._read_empty_block
        elif self._seed is None:
            read = functools.partial(_read_range, self._reference, start, stop, size)
        else:
            read = functools.partial(_read_shuffled, self._reference, start, stop, size, seed=self._seed, epoch=epoch)
        return ray.data.ReadTask(read, metadata, schema=self._schema, per_task_row_limit=row_limit)

    def _read_empty_block(self) -> list[Block]:
        return [self._schema.empty_table()]


def _read_range(reference: bytes, start: int, stop: int, size: int | None) -> Iterator[Block]:
    split = _open_split(reference)
    for where in _parts(split, start, stop, size):
        if split.dtype == split.images.dtype:
            images = split.batch(where)  # a view of the mapped file
        else:
            images = _gather(split, np.arange(where.start, where.stop, dtype=np.int64))
        yield _block(images, split.labels[where], size)


def _read_shuffled(
    reference: bytes, start: int, stop: int, size: int | None, *, seed: int, epoch: int
) -> Iterator[Block]:
    split = _open_split(reference)
    indices = _draw_order(len(split), seed, epoch)
    for where in _parts(split, start, stop, size):
        yield _block(_gather(split, indices[where]), split.labels.take(indices[where]), size)


def _parts(split: Split, start: int, stop: int, size: int | None) -> Iterator[slice]:
    """The range in parts of whole rows, of at most `_PART` bytes if a row is not larger."""
    row = (size or 1) * math.prod(split.element_shape) * np.dtype(split.dtype).itemsize
    step = max(1, _PART // max(1, row)) * (size or 1)
    for first in range(start, stop, step):
        yield slice(first, min(first + step, stop))


def _gather(split: Split, indices: NDArray[np.int64]) -> NDArray[Any]:
    return split.gather(indices, out=_memory.array((len(indices), *split.element_shape), split.dtype))


class _Memory:
    """The memory of parts, which is used again as soon as no array refers to it any more.

    All parts of a pass are in use until Ray has made a block of them. Without this, their memory would go back to the
    system after each pass, which then has to provide as many new pages. On a virtual machine that took up to 50 ms for
    16 MiB, and gathering into them 5 ms.
    """

    def __init__(self, size: int) -> None:
        self._size = size  # of one part, in bytes
        self._free: list[memoryview] = []

    def array(self, shape: tuple[int, ...], dtype: str) -> NDArray[Any]:
        """An array with any values, C-contiguous."""
        size = math.prod(shape) * np.dtype(dtype).itemsize
        if size > self._size:  # a row that is larger than a part
            return np.empty(shape, dtype)
        try:
            memory = self._free.pop()
        except IndexError:
            # NumPy asks for huge pages, which `bytearray` does not: all images in float32 take 56 ms instead of 76
            memory = np.empty(self._size, np.uint8).data
        # All views of this array have it as their base, and keep it. Of an array in place of a memoryview they would
        # have that array itself as their base.
        whole = np.frombuffer(memory, np.uint8)
        weakref.finalize(whole, self._keep, memory).atexit = False
        return whole[:size].view(dtype).reshape(shape)

    def _keep(self, memory: memoryview) -> None:
        if len(self._free) < _MOST_KEPT:
            self._free.append(memory)


_memory = _Memory(_PART)  # of this process

_draw_order = functools.lru_cache(1)(order)  # of the tasks of one pass


@functools.lru_cache(_MAX_OPEN_SPLITS)
def _open_split(reference: bytes) -> Split:
    """The split that `reference` is a pickle of, verified and mapped once in each worker process."""
    split: Split = pickle.loads(reference)  # noqa: S301 -- the driver sent it, as it sent the task's own code
    return split


def _block(images: NDArray[Any], labels: NDArray[Any], size: int | None) -> Block:
    """An Arrow table with the columns image, in Ray's tensor extension, and label; with `size` a row is a batch."""
    if size is not None:
        images, labels = _in_batches(images, size), _in_batches(labels, size)
    return BlockAccessor.batch_to_block({"image": images, "label": labels})


def _in_batches(array: NDArray[Any], size: int) -> NDArray[Any]:
    """An array of batches; if the last one is short, an array of arrays, of which Ray makes a column of tensors."""
    full, rest = divmod(len(array), size)
    if not rest or not full:
        return array.reshape(-1, min(size, len(array)), *array.shape[1:])
    batches = np.empty(full + 1, object)
    for number in range(full + 1):
        batches[number] = array[number * size : (number + 1) * size]
    return batches
