"""What TFDS (TensorFlow Datasets) writes: shards of examples, as messages `tf.train.Example`, and its JSON files.

Written without TensorFlow. Sources: tensorflow/core/example/example.proto and feature.proto, the encoding of Protocol
Buffers, and the files that TFDS 4.9 writes, with which the tests compare these.
"""

from __future__ import annotations

import functools
import json
import re
from collections.abc import Callable, Mapping, Sequence
from contextlib import AbstractContextManager
from pathlib import Path
from typing import Any

from idxhub import ExportFormat, ExportSplit, Split, errors
from idxhub_export.examples import SHARD_OPTIONS, check_shards, examples, shards

_SHARD = 200_000  # examples: about 120 MB of images of 28x28; TFDS makes files of 64 MiB to 1 GiB
_VERSION = "1.0.0"
_PYTHON = "tensorflow_datasets.core.features"
# field numbers, and the wire type of all that have a length
_LENGTH_DELIMITED = 2
_FEATURES, _FEATURE = 1, 1  # Example.features, Features.feature
_KEY, _VALUE = 1, 2  # of an entry of a map
_BYTES_LIST, _INT64_LIST, _LIST_VALUE = 1, 3, 1  # Feature.bytes_list, Feature.int64_list, value of both


def describe_format(files: str) -> ExportFormat:
    """A folder that TFDS opens, with such files."""
    return ExportFormat(f"a folder with {files} of PNG images, as TFDS writes it", True, "", SHARD_OPTIONS)


def check(splits: Mapping[str, ExportSplit], options: Mapping[str, Any]) -> None:
    """Raise `ArgumentError` for what PNG or TFDS cannot have, names of splits too, and for a wrong option."""
    check_shards(splits, options)
    for name in splits:
        if re.fullmatch(r"[\w-]+", name) is None or name == "all":  # by "all" TFDS means all splits
            must_be = "of letters, digits, '_' and '-', and not 'all', for TFDS"
            raise errors.ArgumentError("a name in splits", name, must_be)
    shapes = sorted({split.shape for split in splits.values()})
    if len(shapes) > 1:
        raise errors.ArgumentError("images", f"of shapes {shapes}", "of one shape in all splits for TFDS")
    (split, *_) = splits.values()
    # TFDS reads the lines of `label.labels.txt`, without spaces around them, and leaves out empty ones
    lines = list(filter(None, map(str.strip, "\n".join(split.classes).split("\n"))))
    if len(lines) != len(split.classes):
        raise errors.ArgumentError("classes", split.classes, "names of one line each, none of them empty, for TFDS")


def write_dataset(
    path: Path,
    splits: Mapping[str, Split],
    options: Mapping[str, Any],
    progress: Callable[[int], None],
    *,
    file_format: str,
    open_shard: Callable[[Path], AbstractContextManager[Callable[[bytes], object]]],
) -> None:
    """Write the shards, then the files that describe them. `open_shard` gives a function that writes an example."""
    lengths, sizes = {}, dict.fromkeys(splits, 0)
    for name, split in splits.items():
        ranges = shards(split, options, _SHARD)
        lengths[name] = [len(indices) for indices in ranges]
        for number, indices in enumerate(ranges):
            with open_shard(path / _file_name(split, name, file_format, number, len(ranges))) as write:
                for part in examples(split, indices):
                    for image, label in zip(part.files, part.labels, strict=True):
                        example = encode_example(image, label)
                        write(example)
                        sizes[name] += len(example)
                    progress(len(part.files))
    _write_metadata(path, splits, file_format, lengths, sizes)


def encode_example(image: bytes, label: int) -> bytes:
    """An `Example` with the features `image`, one string of bytes, and `label`, one int64."""
    value = _field(_BYTES_LIST, _field(_LIST_VALUE, image))
    return _field(_FEATURES, _entry(b"image", value) + _label_entry(label))


@functools.lru_cache(maxsize=4096)
def _label_entry(label: int) -> bytes:
    return _entry(b"label", _field(_INT64_LIST, _field(_LIST_VALUE, _varint(label % (1 << 64)))))


def _entry(key: bytes, value: bytes) -> bytes:
    return _field(_FEATURE, _field(_KEY, key) + _field(_VALUE, value))


def _field(number: int, content: bytes) -> bytes:
    return b"".join((bytes([number << 3 | _LENGTH_DELIMITED]), _varint(len(content)), content))


def _varint(number: int) -> bytes:
    digits = bytearray()
    while number > 0x7F:
        digits.append(number & 0x7F | 0x80)
        number >>= 7
    digits.append(number)
    return bytes(digits)


def _file_name(split: Split, name: str, file_format: str, number: int, count: int) -> str:
    """The name of a shard, `fashion_mnist-train.tfrecord-00000-of-00001`."""
    return f"{_dataset_name(split)}-{name}.{file_format}-{number:05}-of-{count:05}"


def _dataset_name(split: Split) -> str:
    """The name of the dataset with the letters, digits and underscores that TFDS accepts, the first one a letter."""
    name = re.sub(r"\W", "_", split.info.spec.name, flags=re.ASCII)
    return name if name[0].isalpha() else f"dataset_{name}"


def _write_metadata(
    folder: Path,
    splits: Mapping[str, Split],
    file_format: str,
    shard_lengths: Mapping[str, Sequence[int]],
    num_bytes: Mapping[str, int],
) -> None:
    """Write `dataset_info.json`, `features.json` and the names of the classes."""
    (split, *_) = splits.values()
    spec = split.info.spec
    info = {
        "citation": spec.citation,
        "description": spec.description,
        "fileFormat": file_format,
        "location": {"urls": [spec.homepage]} if spec.homepage else None,
        "name": _dataset_name(split),
        "redistributionInfo": {"license": spec.license} if spec.license else None,
        "splits": [
            {
                "filepathTemplate": "{DATASET}-{SPLIT}.{FILEFORMAT}-{SHARD_X_OF_Y}",
                "name": name,
                "numBytes": str(num_bytes[name]),
                "shardLengths": [str(length) for length in shard_lengths[name]],
            }
            for name in splits
        ],
        "supervisedKeys": {"tuple": {"items": [{"featureKey": "image"}, {"featureKey": "label"}]}},
        "version": _VERSION,
    }
    _write_json(folder / "dataset_info.json", {key: value for key, value in info.items() if value}, 2)
    _write_json(folder / "features.json", _features(split), 4)
    if split.classes:
        (folder / "label.labels.txt").write_bytes("".join(f"{name}\n" for name in split.classes).encode())


def _features(split: Split) -> dict[str, Any]:
    shape = (*split.images.shape[1:], 1)[:3]
    image = {
        "image": {
            "dtype": "uint8",
            "encodingFormat": "png",
            "shape": {"dimensions": [str(length) for length in shape]},
        },
        "pythonClassName": f"{_PYTHON}.image_feature.Image",
    }
    label: dict[str, Any] = {
        "classLabel": {"numClasses": str(len(split.classes))},
        "pythonClassName": f"{_PYTHON}.class_label_feature.ClassLabel",
    }
    if not split.classes:
        label = {
            "pythonClassName": f"{_PYTHON}.scalar.Scalar",
            "tensor": {"dtype": "int64", "encoding": "none", "shape": {}},
        }
    return {
        "featuresDict": {"features": {"image": image, "label": label}},
        "pythonClassName": f"{_PYTHON}.features_dict.FeaturesDict",
    }


def _write_json(path: Path, content: object, indent: int) -> None:
    path.write_bytes(json.dumps(content, indent=indent, ensure_ascii=False).encode())
