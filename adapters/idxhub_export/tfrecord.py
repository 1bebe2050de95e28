"""TFRecord files in the form of TFDS: an image as a PNG file, and a label.

Source: "TFRecords format details" in TensorFlow's documentation.
"""

from __future__ import annotations

import struct
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

import google_crc32c

from idxhub import ExportFormat, ExportSplit, Split, hookimpl
from idxhub_export.examples import SHARD_OPTION, examples, examples_per_shard, shards
from idxhub_export.tfds_files import check_splits, encode_example, file_name, write_metadata

_FORMAT = "tfrecord"
_SHARD = 200_000  # examples: about 120 MB of images of 28x28; TFDS makes files of 64 MiB to 1 GiB


@hookimpl
def idxhub_export_format() -> ExportFormat:
    """A folder that TFDS opens."""
    options = {"examples_per_shard": SHARD_OPTION}
    return ExportFormat("a folder with TFRecord files of PNG images, as TFDS writes it", True, "", options)


@hookimpl
def idxhub_check_export(options: Mapping[str, Any], splits: Mapping[str, ExportSplit]) -> None:
    """Refuse what PNG or TFDS cannot have, and other values of the option."""
    check_splits(splits)
    examples_per_shard(options, _SHARD)


@hookimpl
def idxhub_export(
    splits: Mapping[str, Split], path: Path, options: Mapping[str, Any], progress: Callable[[int], None]
) -> None:
    """Write the shards, then the files that describe them."""
    lengths, sizes = {}, dict.fromkeys(splits, 0)
    for name, split in splits.items():
        ranges = shards(len(split), examples_per_shard(options, _SHARD))
        lengths[name] = [len(indices) for indices in ranges]
        for number, indices in enumerate(ranges):
            with (path / file_name(split, name, _FORMAT, number, len(ranges))).open("xb") as file:
                for part in examples(split, indices):
                    for image, label in zip(part.files, part.labels, strict=True):
                        example = encode_example(image, label)
                        file.write(_record(example))
                        sizes[name] += len(example)
                    progress(len(part.files))
    write_metadata(path, splits, _FORMAT, lengths, sizes)


def _record(content: bytes) -> bytes:
    length = len(content).to_bytes(8, "little")
    return b"".join((length, _checksum(length), content, _checksum(content)))


def _checksum(content: bytes) -> bytes:
    """CRC-32C, rotated by 15 bits and with a constant added, as the format says."""
    crc = google_crc32c.value(content)
    return struct.pack("<I", ((crc >> 15 | crc << 17) + 0xA282EAD8) & 0xFFFFFFFF)
