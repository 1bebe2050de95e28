"""The sample of Fashion-MNIST that is installed with idxhub. tools/make_sample.py makes its files."""

from __future__ import annotations

import os
from dataclasses import replace

from idxhub.catalog.builtin.fashion_mnist import FASHION_MNIST
from idxhub.catalog.builtin.mnist_layout import FileFacts, mnist_splits

_FOLDER = os.path.join(os.path.dirname(os.path.dirname(os.path.abspath(__file__))), "sample")

FASHION_MNIST_SAMPLE = replace(
    FASHION_MNIST,
    name="fashion-mnist-sample",
    title="Fashion-MNIST, a sample",
    description="The first 200 train and 50 test images of each class of Fashion-MNIST, installed with idxhub",
    mirrors=(),
    folders=(_FOLDER,),
    splits=mnist_splits(
        train_size=2_000,
        test_size=500,
        train_images=FileFacts(
            md5="92c7177d713a2f42b0fe56a326a8e9ff",
            size=866_978,
            sha256="a621bf1e8b6a0560cc9be9750941ccb65fd2270752c1ae1811033e54f4532d2b",
            payload_sha256="a724cd72799a6b1c3a81c4263865a75a73bb6473673b3394e34adf222930f19e",
        ),
        train_labels=FileFacts(
            md5="f4129cec69ae98d1f67555260a1474a6",
            size=1_033,
            sha256="b7924d7dc5bfaf3bfb9acef587d827f467d975398533c66898eed3b6d55e10fe",
            payload_sha256="4738fd437c0f8d6498ae7f6f5c86f1cc3c878d4116ff169fc5635bd6847899cc",
        ),
        test_images=FileFacts(
            md5="fd888a53b104413791a6e1ae5a7be3d2",
            size=217_125,
            sha256="c805d226e3b8f83dae38c65a1c5e11fd0b50826c86f035bf3c94f91b667f971a",
            payload_sha256="8fdf02ada67d92f4db5ba3c2f6c5b1cc6186ba6e0efd4914661e4389e103b81e",
        ),
        test_labels=FileFacts(
            md5="8f0436fdbb96098e88f64a764e38cb88",
            size=275,
            sha256="fb8360340a5e0f36233588b97e85d5ef2bf94716b5109fc6425c4e77ea8f14bc",
            payload_sha256="9c71808b3a0ebfc091442c0009a7aa35be2d9622bf6aaf6891ce9a0088e96c07",
        ),
    ),
)

DATASETS = (FASHION_MNIST_SAMPLE,)
