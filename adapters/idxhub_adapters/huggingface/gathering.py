"""A `datasets.Dataset` that reads many rows by one gather.

`datasets` takes a batch out of a shuffled table as one slice for each row, each of which becomes an Arrow chunk, a
NumPy array, and an element of a list that is looked through before it is joined. Here the columns are seen as NumPy
arrays over the table's own memory, the batch is taken from them at once, and `datasets`' formatter is given that.
"""

from __future__ import annotations

import math
import operator
from collections.abc import Iterable, Iterator, Mapping
from typing import Any

import datasets
import numpy as np
import pyarrow as pa
from datasets.formatting import PythonFormatter, TensorFormatter, format_table, get_formatter
from numpy.typing import NDArray

_ROWS = 128  # gathered at once for a loop over single rows, which keep that many alive
_MOST = 1 << 20  # bytes of them
_ARRAYS = (datasets.Array2D, datasets.Array3D, datasets.Array4D, datasets.Array5D)


class ArrayDataset(datasets.Dataset):  # type: ignore[misc]  # datasets is not installed where types are checked
    """A Dataset of arrays of fixed shape and numbers: the same values, types and fingerprints, read faster.

    What is selected from it (`shuffle`, `select`, `train_test_split`, ...) is of this class, what `map` makes a plain
    Dataset. A table that is not laid out for it (nulls, other types) is read as a plain Dataset's is.
    """

    _view: _View | None = None

    @classmethod
    def over(cls, dataset: datasets.Dataset) -> datasets.Dataset:
        """The same Dataset, of this class."""
        dataset.__class__ = cls
        return dataset

    def _getitem(self, key: Any, **kwargs: Any) -> Any:
        formatter = self._formatter()
        tensors = isinstance(formatter, TensorFormatter)
        if kwargs or not (tensors or self._is_scattered(key)):
            return super()._getitem(key, **kwargs)
        view = self._columns()
        where = None if view is None else _where(key, len(self))
        if view is None or where is None:
            return super()._getitem(key)  # which also says what is wrong with a key
        if tensors:
            return _formatted(formatter, view.gather(where, self._format_columns))
        return self._arrow_formatted(view, np.asarray(where), formatter)

    def __getitems__(self, keys: list[int]) -> list[dict[str, Any]]:
        """Rows as a list, for a DataLoader."""
        batch = self[keys]
        if not isinstance(batch, Mapping):
            rows: list[dict[str, Any]] = super().__getitems__(keys)
            return rows
        return list(_rows(batch))

    def __iter__(self) -> Iterator[Any]:
        view, formatter = self._columns(), self._formatter()
        if view is None or not isinstance(formatter, (TensorFormatter, PythonFormatter)):
            yield from super().__iter__()
            return
        step = max(1, min(_ROWS, _MOST // max(1, view.row_bytes)))
        for start in range(0, len(self), step):
            where = np.arange(start, min(start + step, len(self)))
            if isinstance(formatter, PythonFormatter):
                yield from _rows(self._arrow_formatted(view, where, formatter))
            else:
                for row in _rows(view.gather(where, self._format_columns)):
                    yield _formatted(formatter, row)

    def iter(self, batch_size: int, drop_last_batch: bool = False) -> Iterator[Any]:
        """Batches of `batch_size` rows."""
        if self._columns() is None:
            yield from super().iter(batch_size, drop_last_batch)
            return
        count = len(self) // batch_size * batch_size if drop_last_batch else len(self)
        for start in range(0, count, batch_size):
            yield self._getitem(slice(start, start + batch_size))

    def _is_scattered(self, key: Any) -> bool:
        """Whether a key means rows that do not lie side by side in the table."""
        return self._indices is not None and isinstance(key, (slice, Iterable)) and not isinstance(key, str)

    def _arrow_formatted(self, view: _View, where: NDArray[np.int64], formatter: Any) -> Any:
        table = view.table(where, self._data.schema)
        return format_table(table, range(len(where)), formatter=formatter, format_columns=self._format_columns)

    def _formatter(self) -> Any:
        return get_formatter(self._format_type, features=self._info.features, **(self._format_kwargs or {}))

    def _columns(self) -> _View | None:
        if self._format_columns is not None and self._output_all_columns:
            return None  # two formats at once
        if self._view is None or not self._view.shows(self._data, self._indices):
            self._view = _View(self._data, self._indices, self.features)
        return self._view if self._view.arrays else None

    def _select_contiguous(self, *args: Any, **kwargs: Any) -> datasets.Dataset:
        return self.over(super()._select_contiguous(*args, **kwargs))  # datasets names its own class there

    def _new_dataset_with_indices(self, *args: Any, **kwargs: Any) -> datasets.Dataset:
        return self.over(super()._new_dataset_with_indices(*args, **kwargs))

    def __getstate__(self) -> dict[str, Any]:
        return {name: value for name, value in self.__dict__.items() if name != "_view"}


class _View:
    """A table's columns as NumPy arrays over its memory, none where that cannot be, and the order of its rows."""

    def __init__(self, data: Any, indices: Any, features: datasets.Features) -> None:
        self._shown = (data.table, None if indices is None else indices.table)
        arrays = {name: _arrays(data.table.column(name), features[name]) for name in data.column_names}
        self.arrays = {name: chunks for name, chunks in arrays.items() if chunks}
        if len(self.arrays) < len(arrays):
            self.arrays = {}
        self.order = None if indices is None else indices.table.column(0).to_numpy().astype(np.int64)

    def __deepcopy__(self, memo: Any) -> _View:
        return self  # with_format and its like copy a Dataset deeply, but not its table

    def shows(self, data: Any, indices: Any) -> bool:
        """Whether this is the view of that table in that order."""
        table, order = self._shown
        return table is data.table and order is (None if indices is None else indices.table)

    @property
    def row_bytes(self) -> int:
        """Bytes in one row."""
        return sum(chunks[0][:1].nbytes for chunks in self.arrays.values())

    def gather(self, where: int | NDArray[np.int64], names: Any = None) -> dict[str, Any]:
        """The rows at `where`, or the one row: new arrays, in the table's order of columns."""
        if self.order is not None:
            where = self.order[where]
        names = self.arrays if names is None else names
        return {name: _take(chunks, where) for name, chunks in self.arrays.items() if name in names}

    def table(self, where: NDArray[np.int64], schema: Any) -> Any:
        """The rows at `where` as a table of one chunk."""
        columns = [arrow(array, schema.field(name).type) for name, array in self.gather(where).items()]
        return pa.Table.from_arrays(columns, schema=schema)


def arrow(images: NDArray[Any], kind: Any) -> Any:
    """An Arrow array of type `kind` over the images' own memory, as lists of lists: the offsets alone are new."""
    if pa.types.is_fixed_size_list(kind):
        return pa.FixedSizeListArray.from_arrays(pa.array(images.reshape(-1)), type=kind)
    if not isinstance(kind, pa.ExtensionType):
        return pa.array(images, kind)
    images = np.ascontiguousarray(images)
    array = pa.Array.from_buffers(pa.from_numpy_dtype(images.dtype), images.size, [None, pa.py_buffer(images)])
    for axis in range(images.ndim - 1, 0, -1):
        count = math.prod(images.shape[:axis])
        offsets = np.arange(count + 1, dtype=np.int32) * np.int32(images.shape[axis])
        array = pa.ListArray.from_arrays(pa.array(offsets), array)
    return pa.ExtensionArray.from_storage(kind, array)


def _arrays(column: Any, feature: Any) -> list[NDArray[Any]]:
    """A column's chunks as arrays over their memory; none where that is not so simple."""
    if isinstance(feature, _ARRAYS):
        simple = feature.shape[0] is not None and np.dtype(feature.dtype).kind in "iuf"
    else:
        simple = pa.types.is_integer(column.type) or pa.types.is_floating(column.type)
    if not simple or column.null_count:
        return []
    return [chunk.to_numpy(zero_copy_only=True) for chunk in column.chunks]


def _take(chunks: list[NDArray[Any]], where: int | NDArray[np.int64]) -> Any:
    """The rows at `where`, counted through all chunks."""
    if len(chunks) == 1:
        return chunks[0].take(where, axis=0)
    ends = np.cumsum([len(chunk) for chunk in chunks])
    chosen = np.searchsorted(ends, where, side="right")
    starts = np.asarray(where) - np.concatenate([[0], ends[:-1]])[chosen]
    if np.ndim(where) == 0:
        return chunks[int(chosen)].take(int(starts), axis=0)
    taken = np.empty((len(starts), *chunks[0].shape[1:]), chunks[0].dtype)
    for number in np.unique(chosen):
        of_it = chosen == number
        taken[of_it] = chunks[number].take(starts[of_it], axis=0)
    return taken


def _where(key: Any, size: int) -> int | NDArray[np.int64] | None:
    """Which rows a key means, counted from 0; None if it means a column, or no rows that there are."""
    if isinstance(key, (bool, np.bool_, str)):
        return None
    if isinstance(key, slice):
        return np.arange(*key.indices(size))
    if hasattr(key, "__index__") and np.ndim(key) == 0:
        index = operator.index(key)
        return index % size if -size <= index < size else None
    where = np.asarray(key)
    if where.ndim != 1 or not np.issubdtype(where.dtype, np.integer) or not len(where):
        return None
    if not -size <= where.min() <= where.max() < size:
        return None
    return where.astype(np.int64) % size


def _formatted(formatter: Any, values: Mapping[str, Any]) -> dict[str, Any]:
    # one at a time: given a dict, the formatter makes a progress bar for it first, which takes longer than all the rest
    return {name: formatter.recursive_tensorize(value) for name, value in values.items()}


def _rows(batch: Mapping[str, Any]) -> Iterator[dict[str, Any]]:
    return (dict(zip(batch, row, strict=True)) for row in zip(*batch.values(), strict=True))
