"""Hugging Face: a `datasets.Dataset` with `image` and `label`, as PNG pictures or as arrays."""

from __future__ import annotations

import functools
import math
from collections.abc import Callable, Iterator, Mapping
from dataclasses import replace
from typing import Any

import datasets
import numpy as np
import pyarrow as pa
from datasets.table import MemoryMappedTable
from numpy.typing import NDArray

from idxhub import Conventions, DatasetInfo, Split, errors, hookimpl
from idxhub_adapters.huggingface.gathering import ArrayDataset, arrow
from idxhub_adapters.huggingface.png import encode

_FORMAT = 1  # of the Arrow files in the cache, and of fingerprints
_ROWS = 4_096  # pictures in one record batch: a few MiB
_END = b"\xff\xff\xff\xff\0\0\0\0"  # of an IPC stream. Source: the Arrow columnar format, "IPC Streaming Format"
_BLOCK = 2**28  # bytes of arrays in one: read as one block of memory, and made in less than a small machine has


@hookimpl
def idxhub_conventions() -> Conventions:
    """Pictures have no channel axis; int64 labels, as ClassLabel has them."""
    return Conventions(
        layout="HW",
        label_dtype="int64",
        options={"image": '"png" (an Image feature, as on the Hub) or "array" (a feature of fixed shape)'},
    )


@hookimpl
def idxhub_check(options: Mapping[str, Any], shape: tuple[int, ...], dtype: str, layout: str | None) -> None:
    """Pictures are grey, of uint8 and without a channel axis; arrays have five axes at most."""
    image = options.get("image", "png")
    if image not in ("png", "array"):
        raise errors.UnknownNameError("image", image, ["png", "array"])
    if image == "array":
        if len(shape) > max(_FEATURES):
            raise errors.ArgumentError("image", image, f"given with images of at most 5 axes; these are {shape}")
        return
    if len(shape) != 2 or not math.prod(shape):
        raise errors.ArgumentError("image", image, f'"array" for images of shape {shape}; a PNG is of height and width')
    for kind, asked, only in (("dtype", dtype, "uint8"), ("layout", layout, "HW")):
        if asked != only:
            raise errors.UnknownNameError(kind, asked, [only], why='image="png" has no other; image="array" has all')


@hookimpl
def idxhub_dataset(split: Split, options: Mapping[str, Any]) -> datasets.Dataset:
    """A Dataset with the columns image and label."""
    return _dataset(split, **options)


@hookimpl
def idxhub_batch(images: NDArray[Any], labels: NDArray[Any]) -> dict[str, NDArray[Any]]:
    """What iterating a Dataset in NumPy's format gives."""
    return {"image": images, "label": labels}


def _dataset(split: Split, image: str = "png") -> datasets.Dataset:
    return _pictures(split) if image == "png" else _arrays(split)


def _pictures(split: Split) -> datasets.Dataset:
    return _mapped(split, "png", datasets.Image(), _ROWS, _encoded)


def _arrays(split: Split) -> datasets.Dataset:
    shape = split.element_shape
    feature = _FEATURES[len(shape)](shape, split.dtype)
    rows = max(1, _BLOCK // max(1, math.prod(shape) * np.dtype(split.dtype).itemsize))
    kind = f"{split.dtype}-{split.layout or 'HW'}"
    return ArrayDataset.over(_mapped(split, kind, feature, rows, _listed))


# by the number of axes
_FEATURES: Mapping[int, Callable[[tuple[int, ...], str], Any]] = {
    0: lambda _, dtype: datasets.Value(dtype),
    1: lambda shape, dtype: datasets.Sequence(datasets.Value(dtype), length=shape[0]),
    2: datasets.Array2D,
    3: datasets.Array3D,
    4: datasets.Array4D,
    5: datasets.Array5D,
}
_Make = Callable[[Split, slice, datasets.Features], pa.RecordBatch]


def _mapped(split: Split, kind: str, image: Any, rows: int, make: _Make) -> datasets.Dataset:
    """What the split's parts are of the files in the cache: each of a split, whole, made once and mapped."""
    # the labels in a file are numbers: what they are called is for the spec at hand to say
    number = datasets.Value("int64")
    stored = datasets.Features({"image": image, "label": number})
    named = datasets.ClassLabel(names=list(split.classes)) if split.classes else number
    features = datasets.Features({"image": image, "label": named})
    parts = []
    for name, start, stop in split.info.parts:
        whole = functools.partial(_stream, split, name, stored, rows, make)
        table = MemoryMappedTable.from_file(str(split.derived(f"{name}-{kind}-{_FORMAT}.arrow", whole)))
        parts.append(_native(table, features, split.info, name, kind).select(range(start, stop)))
    return parts[0] if len(parts) == 1 else datasets.concatenate_datasets(parts)


def _stream(
    split: Split, name: str, features: datasets.Features, rows: int, make: _Make
) -> Iterator[bytes | memoryview]:
    """The parts of the file: the schema, batches of `rows` rows, and the mark of the end."""
    whole = replace(split.whole(name), dtype=split.dtype, layout=split.layout)
    yield memoryview(features.arrow_schema.serialize())
    for start in range(0, len(whole), rows):
        yield memoryview(make(whole, slice(start, start + rows), features).serialize())
    yield _END


def _encoded(whole: Split, rows: slice, features: datasets.Features) -> pa.RecordBatch:
    files = encode(whole.images[rows])
    offsets = np.arange(len(files) + 1, dtype=np.int32) * files.shape[1]
    content = pa.BinaryArray.from_buffers(pa.binary(), len(files), [None, pa.py_buffer(offsets), pa.py_buffer(files)])
    picture = pa.StructArray.from_arrays([content, pa.nulls(len(files), pa.string())], ["bytes", "path"])
    return pa.record_batch([picture, pa.array(whole.labels[rows])], schema=features.arrow_schema)


def _listed(whole: Split, rows: slice, features: datasets.Features) -> pa.RecordBatch:
    schema = features.arrow_schema
    return pa.record_batch([arrow(whole.batch(rows), schema.field(0).type), pa.array(whole.labels[rows])], schema)


def _native(table: Any, features: datasets.Features, info: DatasetInfo, split: str, kind: str) -> datasets.Dataset:
    spec = info.spec
    sizes = {resource.filename: resource.size for resource in spec.resources}
    described = datasets.DatasetInfo(
        description=spec.description,
        citation=spec.citation,
        homepage=spec.homepage,
        license=spec.license,
        features=features,
        dataset_name=spec.name,
        # where the bytes came from, in the library's own words, and the whole record in ours; the size is the published
        # file's, if it is known
        download_checksums={
            record.origin: {"num_bytes": sizes[record.filename], "checksum": record.sha256, "record": record._asdict()}
            for record in info.records
        },
    )
    # the same in every process and on every machine, so that what `map` caches is found again
    what = ("idxhub", _FORMAT, spec.name, spec.fingerprint, split, kind, tuple(spec.classes))
    fingerprint = datasets.fingerprint.Hasher.hash(what)
    named = datasets.NamedSplit(split) if split in spec.splits else None
    return datasets.Dataset(table, info=described, split=named, fingerprint=fingerprint)
