"""A file met under another's name is called what it is."""

import gzip
import hashlib
import re

import pytest

from idxhub import known
from idxhub.builtin import DATASETS, FASHION_MNIST
from idxhub.known import what_is


@pytest.mark.parametrize(
    ("filename", "is_called"),
    [
        ("t10k-images-idx3-ubyte.gz", "MNIST test images"),
        ("t10k-labels-idx1-ubyte.gz", "MNIST test labels"),
        ("train-labels-idx1-ubyte.gz", "MNIST train labels"),
    ],
)
def test_mnist(mnist_dir, filename, is_called):
    data = (mnist_dir / filename).read_bytes()
    assert what_is(data) == is_called
    assert what_is(gzip.decompress(data)) == f"{is_called}, decompressed"


@pytest.mark.parametrize("filename", ["train-labels-idx1-ubyte.gz", "t10k-labels-idx1-ubyte.gz"])
def test_the_first_release_of_fashion_mnist(mnist_dir, filename):
    folder = mnist_dir.parent / "fashion-mnist-v1-labels"
    if not folder.is_dir():
        pytest.skip(f"needs the first release's labels in {folder.name}, beside MNIST's folder")
    assert "2017-08-26" in what_is((folder / filename).read_bytes())


def test_files_of_the_catalog(toy):
    data = toy.bytes(toy.train_images)
    assert what_is(data) is None
    assert what_is(data, [FASHION_MNIST, toy.spec]) == "train-images-idx3-ubyte.gz of toy"
    assert what_is(gzip.decompress(data), [toy.spec]) == "train-images-idx3-ubyte.gz of toy, decompressed"


def test_unknown_bytes():
    assert what_is(b"") is None
    assert what_is(b"anything", DATASETS) is None


def test_sha1_is_looked_up_too(monkeypatch):
    monkeypatch.setitem(known._FILES, hashlib.sha1(b"x", usedforsecurity=False).hexdigest(), "an x")
    assert what_is(b"x") == "an x"


def test_the_table_holds_digests():
    for digest, name in known._FILES.items():
        assert re.fullmatch(r"[0-9a-f]{32}|[0-9a-f]{40}", digest)
        assert name


def test_no_digest_of_the_catalog_is_called_something_else():
    assert not {each.md5 for spec in DATASETS for each in spec.resources} & known._FILES.keys()
