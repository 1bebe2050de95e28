"""TFRecord files in the form of TFDS: an image as a PNG file, and a label.

Source: "TFRecords format details" in TensorFlow's documentation.
"""

from __future__ import annotations

import contextlib
import struct
from collections.abc import Callable, Iterator, Mapping
from pathlib import Path
from typing import Any

import google_crc32c

from idxhub import ExportFormat, ExportSplit, Split, hookimpl
from idxhub_export import tfds_files


@hookimpl
def idxhub_export_format() -> ExportFormat:
    """A folder that TFDS opens."""
    return tfds_files.describe_format("TFRecord files")


@hookimpl
def idxhub_check_export(options: Mapping[str, Any], splits: Mapping[str, ExportSplit]) -> None:
    """Refuse what PNG or TFDS cannot have, and other values of the option."""
    tfds_files.check(splits, options)


@hookimpl
def idxhub_export(
    splits: Mapping[str, Split], path: Path, options: Mapping[str, Any], progress: Callable[[int], None]
) -> None:
    """Write the shards, then the files that describe them."""
    tfds_files.write_dataset(path, splits, options, progress, file_format="tfrecord", open_shard=_open_shard)


@contextlib.contextmanager
def _open_shard(path: Path) -> Iterator[Callable[[bytes], object]]:
    with path.open("xb") as file:
        yield lambda example: file.write(_record(example))


def _record(content: bytes) -> bytes:
    length = len(content).to_bytes(8, "little")
    return b"".join((length, _checksum(length), content, _checksum(content)))


def _checksum(content: bytes) -> bytes:
    """CRC-32C, rotated by 15 bits and with a constant added, as the format says."""
    crc = google_crc32c.value(content)
    return struct.pack("<I", ((crc >> 15 | crc << 17) + 0xA282EAD8) & 0xFFFFFFFF)
