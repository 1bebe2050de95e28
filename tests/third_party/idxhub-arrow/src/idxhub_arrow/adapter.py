"""PyArrow: a `Table` whose images lie in the mapped file itself."""

import json
from collections.abc import Mapping
from typing import Any

import numpy as np
import pyarrow as pa
from numpy.typing import NDArray

from idxhub import Conventions, Split, hookimpl


@hookimpl
def idxhub_conventions() -> Conventions:
    """HW, int64 labels; the option `names`."""
    return Conventions(
        layout="HW",
        label_dtype="int64",
        options={"names": "True for labels as a dictionary of class names (False)"},
    )


@hookimpl
def idxhub_dataset(split: Split, options: Mapping[str, Any]) -> pa.Table:
    """The columns `image`, a fixed-shape tensor, and `label`."""
    return _table(split, **options)


@hookimpl
def idxhub_batch(images: NDArray[Any], labels: NDArray[Any]) -> pa.RecordBatch:
    """The same columns."""
    return pa.record_batch({"image": _tensors(images), "label": pa.array(labels)})


def _table(split: Split, names: bool = False) -> pa.Table:
    labels = pa.array(split.labels)
    if names:
        labels = pa.DictionaryArray.from_arrays(labels, list(split.classes))
    table = pa.table({"image": _tensors(split.batch()), "label": labels})
    return table.replace_schema_metadata({"classes": json.dumps(split.classes)})


def _tensors(images: NDArray[Any]) -> pa.ExtensionArray:
    """The images' own memory as an array of tensors; Arrow never writes into it."""
    kind = pa.fixed_shape_tensor(pa.from_numpy_dtype(images.dtype), images.shape[1:])
    values = pa.array(np.ascontiguousarray(images).reshape(-1))
    storage = pa.FixedSizeListArray.from_arrays(values, kind.storage_type.list_size)
    return pa.ExtensionArray.from_storage(kind, storage)
