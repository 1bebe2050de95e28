"""What the built-in datasets have in common: MNIST's way to name and divide the files, and 28x28 images."""

# without `from __future__ import annotations`: to make a TypedDict of strings takes twice the time
from typing import Required, TypedDict

from idxhub.catalog.resource import Resource
from idxhub.catalog.spec import SplitSpec


class FileFacts(TypedDict, total=False):
    """What is known of a published file; see `Resource`."""

    md5: Required[str]
    size: int
    sha256: str
    payload_sha256: str
    payload_md5: str


def mnist_splits(
    *,
    train_size: int,
    test_size: int,
    train_images: FileFacts,
    train_labels: FileFacts,
    test_images: FileFacts,
    test_labels: FileFacts,
) -> dict[str, SplitSpec]:
    """The two splits of a dataset whose four files have the names and shapes of MNIST's."""
    return {
        "train": _split("train", train_size, train_images, train_labels),
        "test": _split("t10k", test_size, test_images, test_labels),
    }


def _split(prefix: str, size: int, images: FileFacts, labels: FileFacts) -> SplitSpec:
    return SplitSpec(
        images=Resource(f"{prefix}-images-idx3-ubyte.gz", shape=(size, 28, 28), **images),
        labels=Resource(f"{prefix}-labels-idx1-ubyte.gz", shape=(size,), **labels),
    )


def torchvision_folders(name: str) -> tuple[str, str]:
    """Where torchvision's dataset class `name` keeps its files if its root is the one that the examples use."""
    return f"data/{name}/raw", f"~/data/{name}/raw"
