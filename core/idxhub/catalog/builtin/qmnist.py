"""QMNIST: MNIST made again from NIST's original images, with the 50,000 test images that had been lost.

Everything about the label files was computed from the published files. The MD5s of the image files are as torchvision
pins them; their sizes are not known.
"""

from __future__ import annotations

from dataclasses import replace

from idxhub.catalog.builtin.mnist_layout import FileFacts, torchvision_folders
from idxhub.catalog.resource import Resource
from idxhub.catalog.spec import DatasetSpec, SplitSpec

_CITATION = """\
@inproceedings{yadav2019cold,
  author        = {Chhavi Yadav and L{\\'e}on Bottou},
  title         = {Cold Case: The Lost {MNIST} Digits},
  booktitle     = {Advances in Neural Information Processing Systems 32},
  year          = {2019},
  eprint        = {1905.10498},
  archivePrefix = {arXiv},
}"""


def _split(prefix: str, suffix: str, size: int, *, images_md5: str, labels: FileFacts) -> SplitSpec:
    """A split of `size` examples. Its label file is a table of eight columns, of which the first is the class."""
    return SplitSpec(
        images=Resource(f"{prefix}-images-idx3-ubyte.{suffix}", images_md5, (size, 28, 28)),
        labels=Resource(f"{prefix}-labels-idx2-int.{suffix}", shape=(size, 8), dtype="int32", **labels),
        label_column=0,
    )


_TEST = _split(
    "qmnist-test",
    "gz",
    60_000,
    images_md5="1394631089c404de565df7b7aeaf9412",
    labels=FileFacts(
        md5="5b5b05890a5e13444e108efe57b788aa",
        size=526_800,
        sha256="9fbcbe594c3766fdf4f0b15c5165dc0d1e57ac604e01422608bb72c906030d06",
        payload_sha256="92d0ccb8c25f9c6534270fb4be7e1d24a1c6d315edfc8a638bfbd31c70f362dd",
    ),
)

QMNIST = DatasetSpec(
    name="qmnist",
    title="QMNIST",
    description="MNIST made again from NIST's images, the lost part of its test set, and all of NIST's digits, 28x28",
    classes=tuple("0123456789"),
    license="BSD-style",
    citation=_CITATION,
    homepage="https://github.com/facebookresearch/qmnist",
    splits={
        "train": _split(
            "qmnist-train",
            "gz",
            60_000,
            images_md5="ed72d4157d28c017586c42bc6afe6370",
            labels=FileFacts(
                md5="0058f8dd561b90ffdd0f734c6a30e5e4",
                size=463_024,
                sha256="2c05dc77f6b916b38e455e97ab129a42a444f3dbef09b278a366f82904e0dd9f",
                payload_sha256="bb1b6e1ec7b04fd5696f1ed50b5f58f8ef195118edd5c93c81783df9740b8ac5",
            ),
        ),
        "test": _TEST,
        "test10k": replace(_TEST, stop=10_000),  # the examples that MNIST has too
        "test50k": replace(_TEST, start=10_000),
        "nist": _split(
            "xnist",
            "xz",
            402_953,
            images_md5="7f124b3b8ab81486c9d8c2749c17f834",
            labels=FileFacts(
                md5="5ed0e788978e45d4a8bd4b7caec3d79d",
                size=958_144,
                sha256="db042968723ec2b7aed5f1beac25d2b6e983b9286d4f4bf725f1086e5ae55c4f",
                payload_sha256="4aea10456d9cf8fcc7bcd377f8ccbc5b0c02ffe0354a7137204794d6b620aa38",
            ),
        ),
    },
    mirrors=("https://raw.githubusercontent.com/facebookresearch/qmnist/master/",),
    folders=torchvision_folders("QMNIST"),
    subfolders=("", "qmnist", "QMNIST/raw", "raw"),
)

DATASETS = (QMNIST,)
