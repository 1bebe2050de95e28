"""A file met under another's name is called what it is."""

import functools
import gzip
import hashlib
import io
import lzma
import re
from dataclasses import replace

import numpy as np
import pytest
from support.made import make

from idxhub import SplitSpec, idx
from idxhub.catalog import builtin
from idxhub.catalog.builtin.fashion_mnist import FASHION_MNIST
from idxhub.catalog.builtin.qmnist import QMNIST
from idxhub.catalog.recognise import by_digest
from idxhub.catalog.recognise.by_digest import DigestIndex, Digests, read_digests
from idxhub.catalog.recognise.published_file import files_of_specs

DATASETS = tuple(builtin.datasets().values())


def identify_bytes(data, specs=()):
    index = DigestIndex(specs)
    found = index.recognise(read_digests(functools.partial(io.BytesIO, data), len(data), index.largest_content))
    return None if found is None else str(found)


FIRST = "Fashion-MNIST of 2017-08-26, before duplicates were removed"


@pytest.mark.parametrize(
    ("folder", "filename", "is_called"),
    [
        ("", "t10k-images-idx3-ubyte.gz", "MNIST test images"),
        ("", "t10k-labels-idx1-ubyte.gz", "MNIST test labels"),
        ("", "train-labels-idx1-ubyte.gz", "MNIST train labels"),
        ("fashion-mnist-v1-labels", "train-labels-idx1-ubyte.gz", f"{FIRST}: train labels"),
        ("fashion-mnist-v1-labels", "t10k-labels-idx1-ubyte.gz", f"{FIRST}: test labels"),
        ("oracle-mnist-partial", "train-labels-idx1-ubyte.gz", "Oracle-MNIST train labels"),
        ("oracle-mnist-partial", "t10k-images-idx3-ubyte.gz", "Oracle-MNIST test images"),
        ("oracle-mnist-partial", "t10k-labels-idx1-ubyte.gz", "Oracle-MNIST test labels"),
        ("qmnist-labels", "qmnist-test-labels-idx1-ubyte.gz", "QMNIST test labels, the classes alone"),
    ],
)
def test_real_files_in_each_form(mnist_dir, folder, filename, is_called):
    path = mnist_dir.parent / (folder or mnist_dir.name) / filename
    if not path.exists():
        pytest.skip(f"needs {folder}/{filename} beside MNIST's folder")
    data = path.read_bytes()
    content = gzip.decompress(data)
    assert identify_bytes(data, DATASETS) == is_called
    assert identify_bytes(content, DATASETS) == f"{is_called}, decompressed"
    assert identify_bytes(lzma.compress(content, preset=0), DATASETS) == f"{is_called}, recompressed"


def test_qmnists_classes_alone_are_those_of_its_table(mnist_dir):
    folder = mnist_dir.parent / "qmnist-labels"
    if not folder.is_dir():
        pytest.skip("needs qmnist-labels beside MNIST's folder")
    alone, table = (
        idx.decode(gzip.decompress((folder / f"qmnist-test-labels-{kind}.gz").read_bytes()))
        for kind in ("idx1-ubyte", "idx2-int")
    )
    np.testing.assert_array_equal(alone, table[:, QMNIST.splits["test"].label_column])


def test_files_of_the_catalog(toy):
    data = toy.bytes(toy.train_images)
    content = gzip.decompress(data)
    assert identify_bytes(data) is None
    assert identify_bytes(data, [FASHION_MNIST, toy.spec]) == "toy train images"
    assert identify_bytes(content, [toy.spec]) == "toy train images, decompressed"
    assert identify_bytes(gzip.compress(content, 1, mtime=1), [toy.spec]) == "toy train images, recompressed"
    assert identify_bytes(data, [replace(toy.spec, title="Toys")]) == "Toys train images"
    assert identify_bytes(data, [replace(toy.spec, title="Toys, a box")]) == "Toys, a box: train images"


@pytest.mark.parametrize("kind", ["payload_sha256", "payload_md5"])
def test_one_digest_of_the_content_is_enough(kind, toy):
    content = gzip.decompress(toy.bytes(toy.train_images))
    known = {kind: hashlib.new(kind.removeprefix("payload_"), content, usedforsecurity=False).hexdigest()}
    images = replace(toy.train_images, **({"payload_sha256": None} | known))
    spec = replace(toy.spec, splits={"train": SplitSpec(images, toy.train_labels)})
    assert identify_bytes(content, [spec]) == "toy train images, decompressed"
    assert identify_bytes(gzip.compress(content, 1, mtime=1), [spec]) == "toy train images, recompressed"


def test_a_file_published_as_it_is(tmp_path):
    raw = make(tmp_path, suffix="")
    content = raw.bytes(raw.train_labels)
    assert identify_bytes(content, [raw.spec]) == "toy train labels"
    assert identify_bytes(gzip.compress(content), [raw.spec]) == "toy train labels, recompressed"


def test_a_file_of_two_splits_is_called_by_the_first(toy):
    train = toy.spec.splits["train"]
    spec = replace(toy.spec, splits={"train": train, "small": SplitSpec(train.images, train.labels)})
    assert [str(file) for file in files_of_specs([spec])] == ["toy train images", "toy train labels"]


def test_unknown_bytes():
    assert identify_bytes(b"") is None
    assert identify_bytes(b"anything", DATASETS) is None
    assert identify_bytes(gzip.compress(b"anything"), DATASETS) is None
    assert identify_bytes(gzip.compress(b"anything")[:-3], DATASETS) is None


def test_an_md5_is_not_enough_where_the_sha256_is_known(toy):
    images = replace(toy.train_images, sha256="0" * 64, payload_sha256=None)
    spec = replace(toy.spec, splits={"train": SplitSpec(images, toy.train_labels)})
    assert identify_bytes(toy.bytes(toy.train_images), [spec]) is None


@pytest.mark.parametrize(
    "digest",
    [hashlib.sha1(b"some text", usedforsecurity=False).hexdigest(), "b649a9bf89116c581f8329b8ec3c79a86a70be04"],
    ids=["SHA-1", "git blob"],
)
def test_files_are_recognised_by_other_digests_than_md5_too(monkeypatch, digest):
    monkeypatch.setitem(by_digest._OTHER_FILES, digest, ("X", "some text"))
    assert identify_bytes(b"some text") == "X some text"
    assert by_digest._OTHER_FILES["1f6e37653511386c87fc954b27b0770ccdd19b02"] == ("Oracle-MNIST", "train images")


def test_the_content_of_a_published_file_is_learnt(toy):
    images = replace(toy.train_images, payload_sha256=None)
    index = DigestIndex([replace(toy.spec, splits={"train": SplitSpec(images, toy.train_labels)})])
    data = toy.bytes(images)

    def digests(file: bytes) -> Digests:
        found = Digests(len(file), compressed=file is data)
        found.update_file(file)
        found.update_content(gzip.decompress(data))
        return found

    assert index.recognise(digests(gzip.decompress(data))) is None
    index.add_content(digests(data), index.recognise(digests(data)).file)
    assert str(index.recognise(digests(gzip.decompress(data)))) == "toy train images, decompressed"


@pytest.mark.parametrize("table", [by_digest._OTHER_FILES, by_digest._OTHER_CONTENTS], ids=["files", "contents"])
def test_the_tables_contain_digests_of_files_that_are_not_in_the_catalog(table):
    in_catalog = {
        digest for file in files_of_specs(DATASETS) for digest in (file.resource.md5, file.resource.payload_md5)
    }
    assert not in_catalog & table.keys()
    for digest, words in table.items():
        assert re.fullmatch(r"[0-9a-f]{32}|[0-9a-f]{40}", digest)
        assert all(words)
