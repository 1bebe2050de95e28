"""Datasets over Arrow files in the cache: a file holds one of the spec's splits, whole, and is written once."""

from __future__ import annotations

import functools
import io
import math
from collections.abc import Callable, Iterator, Mapping
from dataclasses import replace
from typing import Any

import datasets
import numpy as np
import pyarrow as pa
from datasets.table import MemoryMappedTable
from numpy.typing import NDArray

from idxhub import DatasetInfo, Split
from idxhub_adapters.huggingface.gathering import ArrayDataset, to_arrow
from idxhub_adapters.huggingface.png import encode

_FORMAT_VERSION = 1  # of the files; part of their names and of fingerprints
PICTURES_PER_RECORD_BATCH = 4_096  # a few MiB
# One record batch can be read as one block of memory. It is bounded, so that a small machine can make it.
BYTES_PER_RECORD_BATCH = 1 << 28
# Source: the Arrow columnar format, "IPC Streaming Format"
_END_OF_STREAM = b"\xff\xff\xff\xff\0\0\0\0"

# the feature of an array, by its number of axes
_ARRAY_FEATURES: Mapping[int, Callable[[tuple[int, ...], str], Any]] = {
    0: lambda _, dtype: datasets.Value(dtype),
    1: lambda shape, dtype: datasets.Sequence(datasets.Value(dtype), length=shape[0]),
    2: datasets.Array2D,
    3: datasets.Array3D,
    4: datasets.Array4D,
    5: datasets.Array5D,
}
MAX_AXES = max(_ARRAY_FEATURES)

# a split, a slice of its rows, and the columns' features, to those rows
_MakeRecordBatch = Callable[[Split, slice, datasets.Features], pa.RecordBatch]


def picture_dataset(split: Split, *, compress: bool = False) -> ArrayDataset:
    """A Dataset of PNG pictures; uint8 (H, W) each."""
    kind, make = ("png-compressed", _compressed_record_batch) if compress else ("png", _picture_record_batch)
    return ArrayDataset.from_dataset(_open_dataset(split, kind, datasets.Image(), PICTURES_PER_RECORD_BATCH, make))


def array_dataset(split: Split) -> ArrayDataset:
    """A Dataset of arrays of the split's `element_shape` and dtype."""
    shape = split.element_shape
    feature = _ARRAY_FEATURES[len(shape)](shape, split.dtype)
    rows = max(1, BYTES_PER_RECORD_BATCH // max(1, math.prod(shape) * np.dtype(split.dtype).itemsize))
    kind = f"{split.dtype}-{split.layout or 'HW'}"
    return ArrayDataset.from_dataset(_open_dataset(split, kind, feature, rows, _array_record_batch))


def _open_dataset(
    split: Split, kind: str, image: Any, rows_per_record_batch: int, make: _MakeRecordBatch
) -> datasets.Dataset:
    """The rows of `split`, selected from the mapped file of each split that it is part of."""
    # the files hold labels as numbers: their names come from the spec at hand, which may have been corrected since
    number = datasets.Value("int64")
    stored = datasets.Features({"image": image, "label": number})
    label = datasets.ClassLabel(names=list(split.classes)) if split.classes else number
    features = datasets.Features({"image": image, "label": label})
    parts = []
    for name, start, stop in split.info.parts:
        write = functools.partial(_arrow_stream, split, name, stored, rows_per_record_batch, make)
        table = MemoryMappedTable.from_file(str(split.derived(f"{name}-{kind}-{_FORMAT_VERSION}.arrow", write)))
        parts.append(_dataset_of_table(table, features, split.info, name, kind).select(range(start, stop)))
    return parts[0] if len(parts) == 1 else datasets.concatenate_datasets(parts)


def _arrow_stream(
    split: Split, name: str, features: datasets.Features, rows_per_record_batch: int, make: _MakeRecordBatch
) -> Iterator[bytes | memoryview]:
    """The parts of a file, in order: the schema, the record batches, the mark of the end."""
    whole = replace(split.whole(name), dtype=split.dtype, layout=split.layout)
    yield memoryview(features.arrow_schema.serialize())
    for start in range(0, len(whole), rows_per_record_batch):
        yield memoryview(make(whole, slice(start, start + rows_per_record_batch), features).serialize())
    yield _END_OF_STREAM


def _picture_record_batch(whole: Split, rows: slice, features: datasets.Features) -> pa.RecordBatch:
    files = encode(whole.images[rows])
    offsets = np.arange(len(files) + 1, dtype=np.int32) * files.shape[1]
    content = pa.BinaryArray.from_buffers(pa.binary(), len(files), [None, pa.py_buffer(offsets), pa.py_buffer(files)])
    return _with_labels(content, whole, rows, features)


def _compressed_record_batch(whole: Split, rows: slice, features: datasets.Features) -> pa.RecordBatch:
    from PIL import Image  # noqa: PLC0415 -- needed for these pictures alone

    files = []
    for image in whole.images[rows]:
        file = io.BytesIO()
        Image.fromarray(image).save(file, "png")
        files.append(file.getvalue())
    return _with_labels(pa.array(files, pa.binary()), whole, rows, features)


def _with_labels(files: pa.Array, whole: Split, rows: slice, features: datasets.Features) -> pa.RecordBatch:
    """A record batch of PNG files and the labels of the same rows."""
    picture = pa.StructArray.from_arrays([files, pa.nulls(len(files), pa.string())], ["bytes", "path"])
    return pa.record_batch([picture, pa.array(whole.labels[rows])], schema=features.arrow_schema)


def _array_record_batch(whole: Split, rows: slice, features: datasets.Features) -> pa.RecordBatch:
    schema = features.arrow_schema
    images: NDArray[Any] = whole.batch(rows)
    return pa.record_batch([to_arrow(images, schema.field(0).type), pa.array(whole.labels[rows])], schema)


def _dataset_of_table(
    table: Any, features: datasets.Features, info: DatasetInfo, split: str, kind: str
) -> datasets.Dataset:
    spec = info.spec
    sizes = {resource.filename: resource.size for resource in spec.resources}
    description = datasets.DatasetInfo(
        description=spec.description,
        citation=spec.citation,
        homepage=spec.homepage,
        license=spec.license,
        features=features,
        dataset_name=spec.name,
        # num_bytes and checksum are the library's own keys; the size is that of the published file, None if it is
        # unknown. "record" is idxhub's.
        download_checksums={
            record.origin: {"num_bytes": sizes[record.filename], "checksum": record.sha256, "record": record._asdict()}
            for record in info.records
        },
    )
    # the same in every process and on every machine, so that what `map` caches is found again
    identity = ("idxhub", _FORMAT_VERSION, spec.name, spec.fingerprint, split, kind, tuple(spec.classes))
    fingerprint = datasets.fingerprint.Hasher.hash(identity)
    named_split = datasets.NamedSplit(split) if split in spec.splits else None
    return datasets.Dataset(table, info=description, split=named_split, fingerprint=fingerprint)
