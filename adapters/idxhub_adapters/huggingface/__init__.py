"""Hugging Face: a `datasets.Dataset` with `image` and `label`, as PNG pictures or as arrays.

This module is what the entry point names: the hooks, and the class that users and pickles may refer to.
"""

from __future__ import annotations

import math
from collections.abc import Mapping
from typing import Any

import datasets
from numpy.typing import NDArray

from idxhub import Conventions, Split, arguments, errors, hookimpl
from idxhub_adapters.huggingface.arrow_files import MAX_AXES, array_dataset, picture_dataset
from idxhub_adapters.huggingface.gathering import ArrayDataset

__all__ = ["ArrayDataset"]


@hookimpl
def idxhub_conventions() -> Conventions:
    """The conventions: images without a channel axis, and int64 labels, the type of ClassLabel."""
    return Conventions(
        layout="HW",
        label_dtype="int64",
        options={
            "image": '"png" (an Image feature, as on the Hub) or "array" (a feature of fixed shape)',
            "compress": "whether the PNG pictures are compressed: smaller, and slower to read (False)",
        },
    )


@hookimpl
def idxhub_check(options: Mapping[str, Any], shape: tuple[int, ...], dtype: str, layout: str | None) -> None:
    """Pictures must be grey, uint8 and without a channel axis; arrays must have five axes at most."""
    image = options.get("image", "png")
    if not isinstance(image, str) or image not in ("png", "array"):
        raise errors.UnknownNameError("image", image, ["png", "array"])
    if arguments.boolean("compress", options.get("compress", False)) and image != "png":
        raise errors.ArgumentError("compress", True, f"False with image={image!r}: only PNG pictures can be compressed")
    if image == "array":
        if len(shape) > MAX_AXES:
            raise errors.ArgumentError("image", image, f"used with images of at most 5 axes, not of shape {shape}")
        return
    if len(shape) != 2 or not math.prod(shape):
        raise errors.ArgumentError(
            "image", image, f'"array" for images of shape {shape}; a PNG has only height and width'
        )
    for argument, asked, only in (("dtype", dtype, "uint8"), ("layout", layout, "HW")):
        if asked != only:
            raise errors.UnknownNameError(
                argument, asked, [only], why=f'image="png" has no other {argument}; image="array" has all of them'
            )


@hookimpl
def idxhub_dataset(split: Split, options: Mapping[str, Any]) -> datasets.Dataset:
    """A Dataset with the columns image and label."""
    if options.get("image", "png") == "array":
        return array_dataset(split)
    return picture_dataset(split, compress=options.get("compress", False))


@hookimpl
def idxhub_batch(images: NDArray[Any], labels: NDArray[Any]) -> dict[str, NDArray[Any]]:
    """What iterating a Dataset in NumPy's format gives: images (B, ...) and int64 labels (B,)."""
    return {"image": images, "label": labels}
