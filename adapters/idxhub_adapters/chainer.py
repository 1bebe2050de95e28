"""Chainer: a `TupleDataset` of two NumPy arrays, images mapped copy-on-write from the cache."""

from __future__ import annotations

from typing import Any

from numpy.typing import NDArray

from idxhub import Conventions, Split, errors, hookimpl

try:
    import chainer
except (AttributeError, ModuleNotFoundError) as error:  # the first one if NumPy is too new for it
    message = "chainer needs NumPy before 1.24, so an environment of its own"
    install = 'pip install "numpy<1.24" "protobuf<4" "setuptools<60" wheel && pip install --no-build-isolation chainer'
    raise errors.MissingFrameworkError(f"{message}; install it with: {install}") from error


@hookimpl
def idxhub_conventions() -> Conventions:
    """The conventions: layout CHW, and int32 labels, as Chainer's own datasets have them."""
    return Conventions(layout="CHW", label_dtype="int32")


@hookimpl
def idxhub_dataset(split: Split) -> chainer.datasets.TupleDataset:
    """A TupleDataset: an element is `(image, label)`, an array uint8 (1, 28, 28) and an int32."""
    dataset = chainer.datasets.TupleDataset(split.batch(), split.labels)
    dataset.info = split.info
    return dataset


@hookimpl
def idxhub_batch(images: NDArray[Any], labels: NDArray[Any]) -> tuple[NDArray[Any], NDArray[Any]]:
    """`(images, labels)`, as `concat_examples` gives them: NumPy arrays, (B, ...) and (B,)."""
    return images, labels
