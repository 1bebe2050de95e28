"""Hugging Face: a `datasets.Dataset` with `image` and `label`, as PNG pictures or as arrays."""

from __future__ import annotations

import math
from collections.abc import Iterable, Mapping
from pathlib import Path
from typing import Any

import datasets
import numpy as np
import pyarrow as pa
from datasets.table import InMemoryTable, MemoryMappedTable
from numpy.typing import NDArray

from idxhub import Conventions, DatasetInfo, Split, errors, hookimpl
from idxhub_adapters._png import encode

_FORMAT = 1  # of the Arrow files in the cache, and of fingerprints
_ROWS = 4_096  # pictures in one record batch: a few MiB
_MOST = 2**31 - 1  # elements under one array of 32-bit offsets


@hookimpl
def idxhub_conventions() -> Conventions:
    """Pictures have no channel axis; int64 labels, as ClassLabel has them."""
    return Conventions(
        layout="HW",
        label_dtype="int64",
        options={"image": '"png" (an Image feature, as on the Hub) or "array" (a feature of fixed shape)'},
    )


@hookimpl
def idxhub_dataset(split: Split, options: Mapping[str, Any]) -> datasets.Dataset:
    """A Dataset with the columns image and label."""
    return _dataset(split, **options)


@hookimpl
def idxhub_batch(images: NDArray[Any], labels: NDArray[Any]) -> dict[str, NDArray[Any]]:
    """What iterating a Dataset in NumPy's format gives."""
    return {"image": images, "label": labels}


def _dataset(split: Split, image: str = "png") -> datasets.Dataset:
    if image == "png":
        return _pictures(split)
    if image == "array":
        return _arrays(split)
    raise errors.UnknownNameError("image", image, ["png", "array"])


def _pictures(split: Split) -> datasets.Dataset:
    for kind, asked, only in (("dtype", split.dtype, "uint8"), ("layout", split.layout or "", "HW")):
        if asked != only:
            raise errors.UnknownNameError(kind, asked, [only], why='image="png" has no other; image="array" has all')
    parts = []
    for name, start, stop in split.info.parts:
        features = _features(split, datasets.Image())
        table = MemoryMappedTable.from_file(str(_arrow_file(split, name, features)))
        parts.append(_native(table, split.info, name, f"png {name}").select(range(start, stop)))
    return parts[0] if len(parts) == 1 else datasets.concatenate_datasets(parts)


def _arrow_file(split: Split, name: str, features: datasets.Features) -> Path:
    """The split `name`, whole, as a stream of record batches: made once, then mapped."""

    def make() -> Iterable[memoryview]:
        whole = split.whole(name)
        sink = pa.BufferOutputStream()
        with pa.ipc.new_stream(sink, features.arrow_schema) as stream:
            for start in range(0, len(whole), _ROWS):
                rows = slice(start, start + _ROWS)
                stream.write_batch(_batch(whole.images[rows], whole.labels[rows], features))
        return [memoryview(sink.getvalue())]

    return split.derived(f"{name}-png-{_FORMAT}.arrow", make)


def _batch(images: NDArray[Any], labels: NDArray[Any], features: datasets.Features) -> pa.RecordBatch:
    files = encode(images)
    offsets = np.arange(len(files) + 1, dtype=np.int32) * files.shape[1]
    content = pa.BinaryArray.from_buffers(pa.binary(), len(files), [None, pa.py_buffer(offsets), pa.py_buffer(files)])
    picture = pa.StructArray.from_arrays([content, pa.nulls(len(files), pa.string())], ["bytes", "path"])
    return pa.record_batch([picture, pa.array(labels)], schema=features.arrow_schema)


def _arrays(split: Split) -> datasets.Dataset:
    images = split.batch()
    shape = split.element_shape
    feature = {2: datasets.Array2D, 3: datasets.Array3D}[len(shape)](shape, str(images.dtype))
    features = _features(split, feature)
    rows = max(1, _MOST // math.prod(shape))
    chunks = [_nested(images[start : start + rows], feature()) for start in range(0, max(1, len(images)), rows)]
    columns = [pa.chunked_array(chunks, feature()), pa.chunked_array([pa.array(split.labels)])]
    table = InMemoryTable(pa.table(columns, schema=features.arrow_schema))
    return _native(table, split.info, split.info.split, f"array {split.info.split} {shape} {images.dtype}")


def _nested(images: NDArray[Any], kind: Any) -> pa.ExtensionArray:
    """Lists of lists over the images' own memory: the offsets alone are new."""
    images = np.ascontiguousarray(images)
    array = pa.Array.from_buffers(pa.from_numpy_dtype(images.dtype), images.size, [None, pa.py_buffer(images)])
    for axis in range(images.ndim - 1, 0, -1):
        count = math.prod(images.shape[:axis])
        offsets = np.arange(count + 1, dtype=np.int32) * np.int32(images.shape[axis])
        array = pa.ListArray.from_arrays(pa.array(offsets), array)
    return pa.ExtensionArray.from_storage(kind, array)


def _features(split: Split, image: Any) -> datasets.Features:
    names = list(split.classes)
    return datasets.Features(
        {"image": image, "label": datasets.ClassLabel(names=names) if names else datasets.Value("int64")}
    )


def _native(table: Any, info: DatasetInfo, split: str, what: str) -> datasets.Dataset:
    spec = info.spec
    described = datasets.DatasetInfo(
        description=spec.description,
        citation=spec.citation,
        homepage=spec.homepage,
        license=spec.license,
        features=datasets.Features.from_arrow_schema(table.schema),
    )
    # the same in every process and on every machine, so that what `map` caches is found again
    fingerprint = datasets.fingerprint.Hasher.hash(("idxhub", _FORMAT, spec.name, spec.fingerprint, what))
    named = datasets.NamedSplit(split) if split in spec.splits else None
    return datasets.Dataset(table, info=described, split=named, fingerprint=fingerprint)
