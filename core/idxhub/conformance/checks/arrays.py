"""Checks of a native dataset's arrays: their bytes, types and layout, and the examples of a split."""

from __future__ import annotations

import numpy as np

from idxhub.conformance.checks.common import check, require_capability, require_equal, to_layout
from idxhub.conformance.kit import Case, require

SLICES = {
    "train[:80%]": slice(0, 206),  # 205.6 rounds to 206
    "train[80%:]": slice(206, None),
    "train[100:200]": slice(100, 200),
    "train[-10:]": slice(-10, None),
}


@check()
def image_bytes(case: Case) -> None:
    """Every image has the bytes of the decoded file, in the order of the file."""
    for split in ("train", "test"):
        images, _ = case.read(case.dataset(split))
        require_equal(case.flat(images), case.truth.images[split], f"{split} images")


@check()
def label_values(case: Case) -> None:
    """Every label has the value in the file, in the order of the file."""
    for split in ("train", "test"):
        _, labels = case.read(case.dataset(split))
        require_equal(labels, case.truth.labels[split], f"{split} labels")


@check()
def counts(case: Case) -> None:
    """The numbers of images and labels are those of the file."""
    for split, expected in (("train", 257), ("test", 61)):
        images, labels = case.read(case.dataset(split))
        require(
            len(images) == len(labels) == expected,
            f"{split}: {len(images)} images and {len(labels)} labels, expected {expected}",
        )


@check("length")
def length(case: Case) -> None:
    """The dataset knows its length."""
    for split, expected in (("train", 257), ("test", 61), ("train[:10]", 10)):
        seen = require_capability(case.subject.length)(case.dataset(split))
        require(seen == expected, f"{split}: length {seen}, expected {expected}")


@check()
def image_dtype(case: Case) -> None:
    """Images are uint8, unless another dtype is asked for."""
    for arguments in ({}, {"dtype": "uint8"}):
        images, _ = case.read(case.dataset(**arguments))
        require(images.dtype == np.uint8, f"{arguments}: {images.dtype}")


@check("float32")
def float32_bits(case: Case) -> None:
    """With dtype='float32', every pixel is pixel/255, correctly rounded, bit for bit."""
    images, _ = case.read(case.dataset(dtype="float32"))
    require(images.dtype == np.float32, f"dtype {images.dtype}")
    # by way of float64 the quotient is rounded twice, but for the 256 values of a byte the result is the same float32
    expected = (case.truth.images["train"].astype(np.float64) / 255).astype(np.float32)
    require_equal(case.flat(images).view(np.uint32), expected.view(np.uint32), "bits of float32 images")


@check()
def label_dtype(case: Case) -> None:
    """Labels have the integer type that the adapter declares."""
    declared = case.plugins.adapter(case.subject.framework).conventions.label_dtype
    _, labels = case.read(case.dataset())
    require(labels.dtype == np.dtype(declared), f"labels are {labels.dtype}, declared {declared}")


@check()
def native_byte_order(case: Case) -> None:
    """Arrays have the byte order of the machine."""
    for batch in case.subject.batches(case.dataset(), 300):
        for array in map(case.array, batch):  # not after joining them: NumPy's concatenate swaps bytes
            require(array.dtype.isnative, f"{array.dtype!r}")


@check()
def default_layout(case: Case) -> None:
    """Without layout=, images have the layout that the adapter declares."""
    declared = case.plugins.adapter(case.subject.framework).conventions.layout
    images, _ = case.read(case.dataset())
    require_equal(images, to_layout(case.truth.images["train"], declared), f"layout {declared}")


@check("layouts")
def layouts(case: Case) -> None:
    """With layout= HW, CHW or HWC, images have that layout."""
    for layout in ("HW", "CHW", "HWC"):
        images, _ = case.read(case.dataset(layout=layout))
        require_equal(images, to_layout(case.truth.images["train"], layout), f"layout {layout}")


@check("classes")
def class_names(case: Case) -> None:
    """The class names are those of the spec, in the order of the labels, with the class that has no examples."""
    seen = tuple(require_capability(case.subject.class_names)(case.dataset()))
    require(seen == case.truth.spec.classes, f"{seen}, expected {case.truth.spec.classes}")


@check("records")
def provenance(case: Case) -> None:
    """From a dataset one can get the records of its files: their digests, and where they came from."""
    for split, made_of in case.truth.spec.splits.items():
        records = require_capability(case.subject.records)(case.dataset(split))
        seen = {record["md5"]: record["source"] for record in records}
        expected = {each.md5: str(case.truth.folder / each.filename) for each in (made_of.images, made_of.labels)}
        require(seen == expected, f"{split}: {seen}, expected {expected}")


@check()
def split_slices(case: Case) -> None:
    """A slice of a split has the examples that TFDS would select."""
    for text, rows in SLICES.items():
        images, labels = case.read(case.dataset(text))
        require_equal(case.flat(images), case.truth.images["train"][rows], f"{text} images")
        require_equal(labels, case.truth.labels["train"][rows], f"{text} labels")


@check()
def split_sum(case: Case) -> None:
    """'train+test' is the train split, followed by the test split."""
    images, labels = case.read(case.dataset("train+test"))
    require_equal(case.flat(images), np.concatenate([*case.truth.images.values()]), "train+test images")
    require_equal(labels, np.concatenate([*case.truth.labels.values()]), "train+test labels")


@check()
def split_tuple(case: Case) -> None:
    """A sequence of splits gives a tuple of datasets."""
    both = case.dataset(("train", "test"))
    require(type(both) is tuple and len(both) == 2, f"got {type(both).__name__}")
    for native, split in zip(both, ("train", "test"), strict=True):
        require_equal(case.flat(case.read(native)[0]), case.truth.images[split], split)


@check()
def empty_slice(case: Case) -> None:
    """An empty slice is an empty dataset."""
    images, labels = case.read(case.dataset("train[5:5]"))
    require(len(images) == len(labels) == 0, f"{len(images)} images and {len(labels)} labels")
