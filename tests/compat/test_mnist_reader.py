"""`mnist_reader.load_mnist`, as in the repository of Fashion-MNIST."""

from __future__ import annotations

import gzip
import inspect
import shutil

import numpy as np
import pytest

from idxhub import errors
from idxhub_compat import mnist_reader
from idxhub_compat.mnist_reader import load_mnist


@pytest.fixture(autouse=True)
def named(request, monkeypatch):
    if "fashion" in request.fixturenames:
        monkeypatch.setattr(mnist_reader, "NAME", request.getfixturevalue("fashion").name)


@pytest.mark.parametrize("kind", ["train", "t10k"])
def test_it_returns_what_the_files_contain(kind, fashion):
    images, labels = load_mnist(fashion.folder, kind=kind)
    assert (images.dtype, labels.dtype) == (np.uint8, np.uint8)
    assert np.array_equal(images, fashion.images(kind).reshape(-1, 784))
    assert np.array_equal(labels, fashion.labels(kind))


def test_the_signature_is_the_originals():
    assert [*inspect.signature(load_mnist).parameters] == ["path", "kind"]
    assert inspect.signature(load_mnist).parameters["kind"].default == "train"


@pytest.mark.parametrize("path", ["data/fashion", None])
def test_a_folder_that_does_not_exist_is_left_out(path, fashion):
    assert len(load_mnist(path)[1]) == len(fashion.labels("train"))


def test_an_unknown_kind_names_the_choices(sample):
    with pytest.raises(errors.UnknownNameError, match=r"unknown kind 'test'.* Choices: train, t10k\.$"):
        load_mnist(sample.folder, kind="test")


@pytest.mark.parametrize("path", [".", ""])
def test_a_folder_with_another_dataset_is_refused(path, sample, monkeypatch):
    monkeypatch.chdir(sample.folder)
    message = (
        r"train-labels-idx1-ubyte\.gz is a file of Fashion-MNIST, a sample: this folder does not hold Fashion-MNIST\."
    )
    with pytest.raises(errors.ChecksumError, match=message):
        load_mnist(path)


@pytest.mark.parametrize(
    ("ending", "change"),
    [(".gz", bytes), (".gz", lambda data: gzip.compress(gzip.decompress(data))), ("", gzip.decompress)],
)
@pytest.mark.parametrize("kind", ["train", "t10k"])
def test_labels_of_another_dataset_are_refused_in_each_form(kind, ending, change, sample, tmp_path):
    name = f"{kind}-labels-idx1-ubyte"
    path = tmp_path / f"{name}{ending}"
    path.write_bytes(change((sample.folder / f"{name}.gz").read_bytes()))
    with pytest.raises(errors.ChecksumError) as caught:
        load_mnist(tmp_path, kind=kind)
    assert str(caught.value).startswith(f"{path} is a file of Fashion-MNIST, a sample: ")


@pytest.mark.parametrize("unpacked", [False, True])
def test_a_folder_with_mnist_is_refused(unpacked, mnist_dir, tmp_path, full_data_dir, monkeypatch):
    monkeypatch.setenv("IDXHUB_MIRRORS", str(full_data_dir))  # so that Fashion-MNIST can be found elsewhere
    name = "t10k-labels-idx1-ubyte.gz"
    if unpacked:
        (tmp_path / name.removesuffix(".gz")).write_bytes(gzip.decompress((mnist_dir / name).read_bytes()))
    else:
        shutil.copy(mnist_dir / name, tmp_path)
    with pytest.raises(errors.ChecksumError, match=r"is a file of MNIST: .* write idxhub\.load\('mnist', data_dir="):
        load_mnist(tmp_path, kind="t10k")


@pytest.mark.parametrize(
    "content", [b"", b"\x1f\x8b", gzip.compress(b"labels")[:-9], gzip.compress(b"labels")[:10] + b"\xff" * 20]
)
def test_damaged_labels_are_left_to_loading(content, fashion, tmp_path):
    (tmp_path / "train-labels-idx1-ubyte.gz").write_bytes(content)
    assert len(load_mnist(tmp_path)[1]) == len(fashion.labels("train"))
