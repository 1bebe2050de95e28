"""A `datasets.Dataset` that reads many rows in one step.

From a shuffled table `datasets` cuts one slice for each row of a batch. Each slice becomes an Arrow chunk, then a NumPy
array, then an element of a list, and the list is searched before it is stacked. Here the columns are NumPy arrays over
the table's own memory: NumPy's `take` makes the batch, and the formatter of `datasets` receives that.
"""

from __future__ import annotations

import math
import operator
from collections.abc import Iterable, Iterator, Mapping
from typing import Any

import datasets
import numpy as np
import PIL.Image
import pyarrow as pa
from datasets.formatting import PythonFormatter, TensorFormatter, format_table, get_formatter
from numpy.typing import NDArray

from idxhub_adapters.huggingface.png import PixelReader

# A loop over single rows gathers this many at once. Each row keeps the memory of all of them in use.
_ROWS_PER_GATHER = 128
_BYTES_PER_GATHER = 1 << 20
_ARRAY_FEATURES = (datasets.Array2D, datasets.Array3D, datasets.Array4D, datasets.Array5D)


class ArrayDataset(datasets.Dataset):  # type: ignore[misc]  # datasets is not installed where types are checked
    """A Dataset of arrays of fixed shape and numbers: the same values, types and fingerprints, read faster.

    So are pictures, in the formats that ask for arrays ("numpy", "torch", "jax", "tensorflow"): idxhub's own PNG files
    are not compressed, so their pixels are read without decoding PNG. Other files are decoded as usual.

    What is selected from it (`shuffle`, `select`, `train_test_split`, ...) is of this class too; what `map` makes is a
    plain Dataset. A table with other columns (nulls, types that are no numbers) is read as by a plain Dataset.
    """

    __module__ = "idxhub_adapters.huggingface"  # the public name, for repr and for pickles
    _numpy_columns: _NumpyColumns | None = None

    @classmethod
    def from_dataset(cls, dataset: datasets.Dataset) -> ArrayDataset:
        """Make `dataset` itself, not a copy of it, an `ArrayDataset`."""
        dataset.__class__ = cls
        converted: ArrayDataset = dataset
        return converted

    def _getitem(self, key: Any, **kwargs: Any) -> Any:
        formatter = self._formatter()
        tensors = isinstance(formatter, TensorFormatter)
        if kwargs or not (tensors or self._is_scattered(key)):
            return super()._getitem(key, **kwargs)
        columns = self._columns()
        rows = None if columns is None else _row_numbers(key, len(self))
        if columns is None or rows is None:
            return super()._getitem(key)  # it also raises the error for a wrong key
        if not tensors:
            if isinstance(rows, int) or not columns.are_numbers:
                return super()._getitem(key)
            return self._format_as_table(columns, rows, formatter)
        gathered = columns.gather(rows, self._format_columns)
        return super()._getitem(key) if gathered is None else self._tensorize(formatter, columns, gathered)

    def __getitems__(self, keys: list[int]) -> list[dict[str, Any]]:
        """Rows as a list, for a DataLoader."""
        batch = self[keys]
        if not isinstance(batch, Mapping):
            rows: list[dict[str, Any]] = super().__getitems__(keys)
            return rows
        return list(_as_rows(batch))

    def __iter__(self) -> Iterator[Any]:
        columns, formatter = self._columns(), self._formatter()
        as_python = isinstance(formatter, PythonFormatter) and columns is not None and columns.are_numbers
        if columns is None or not (as_python or isinstance(formatter, TensorFormatter)):
            yield from super().__iter__()
            return
        step = max(1, min(_ROWS_PER_GATHER, _BYTES_PER_GATHER // max(1, columns.row_bytes)))
        for start in range(0, len(self), step):
            rows = np.arange(start, min(start + step, len(self)))
            if as_python:
                yield from _as_rows(self._format_as_table(columns, rows, formatter))
            elif (gathered := columns.gather(rows, self._format_columns)) is None:
                for row in rows:
                    yield super()._getitem(int(row))
            else:
                for values in _as_rows(gathered):
                    yield self._tensorize(formatter, columns, values)

    def iter(self, batch_size: int, drop_last_batch: bool = False) -> Iterator[Any]:
        """Batches of `batch_size` rows."""
        if self._columns() is None:
            yield from super().iter(batch_size, drop_last_batch)
            return
        count = len(self) // batch_size * batch_size if drop_last_batch else len(self)
        for start in range(0, count, batch_size):
            yield self._getitem(slice(start, start + batch_size))

    def _tensorize(self, formatter: Any, columns: _NumpyColumns, values: Mapping[str, Any]) -> dict[str, Any]:
        """What the formatter makes of gathered rows, or of one row."""
        # one value at a time: for a dict the formatter makes a progress bar first, which takes longer than all else
        return {
            name: self._tensorize_pictures(formatter, value)
            if name in columns.readers
            else formatter.recursive_tensorize(value)
            for name, value in values.items()
        }

    def _tensorize_pictures(self, formatter: Any, pixels: NDArray[np.uint8]) -> Any:
        """What the formatter makes of pictures, (n, H, W) or (H, W), in the shape and dtype that it gives to one."""
        first = pixels if pixels.ndim == 2 else pixels[0]
        example = formatter.recursive_tensorize(PIL.Image.fromarray(first))
        options = {**(self._format_kwargs or {}), "dtype": example.dtype}
        shape = (*pixels.shape[:-2], *example.shape)
        return get_formatter(self._format_type, **options).recursive_tensorize(pixels.reshape(shape))

    def _is_scattered(self, key: Any) -> bool:
        """Whether a key means several rows of a table that is read in another order than its own."""
        return self._indices is not None and isinstance(key, (slice, Iterable)) and not isinstance(key, str)

    def _format_as_table(self, columns: _NumpyColumns, rows: NDArray[np.int64], formatter: Any) -> Any:
        table = columns.table(rows, self._data.schema)
        return format_table(table, range(len(rows)), formatter=formatter, format_columns=self._format_columns)

    def _formatter(self) -> Any:
        return get_formatter(self._format_type, features=self._info.features, **(self._format_kwargs or {}))

    def _columns(self) -> _NumpyColumns | None:
        """The columns as NumPy arrays; None if this table is to be read as by a plain Dataset."""
        if self._format_columns is not None and self._output_all_columns:
            return None  # some columns in the format, the others in Python's
        if self._numpy_columns is None or not self._numpy_columns.are_of(self._data, self._indices):
            self._numpy_columns = _NumpyColumns(self._data, self._indices, self.features)
        return self._numpy_columns if self._numpy_columns.arrays else None

    def _select_contiguous(self, *args: Any, **kwargs: Any) -> ArrayDataset:
        return self.from_dataset(super()._select_contiguous(*args, **kwargs))  # datasets makes a plain Dataset

    def _new_dataset_with_indices(self, *args: Any, **kwargs: Any) -> ArrayDataset:
        return self.from_dataset(super()._new_dataset_with_indices(*args, **kwargs))

    def __getstate__(self) -> dict[str, Any]:
        return {name: value for name, value in self.__dict__.items() if name != "_numpy_columns"}


class _NumpyColumns:
    """A table's columns as NumPy arrays over its memory, and the order in which its rows are read.

    `arrays` is {name: chunks}, each chunk an array (n, ...); it is empty if one of the columns cannot be read so. A
    column of pictures has chunks of files, uint8 (n, L), and a reader of their pixels in `readers`; it can be read so
    if all files have the length of those that idxhub writes. `order`, int64 (N,), is each row's number in the table; it
    is None for the table's own order.
    """

    def __init__(self, data: Any, indices: Any, features: datasets.Features) -> None:
        self._source = (data.table, None if indices is None else indices.table)
        arrays = {name: _numpy_chunks(data.table.column(name), features[name]) for name in data.column_names}
        self.arrays = {name: chunks for name, chunks in arrays.items() if chunks}
        pictures = [name for name in self.arrays if isinstance(features[name], datasets.Image)]
        readers = {name: PixelReader.for_file(self.arrays[name][0][0]) for name in pictures}
        self.readers = {name: reader for name, reader in readers.items() if reader is not None}
        if len(self.readers) < len(pictures):
            self.arrays = {}
        if len(self.arrays) < len(arrays):
            self.arrays = {}
        self.order = None if indices is None else indices.table.column(0).to_numpy().astype(np.int64)

    def __deepcopy__(self, memo: Any) -> _NumpyColumns:
        return self  # methods such as with_format copy a Dataset deeply, but share its table

    def are_of(self, data: Any, indices: Any) -> bool:
        """Whether these are the columns of that table in that order."""
        table, order = self._source
        return table is data.table and order is (None if indices is None else indices.table)

    @property
    def row_bytes(self) -> int:
        """Bytes in one row."""
        return sum(chunks[0][:1].nbytes for chunks in self.arrays.values())

    @property
    def are_numbers(self) -> bool:
        """Whether no column holds pictures."""
        return not self.readers

    def gather(self, rows: int | NDArray[np.int64], names: Any = None) -> dict[str, Any] | None:
        """{column: a new array} of the rows int64 (n,), or of one row; all columns unless `names` are given.

        Pictures become their pixels, (n, H, W) or (H, W). The result is None if there are no rows, or if one of the
        pictures is not a file as idxhub writes it.
        """
        if self.order is not None:
            rows = self.order[rows]
        names = self.arrays if names is None else names
        gathered = {name: _take(chunks, rows) for name, chunks in self.arrays.items() if name in names}
        for name, reader in self.readers.items():
            if name in gathered:
                files = gathered[name]
                pixels = reader.read(files.reshape(-1, reader.file_size))
                if pixels is None or not len(pixels):
                    return None
                gathered[name] = pixels if files.ndim > 1 else pixels[0]
        return gathered

    def table(self, rows: NDArray[np.int64], schema: Any) -> Any:
        """The rows, int64 (n,), of columns of numbers, as an Arrow table of one chunk."""
        gathered = self.gather(rows) or {}
        columns = [to_arrow(array, schema.field(name).type) for name, array in gathered.items()]
        return pa.Table.from_arrays(columns, schema=schema)


def to_arrow(images: NDArray[Any], arrow_type: Any) -> Any:
    """`images`, (N, ...), as an Arrow array of N lists of lists over the same memory; only the offsets are new."""
    if pa.types.is_fixed_size_list(arrow_type):
        return pa.FixedSizeListArray.from_arrays(pa.array(images.reshape(-1)), type=arrow_type)
    if not isinstance(arrow_type, pa.ExtensionType):
        return pa.array(images, arrow_type)
    images = np.ascontiguousarray(images)
    array = pa.Array.from_buffers(pa.from_numpy_dtype(images.dtype), images.size, [None, pa.py_buffer(images)])
    for axis in range(images.ndim - 1, 0, -1):
        count = math.prod(images.shape[:axis])
        offsets = np.arange(count + 1, dtype=np.int32) * np.int32(images.shape[axis])
        array = pa.ListArray.from_arrays(pa.array(offsets), array)
    return pa.ExtensionArray.from_storage(arrow_type, array)


def _numpy_chunks(column: Any, feature: Any) -> list[NDArray[Any]]:
    """A column's chunks as arrays over their memory; no chunks if the column has nulls or is not of numbers.

    Of a column of pictures the chunks are their files, if all of them have the same length.
    """
    if isinstance(feature, datasets.Image):
        return _file_chunks(column) if feature.decode and feature.mode in (None, "L") else []
    if isinstance(feature, _ARRAY_FEATURES):
        is_numeric = feature.shape[0] is not None and np.dtype(feature.dtype).kind in "iuf"
    else:
        is_numeric = pa.types.is_integer(column.type) or pa.types.is_floating(column.type)
    if not is_numeric or column.null_count:
        return []
    return [chunk.to_numpy(zero_copy_only=True) for chunk in column.chunks]


def _file_chunks(column: Any) -> list[NDArray[Any]]:
    """The files of pictures in a column, as one array uint8 (n, L) for each chunk; no chunks if lengths differ."""
    if column.null_count or not pa.types.is_struct(column.type):
        return []
    chunks = []
    for chunk in column.chunks:
        files = chunk.field("bytes")
        if not len(files) or files.null_count or not pa.types.is_binary(files.type):
            return []
        _, offset_buffer, data = files.buffers()
        offsets = np.frombuffer(offset_buffer, np.int32)[files.offset : files.offset + len(files) + 1]
        sizes = np.diff(offsets)
        if (sizes != sizes[0]).any() or not sizes[0]:
            return []
        content = np.frombuffer(data, np.uint8)[offsets[0] : offsets[-1]]
        chunks.append(content.reshape(len(files), sizes[0]))
    return chunks if len({chunk.shape[1] for chunk in chunks}) == 1 else []


def _take(chunks: list[NDArray[Any]], rows: int | NDArray[np.int64]) -> Any:
    """The rows, int64 (n,) or one number, counted through all chunks."""
    if len(chunks) == 1:
        return chunks[0].take(rows, axis=0)
    ends = np.cumsum([len(chunk) for chunk in chunks])
    chunk_of_row = np.searchsorted(ends, rows, side="right")
    row_in_chunk = np.asarray(rows) - np.concatenate([[0], ends[:-1]])[chunk_of_row]
    if np.ndim(rows) == 0:
        return chunks[int(chunk_of_row)].take(int(row_in_chunk), axis=0)
    taken = np.empty((len(row_in_chunk), *chunks[0].shape[1:]), chunks[0].dtype)
    for number in np.unique(chunk_of_row):
        in_chunk = chunk_of_row == number
        taken[in_chunk] = chunks[number].take(row_in_chunk[in_chunk], axis=0)
    return taken


def _row_numbers(key: Any, size: int) -> int | NDArray[np.int64] | None:
    """The rows that a key means, counted from 0; None if it means a column, or rows that do not exist."""
    if isinstance(key, (bool, np.bool_, str)):
        return None
    if isinstance(key, slice):
        return np.arange(*key.indices(size))
    if hasattr(key, "__index__") and np.ndim(key) == 0:
        index = operator.index(key)
        return index % size if -size <= index < size else None
    rows = np.asarray(key)
    if rows.ndim != 1 or not np.issubdtype(rows.dtype, np.integer) or not len(rows):
        return None
    if not -size <= rows.min() <= rows.max() < size:
        return None
    return rows.astype(np.int64) % size


def _as_rows(batch: Mapping[str, Any]) -> Iterator[dict[str, Any]]:
    """{column: n values} as n dicts of one value each."""
    return (dict(zip(batch, row, strict=True)) for row in zip(*batch.values(), strict=True))
