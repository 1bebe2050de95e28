"""The examples of a split as PNG files with labels, for the formats that hold one file for each image, in shards."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any, NamedTuple

from idxhub import ExportSplit, Split, arguments
from idxhub_export.png_bytes import channels_of, encode

SHARD_OPTIONS = {"examples_per_shard": "the number of examples in each file; the last one of a split may have fewer"}
_BLOCK = 1 << 20  # bytes of pixels: about 1,300 images of 28x28


class Examples(NamedTuple):
    """Some consecutive examples: the index of the first in its split, a PNG file for each, and the labels."""

    start: int
    files: list[bytes]
    labels: list[int]


def check_images(splits: Mapping[str, ExportSplit]) -> None:
    """Raise `ArgumentError` for images that no PNG can hold."""
    for split in splits.values():
        channels_of(split.shape, split.dtype)


def check_shards(splits: Mapping[str, ExportSplit], options: Mapping[str, Any]) -> None:
    """Raise `ArgumentError` for images that no PNG can hold, and for another option than a number of examples."""
    check_images(splits)
    _examples_per_shard(options, 1)


def shards(split: Split, options: Mapping[str, Any], default: int) -> list[range]:
    """The indices of the examples in each shard, which has `default` examples if the option says nothing else.

    A split without examples has one shard, which is empty.
    """
    count, size = len(split), _examples_per_shard(options, default)
    return [range(start, min(start + size, count)) for start in range(0, max(count, 1), size)]


def _examples_per_shard(options: Mapping[str, Any], default: int) -> int:
    return arguments.integer("examples_per_shard", options.get("examples_per_shard", default), 1)


def examples(split: Split, indices: range, block: int = _BLOCK) -> Iterator[Examples]:
    """The examples of a range, as many at a time as have `block` bytes of pixels."""
    step = max(1, block // max(1, split.images[:1].nbytes))
    for start in range(indices.start, indices.stop, step):
        part = slice(start, min(start + step, indices.stop))
        yield Examples(start, encode(split.images[part], small=True), split.labels[part].tolist())
