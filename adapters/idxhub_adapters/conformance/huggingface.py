"""Hugging Face's conformance subject: pictures are read in NumPy's format, arrays as Arrow arrays."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import datasets
import numpy as np

from idxhub.conformance import Subject


def _batches(native: Any, size: int) -> Iterator[tuple[Any, Any]]:
    if isinstance(native.features["image"], datasets.Image):
        for batch in native.with_format("numpy").iter(size):
            yield batch["image"], batch["label"]
    else:  # NumPy's format would convert uint8 to int64
        for table in native.with_format("arrow").iter(size):
            images = table.column("image").combine_chunks()
            yield images.to_numpy(zero_copy_only=False), table.column("label").to_numpy()


SUBJECT = Subject(
    framework="huggingface",
    batches=_batches,
    pair=lambda batch: (batch["image"], batch["label"]),
    element=lambda native, i: (np.asarray(native[i]["image"]), native[i]["label"]),
    length=len,
    class_names=lambda native: native.features["label"].names,
    package="datasets",
    options={"image": "array", "compress": True},
    # a picture is uint8 and HW; image="array" has float32 and other layouts too
    floats=False,
    layouts=False,
    wrong_options={"image": "jpg", "compress": "yes"},
    records=lambda native: [each["record"] for each in native.info.download_checksums.values()],
    minimum=47,
)
