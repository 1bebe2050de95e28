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

from idxhub import Conventions, Split, arguments, hookimpl

_MAX_OPEN_SPLITS = 8  # how many splits a worker process keeps mapped


@hookimpl
def idxhub_conventions() -> Conventions:
    """HW, as `ray.data.read_images` gives grey images; int64 labels."""
    return Conventions(
        layout="HW",
        label_dtype="int64",
        options={"override_num_blocks": "how many blocks there are; by default Ray decides"},
    )


@hookimpl
def idxhub_check(options: Mapping[str, Any]) -> None:
    """Refuse a number of blocks below 1."""
    if options.get("override_num_blocks") is not None:
        arguments.integer("override_num_blocks", options["override_num_blocks"], 1)


@hookimpl
def idxhub_dataset(split: Split, options: Mapping[str, Any]) -> ray.data.Dataset:
    """A Dataset with the columns image and label, in the file's order."""
    dataset = ray.data.read_datasource(IdxDatasource(split), **options)
    # For this dataset and those made from it. By default Ray gives blocks in the order in which workers finish them.
    dataset.context.execution_options.preserve_order = True
    dataset.info = split.info  # an attribute of this object: what `map` and similar methods return has none
    return dataset


@hookimpl
def idxhub_batch(images: NDArray[Any], labels: NDArray[Any]) -> dict[str, NDArray[Any]]:
    """What `iter_batches` gives: images (B, ...) and int64 labels (B,)."""
    return {"image": images, "label": labels}


class IdxDatasource(ray.data.Datasource):  # type: ignore[misc]  # Ray is not installed where types are checked
    """The examples of a split. The task that reads a range of them holds a reference to the split, and no images."""

    def __init__(self, split: Split) -> None:
        super().__init__()
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
        data_context: Any = None,  # noqa: ARG002 -- Ray passes it
    ) -> list[ray.data.ReadTask]:
        """`parallelism` tasks, or one for each example if there are fewer examples; one for an empty split."""
        count = max(1, min(parallelism, self._rows))
        edges = [self._rows * i // count for i in range(count + 1)]
        return [self._task(start, stop, per_task_row_limit) for start, stop in itertools.pairwise(edges)]

    def _task(self, start: int, stop: int, row_limit: int | None) -> ray.data.ReadTask:
        rows = stop - start
        metadata = BlockMetadata(num_rows=rows, size_bytes=rows * self._row_size, input_files=None, exec_stats=None)
        read = functools.partial(_read_block, self._reference, start, stop) if rows else self._read_empty_block
        return ray.data.ReadTask(read, metadata, schema=self._schema, per_task_row_limit=row_limit)

    def _read_empty_block(self) -> list[Block]:
        return [self._schema.empty_table()]


def _read_block(reference: bytes, start: int, stop: int) -> list[Block]:
    split = _open_split(reference)
    return [_block(split.batch(slice(start, stop)), split.labels[start:stop])]


@functools.lru_cache(_MAX_OPEN_SPLITS)
def _open_split(reference: bytes) -> Split:
    """The split that `reference` is a pickle of, verified and mapped once in each worker process."""
    split: Split = pickle.loads(reference)  # noqa: S301 -- the driver sent it, as it sent the task's own code
    return split


def _block(images: NDArray[Any], labels: NDArray[Any]) -> Block:
    """An Arrow table with the columns image, in Ray's tensor extension, and label."""
    return BlockAccessor.batch_to_block({"image": images, "label": labels})
