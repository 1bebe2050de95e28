"""Ray: a `ray.data.Dataset`; each worker reads its blocks from the verified cache of its own machine."""

from __future__ import annotations

import functools
import itertools
import math
import pickle
from collections.abc import Mapping
from typing import Any

import numpy as np
import ray.data
from numpy.typing import NDArray
from ray.data.block import Block, BlockAccessor, BlockMetadata

from idxhub import Conventions, Split, arguments, hookimpl, order

# Bytes. Ray's own choice is the smallest block that it allows; then the blocks take more time than reading them.
_SMALLEST_BLOCK, _LARGEST_BLOCK = 1 << 20, 1 << 25
_MAX_OPEN_SPLITS = 8  # how many splits a worker process keeps mapped


@hookimpl
def idxhub_conventions() -> Conventions:
    """The conventions: layout HW, as `ray.data.read_images` gives grey images, and int64 labels."""
    return Conventions(
        layout="HW",
        label_dtype="int64",
        options={
            "shuffle": "whether each pass over the dataset is an epoch of the shared order (False)",
            "seed": "the seed of that order (0)",
            "override_num_blocks": "how many blocks there are; by default few, since Ray spends time on each",
        },
    )


@hookimpl
def idxhub_check(options: Mapping[str, Any]) -> None:
    """Refuse a number of blocks below 1, and values of the wrong type."""
    arguments.boolean("shuffle", options.get("shuffle", False))
    arguments.integer("seed", options.get("seed", 0))
    if options.get("override_num_blocks") is not None:
        arguments.integer("override_num_blocks", options["override_num_blocks"], 1)


@hookimpl
def idxhub_dataset(split: Split, options: Mapping[str, Any]) -> ray.data.Dataset:
    """A Dataset with the columns image and label, in the file's order, or of a new epoch in each pass over it."""
    dataset = _read(split, **options)
    # For this dataset and those made from it. By default Ray gives blocks in the order in which workers finish them.
    dataset.context.execution_options.preserve_order = True
    dataset.info = split.info  # an attribute of this object: what `map` and similar methods return has none
    return dataset


def _read(
    split: Split, shuffle: bool = False, seed: int = 0, override_num_blocks: int | None = None
) -> ray.data.Dataset:
    source = IdxDatasource(split, seed if shuffle else None)
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
    worker draws the order itself, so no example travels from one worker to another.
    """

    def __init__(self, split: Split, seed: int | None = None) -> None:
        super().__init__()
        self._seed = seed
        # pickled once, since pickling a split compares its arrays with the cache's
        self._reference = pickle.dumps(split)
        self._rows = len(split)
        self._row_size = math.prod(split.element_shape) * np.dtype(split.dtype).itemsize + split.labels.itemsize
        # of one row, since Ray makes no tensor column of an array without rows
        row = np.zeros((1, *split.element_shape), split.dtype)
        self._schema = _block(row, np.zeros(1, split.labels.dtype)).schema

    def estimate_inmemory_data_size(self) -> int:
        """The size of all blocks in bytes."""
        return self._rows * self._row_size

    def get_read_tasks(
        self,
        parallelism: int,
        per_task_row_limit: int | None = None,
        data_context: Any = None,
    ) -> list[ray.data.ReadTask]:
        """`parallelism` tasks, or one for each example if there are fewer examples; one for an empty split."""
        count = max(1, min(parallelism, self._rows))
        edges = [self._rows * i // count for i in range(count + 1)]
        # Ray counts the passes over a dataset there, for the same use; it calls this without a context for the schema
        epoch = 0 if data_context is None else data_context._execution_idx  # noqa: SLF001
        return [self._task(start, stop, epoch, per_task_row_limit) for start, stop in itertools.pairwise(edges)]

    def _task(self, start: int, stop: int, epoch: int, row_limit: int | None) -> ray.data.ReadTask:
        rows = stop - start
        metadata = BlockMetadata(num_rows=rows, size_bytes=rows * self._row_size, input_files=None, exec_stats=None)
        if not rows:
            read = self._read_empty_block
        elif self._seed is None:
            read = functools.partial(_read_range, self._reference, start, stop)
        else:
            read = functools.partial(_read_shuffled, self._reference, start, stop, self._seed, epoch)
        return ray.data.ReadTask(read, metadata, schema=self._schema, per_task_row_limit=row_limit)

    def _read_empty_block(self) -> list[Block]:
        return [self._schema.empty_table()]


def _read_range(reference: bytes, start: int, stop: int) -> list[Block]:
    split = _open_split(reference)
    return [_block(split.batch(slice(start, stop)), split.labels[start:stop])]


def _read_shuffled(reference: bytes, start: int, stop: int, seed: int, epoch: int) -> list[Block]:
    split = _open_split(reference)
    indices = _draw_order(len(split), seed, epoch)[start:stop]
    return [_block(split.gather(indices), split.labels.take(indices))]


_draw_order = functools.lru_cache(1)(order)  # of the tasks of one pass


@functools.lru_cache(_MAX_OPEN_SPLITS)
def _open_split(reference: bytes) -> Split:
    """The split that `reference` is a pickle of, verified and mapped once in each worker process."""
    split: Split = pickle.loads(reference)  # noqa: S301 -- the driver sent it, as it sent the task's own code
    return split


def _block(images: NDArray[Any], labels: NDArray[Any]) -> Block:
    """An Arrow table with the columns image, in Ray's tensor extension, and label."""
    return BlockAccessor.batch_to_block({"image": images, "label": labels})
