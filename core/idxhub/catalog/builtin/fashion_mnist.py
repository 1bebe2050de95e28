"""Fashion-MNIST.

Digests, sizes and shapes were computed from the published files; the MD5s agree with the table in the repository
zalandoresearch/fashion-mnist.
"""

from __future__ import annotations

from idxhub.catalog.builtin.mnist_layout import FileFacts, mnist_splits, torchvision_folders
from idxhub.catalog.spec import DatasetSpec

_CITATION = """\
@online{xiao2017/online,
  author       = {Han Xiao and Kashif Rasul and Roland Vollgraf},
  title        = {Fashion-MNIST: a Novel Image Dataset for Benchmarking Machine Learning Algorithms},
  date         = {2017-08-28},
  year         = {2017},
  eprintclass  = {cs.LG},
  eprinttype   = {arXiv},
  eprint       = {cs.LG/1708.07747},
}"""

# the last commit that changed the data; the files of a branch could change, and the digests would be wrong
_COMMIT = "b2617bb6d3ffa2e429640350f613e3291e10b141"

FASHION_MNIST = DatasetSpec(
    name="fashion-mnist",
    title="Fashion-MNIST",
    description="70,000 grey-scale images of Zalando's articles, 28x28, in ten classes of 7,000",
    release="2017-08-31",
    classes=(
        "T-shirt/top",
        "Trouser",
        "Pullover",
        "Dress",
        "Coat",
        "Sandal",
        "Shirt",
        "Sneaker",
        "Bag",
        "Ankle boot",
    ),
    license="MIT, (c) 2017 Zalando SE",
    citation=_CITATION,
    homepage="https://github.com/zalandoresearch/fashion-mnist",
    splits=mnist_splits(
        train_size=60_000,
        test_size=10_000,
        train_images=FileFacts(
            md5="8d4fb7e6c68d591d4c3dfef9ec88bf0d",
            size=26_421_880,
            sha256="3aede38d61863908ad78613f6a32ed271626dd12800ba2636569512369268a84",
            payload_sha256="c59f468a2f672dc815687fe0f83887768d799fd8a3f3276145d20f83aa44d888",
        ),
        train_labels=FileFacts(
            md5="25c81989df183df01b3e8a0aad5dffbe",
            size=29_515,
            sha256="a04f17134ac03560a47e3764e11b92fc97de4d1bfaf8ba1a3aa29af54cc90845",
            payload_sha256="bad3541b69d912435c50bb6ba87bec294ff4f6a2e1246121d8633921760443d9",
        ),
        test_images=FileFacts(
            md5="bef4ecab320f06d8554ea6380940ec79",
            size=4_422_102,
            sha256="346e55b948d973a97e58d2351dde16a484bd415d4595297633bb08f03db6a073",
            payload_sha256="5b4141f0afbad91edebe8549f8fcffe087ea10ca49f1dbef5c9a5cd8815ce37b",
        ),
        test_labels=FileFacts(
            md5="bb300cfdad3c16e7a12a480ee83cd310",
            size=5_148,
            sha256="67da17c76eaffca5446c3361aaab5c3cd6d1c2608764d35dfb1850b086bf8dd5",
            payload_sha256="0402a96d92fd2663957122ceb108a494c5af83dab82d92729df917d7dec38c34",
        ),
    ),
    mirrors=(
        f"https://raw.githubusercontent.com/zalandoresearch/fashion-mnist/{_COMMIT}/data/fashion/",
        "https://storage.googleapis.com/tensorflow/tf-keras-datasets/",
        "https://dataset.bj.bcebos.com/fashion_mnist/",
        # the official one; it is plain HTTP, so only the digests protect the files
        "http://fashion-mnist.s3-website.eu-central-1.amazonaws.com/",
    ),
    folders=(
        "/usr/share/datasets/fashion-mnist",  # Debian's dataset-fashion-mnist
        "$KERAS_HOME/datasets/fashion-mnist",
        "~/.keras/datasets/fashion-mnist",
        *torchvision_folders("FashionMNIST"),
    ),
    subfolders=("", "fashion-mnist", "FashionMNIST/raw", "raw", "data/fashion"),
)

DATASETS = (FASHION_MNIST,)
