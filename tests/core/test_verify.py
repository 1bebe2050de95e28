"""Which bytes are accepted as a file, in which forms, and what the error says of others."""

import gzip
import lzma
import shutil
from dataclasses import replace

import numpy as np
import pytest
from support import made
from support.made import copy_files, flipped

from idxhub import Plugins, idx, load
from idxhub.acquire.find import find_file
from idxhub.acquire.local import SearchSettings
from idxhub.acquire.verify import verify_bytes
from idxhub.cache.store import Cache
from idxhub.catalog import builtin
from idxhub.catalog.builtin.fashion_mnist import FASHION_MNIST
from idxhub.errors import ChecksumError, IdxFormatError

DATASETS = tuple(builtin.datasets().values())


def payload(toy):
    return idx.encode(toy.array(toy.train_images))


FORMS = {
    "recompressed": (lambda data: gzip.compress(gzip.decompress(data), 1, mtime=7), str),
    "recompressed worse": (lambda data: gzip.compress(gzip.decompress(data), 0), str),
    "xz": (lambda data: lzma.compress(gzip.decompress(data)), lambda name: name.replace(".gz", ".xz")),
    "xz under the name of .gz": (lambda data: lzma.compress(gzip.decompress(data)), str),
    "decompressed": (gzip.decompress, lambda name: name.removesuffix(".gz")),
    "decompressed under the name of .gz": (gzip.decompress, str),
    "gz under the name of the decompressed": (bytes, lambda name: name.removesuffix(".gz")),
    "as Kaggle names it": (gzip.decompress, lambda name: name.removesuffix(".gz").replace("-idx", ".idx")),
    "by size under a mangled name": (bytes, lambda name: "ucexport" + name.replace("-", "") + ".download"),
    "decompressed under a mangled name": (gzip.decompress, lambda name: name[:3] + name[-14:]),
}


@pytest.mark.parametrize("form", FORMS)
def test_copies_in_other_forms_are_accepted_by_their_payload(toy, find_images, tmp_path, form):
    change, rename = FORMS[form]
    found = find_images(copy_files(toy, tmp_path / "copy", change=change, rename=rename))
    assert bytes(found.payload) == payload(toy)
    expected = "decompressed" if change is gzip.decompress else "published" if change is bytes else "recompressed"
    assert found.form == expected


def test_without_a_payload_digest_only_the_published_bytes_will_do(toy, find_images, tmp_path):
    images = replace(toy.train_images, payload_sha256=None)
    spec = replace(toy.spec, splits={"train": replace(toy.spec.splits["train"], images=images)})
    assert find_images(toy.folder, spec=spec).form == "published"
    with pytest.raises(ChecksumError):
        find_images(copy_files(toy, tmp_path / "copy", change=gzip.decompress), spec=spec)


def test_md5_alone_does_not_do_where_sha256_is_known(toy, find_images):
    images = replace(toy.train_images, sha256="0" * 64, payload_sha256="0" * 64)
    spec = replace(toy.spec, splits={"train": replace(toy.spec.splits["train"], images=images)})
    with pytest.raises(ChecksumError):
        find_images(toy.folder, spec=spec)


DAMAGE = {
    "empty": (lambda data: b"", "is empty"),
    "cut": (lambda data: data[:-9], "cut short: the compressed data ends at byte"),
    "flipped": (flipped, "expected"),
    "a page": (lambda data: b"<!DOCTYPE html><html></html>", "HTML page"),
    "trailing junk": (lambda data: data + b"junk", "other bytes follow"),
    "decompressed and cut": (lambda data: gzip.decompress(data)[:-1], "cut short: holds 915 of 916 bytes"),
    "longer inside": (lambda data: gzip.compress(gzip.decompress(data) + b"x"), "more than the 916 bytes"),
    "other content": (lambda data: gzip.compress(gzip.decompress(data)[:-1] + b"x"), "right shape, but other content"),
    "another shape": (lambda data: gzip.compress(idx.encode(np.zeros((9, 2), np.uint8))), "uint8 of shape (9, 2)"),
    "another type": (lambda data: gzip.compress(idx.encode(np.zeros((30, 6, 5), ">i2"))), "int16 of shape (30, 6, 5)"),
    "not IDX": (lambda data: gzip.compress(b"PNG and so on"), "not IDX"),
}


@pytest.mark.parametrize("damage", DAMAGE)
def test_what_is_wrong_with_a_file_is_said_and_the_next_place_serves(toy, find_images, tmp_path, damage):
    change, says = DAMAGE[damage]
    wrong = copy_files(toy, tmp_path / "wrong", change=change)
    with pytest.raises(ChecksumError) as caught:
        find_images(wrong)
    (failure,) = caught.value.failures
    assert failure.where == str(wrong / toy.train_images.filename)
    assert says in failure.why
    assert failure.where in str(caught.value)
    assert damage == "empty" or toy.train_images.md5 in failure.why or "this is" in failure.why
    spec = replace(toy.spec, folders=(str(toy.folder),))
    assert find_images(wrong, spec=spec).source == str(toy.path(toy.train_images))


def test_a_right_file_beside_a_wrong_one(toy, find_images, tmp_path):
    folder = copy_files(toy, tmp_path / "mixed", change=flipped)
    shutil.copy(toy.path(toy.train_images), folder / "download (1)")
    assert find_images(folder).source == str(folder / "download (1)")


def test_a_file_far_too_large_is_not_read(toy, find_images, tmp_path):
    folder = tmp_path / "large"
    folder.mkdir()
    with (folder / toy.train_images.filename).open("wb") as file:
        file.truncate(1 << 40)
    with pytest.raises(ChecksumError, match="larger than 67,368 bytes"):
        find_images(folder)


def test_mnist_under_fashion_mnists_names_is_recognised(mnist_dir, full_data_dir, cache_dir):
    images, labels = FASHION_MNIST.splits["test"].images, FASHION_MNIST.splits["test"].labels
    places = SearchSettings.from_environment(mnist_dir, download=False)
    nowhere_else = replace(FASHION_MNIST, folders=())
    for resource, what in (
        (images, "MNIST test images"),
        (labels, "MNIST test labels"),
    ):
        with pytest.raises(ChecksumError) as caught:
            find_file(nowhere_else, resource, Cache(cache_dir, FASHION_MNIST), places, specs=DATASETS)
        assert f"this is {what}" in str(caught.value)
        assert str(mnist_dir / resource.filename) in str(caught.value)

    passed_over = replace(FASHION_MNIST, folders=(str(full_data_dir),))
    found = find_file(passed_over, images, Cache(cache_dir, FASHION_MNIST), places)
    assert found.source == str(full_data_dir / images.filename)
    assert found.payload_sha256 == images.payload_sha256


def test_another_file_of_the_same_dataset_is_called_what_it_is(toy, find_images, tmp_path):
    folder = tmp_path / "swapped"
    folder.mkdir()
    shutil.copy(toy.path(toy.spec.splits["test"].images), folder / toy.train_images.filename)
    with pytest.raises(ChecksumError, match="this is toy test images"):
        load(toy.spec, "train", data_dir=folder, plugins=WithToy(toy.spec))


class WithToy(Plugins):
    """A catalog with one more dataset."""

    def __init__(self, spec):
        super().__init__([])
        self.spec = spec

    def datasets(self):
        return super().datasets() | {"toy": self.spec}


def test_the_real_files_recompressed_as_debian_does(full_data_dir, tmp_path, cache_dir):
    folder = tmp_path / "usr" / "share" / "datasets"
    folder.mkdir(parents=True)
    for resource in (FASHION_MNIST.splits["test"].images, FASHION_MNIST.splits["test"].labels):
        data = gzip.decompress((full_data_dir / resource.filename).read_bytes())
        (folder / resource.filename).write_bytes(gzip.compress(data, 1, mtime=0))
        spec = replace(FASHION_MNIST, folders=(str(folder),))
        found = find_file(spec, resource, Cache(cache_dir, spec), SearchSettings(download=False))
        assert (found.form, found.payload_sha256) == ("recompressed", resource.payload_sha256)


def test_the_digest_is_right_and_the_file_is_not(tmp_path, toy):
    """The spec's author published something that is no IDX file of that shape."""
    resource = made.write(tmp_path, "x-idx1-ubyte.gz", np.zeros(20, np.uint8))
    data = (tmp_path / "x-idx1-ubyte.gz").read_bytes()
    with pytest.raises(IdxFormatError, match="the digest is right, but inflates to more than the 18 bytes"):
        verify_bytes(replace(resource, shape=(10,)), data, "here")
    split = replace(toy.spec.splits["train"], images=replace(toy.train_images, shape=(30, 5, 6)))
    with pytest.raises(IdxFormatError, match=r"the digest is right, but it holds uint8 of shape \(30, 6, 5\)"):
        load(replace(toy.spec, splits={"train": split}), data_dir=toy.folder, plugins=Plugins([]))
