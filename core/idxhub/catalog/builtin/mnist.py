"""MNIST.

Digests and sizes were computed from the published files, except those of the train images, which are as torchvision
pins them; of their content only the MD5 is known.
"""

from __future__ import annotations

from idxhub.catalog.builtin.mnist_layout import FileFacts, mnist_splits, torchvision_folders
from idxhub.catalog.spec import DatasetSpec

_CITATION = """\
@misc{lecun1998mnist,
  author       = {Yann LeCun and Corinna Cortes and Christopher J. C. Burges},
  title        = {The {MNIST} Database of Handwritten Digits},
  year         = {1998},
}"""

MNIST = DatasetSpec(
    name="mnist",
    title="MNIST",
    description="70,000 grey-scale images of handwritten digits, 28x28",
    classes=tuple("0123456789"),
    license="unclear",
    citation=_CITATION,
    splits=mnist_splits(
        train_size=60_000,
        test_size=10_000,
        train_images=FileFacts(
            md5="f68b3c2dcbeaaa9fbdd348bbdeb94873",
            size=9_912_422,
            sha256="440fcabf73cc546fa21475e81ea370265605f56be210a4024d2ca8f203523609",
            payload_md5="6bbc9ace898e44ae57da46a324031adb",
        ),
        train_labels=FileFacts(
            md5="d53e105ee54ea40749a09fcbcd1e9432",
            size=28_881,
            sha256="3552534a0a558bbed6aed32b30c495cca23d567ec52cac8be1a0730e8010255c",
            payload_md5="a25bea736e30d166cdddb491f175f624",
            payload_sha256="65a50cbbf4e906d70832878ad85ccda5333a97f0f4c3dd2ef09a8a9eef7101c5",
        ),
        test_images=FileFacts(
            md5="9fb629c4189551a2d022fa330f9573f3",
            size=1_648_877,
            sha256="8d422c7b0a1c1c79245a5bcf07fe86e33eeafee792b84584aec276f5a2dbc4e6",
            payload_md5="2646ac647ad5339dbf082846283269ea",
            payload_sha256="0fa7898d509279e482958e8ce81c8e77db3f2f8254e26661ceb7762c4d494ce7",
        ),
        test_labels=FileFacts(
            md5="ec29112dd5afa0611ce80d1b7f02629c",
            size=4_542,
            sha256="f7ae60f92e00ec6debd23a6088c31dbd2371eca3ffa0defaefb259924204aec6",
            payload_md5="27ae3e4e09519cfbb04c329615203637",
            payload_sha256="ff7bcfd416de33731a308c3f266cc351222c34898ecbeaf847f06e48f7ec33f2",
        ),
    ),
    mirrors=(
        "https://ossci-datasets.s3.amazonaws.com/mnist/",
        "https://storage.googleapis.com/cvdf-datasets/mnist/",
        "https://dataset.bj.bcebos.com/mnist/",
    ),
    folders=(
        *torchvision_folders("MNIST"),
        "$MXNET_HOME/datasets/mnist",
        "~/.mxnet/datasets/mnist",
        "~/.cache/paddle/dataset/mnist",
    ),
    subfolders=("", "mnist", "MNIST/raw", "raw"),
)

DATASETS = (MNIST,)
