"""`idx` and `idx.gz`, read by python-mnist, idx2numpy and mnists."""

from __future__ import annotations

import gzip
import hashlib
import lzma
from dataclasses import replace

import numpy as np
import pytest
from support import made
from support.needs import need

from idxhub import Resource, SplitSpec, errors, idx

FORMATS = ["idx", "idx.gz"]


def opened(path):
    return gzip.open(path) if path.suffix == ".gz" else path.open("rb")


@pytest.mark.parametrize("format_name", FORMATS)
def test_python_mnist(format_name, data, same):
    reader = need("mnist")
    path = data.exported(format_name, names="mnist")
    loader = reader.MNIST(str(path), return_type="numpy", gz=format_name == "idx.gz")
    for read, name in ((loader.load_training(), "train"), (loader.load_testing(), "test")):
        images, labels = data.splits[name]
        same(read, (images.reshape(len(images), -1), labels))


@pytest.mark.parametrize("format_name", FORMATS)
def test_idx2numpy(format_name, data, same):
    reader = need("idx2numpy")
    path = data.exported(format_name)
    for name, split in data.splits.items():
        files = (data.spec.splits[name].images, data.spec.splits[name].labels)
        read = []
        for file in files:
            with opened(path / (file.stem + format_name.removeprefix("idx"))) as stream:
                read.append(reader.convert_from_file(stream))
        same(read, split)


@pytest.mark.parametrize("format_name", FORMATS)
def test_mnists(format_name, data, same):
    reader = need("mnists.utils")
    path = data.exported(format_name)
    for name, split in data.splits.items():
        files = (data.spec.splits[name].images, data.spec.splits[name].labels)
        same([reader.read_idx_file(str(path / f"{each.stem}{format_name[3:]}")) for each in files], split)


def test_mnists_accepts_the_md5s(fashion_mnist, same):
    """The whole class, which compares them: a file with another MD5 would be downloaded."""
    reader = need("mnists")
    path = fashion_mnist.exported("idx.gz")
    read = reader.FashionMNIST(target_dir=str(path), download=True)
    same((read.train_images(), read.train_labels()), fashion_mnist.splits["train"])
    same((read.test_images(), read.test_labels()), fashion_mnist.splits["test"])


def test_the_published_files_byte_for_byte(data):
    path = data.exported("idx.gz")
    assert len(list(path.iterdir())) == len(data.spec.resources)
    for resource in data.spec.resources:
        content = (path / resource.filename).read_bytes()
        assert content == (data.data_dir / resource.filename).read_bytes()
        assert hashlib.md5(content, usedforsecurity=False).hexdigest() == resource.md5


@pytest.mark.parametrize("encode", [bytes, lzma.compress])
def test_a_file_that_is_wrongly_called_gz_is_compressed(odd, tmp_path, encode):
    train = odd.spec.splits["train"]
    path = odd.data_dir / train.images.filename
    content = gzip.decompress(path.read_bytes())
    path.write_bytes(encode(content))
    renamed = replace(train, images=Resource.from_file(path))
    misnamed = replace(odd, spec=replace(odd.spec, splits={"train": renamed}))
    out = misnamed.export("idx.gz", tmp_path / "out")
    assert gzip.decompress((out / path.name).read_bytes()) == content


def test_the_content_is_that_of_the_published_files(data):
    path = data.exported("idx")
    for resource in data.spec.resources:
        assert hashlib.sha256((path / resource.stem).read_bytes()).hexdigest() == resource.payload_sha256


def test_a_part_of_a_split_has_no_published_name(odd, tmp_path):
    path = odd.export("idx.gz", tmp_path / "out", splits={"small": "train[3:8]", "test": "test"})
    test = odd.spec.splits["test"]
    names = {"small-images-idx3-ubyte.gz", "small-labels-idx1-ubyte.gz", test.images.filename, test.labels.filename}
    assert {each.name for each in path.iterdir()} == names
    content = (path / "small-images-idx3-ubyte.gz").read_bytes()
    assert np.array_equal(idx.decode(gzip.decompress(content)), odd.splits["train"][0][3:8])
    assert content[3:8] == bytes(5)  # the gzip header has no flags, and so no name, and no time


def test_without_the_published_file(odd, tmp_path):
    """It is not replaced in silence by another file of the same name."""
    odd.export("idx", tmp_path / "warm")
    for resource in odd.spec.resources:
        file = odd.data_dir / resource.filename
        (odd.data_dir / resource.stem).write_bytes(gzip.decompress(file.read_bytes()))
        file.unlink()
    with pytest.raises((errors.ChecksumError, errors.DownloadError)):
        odd.export("idx.gz", tmp_path / "out")
    assert not (tmp_path / "out").exists()
    path = odd.export("idx.gz", tmp_path / "out", recompress=True)
    for resource in odd.spec.resources:
        assert hashlib.sha256(gzip.decompress((path / resource.filename).read_bytes())).hexdigest() == (
            resource.payload_sha256
        )


def test_two_files_of_one_name(odd, tmp_path):
    says = "no two files are called t10k-images-idx3-ubyte; give the splits other names"
    with pytest.raises(errors.ArgumentError, match=says):
        odd.export("idx", tmp_path / "out", splits={"test": "test", "t10k": "test"}, names="mnist")


def test_two_splits_of_the_same_images(odd, tmp_path):
    """Their labels are two columns of a table. The name of the published images is that of both."""
    images = odd.spec.splits["train"].images
    labels = made.write(odd.data_dir, "table", np.arange(60, dtype=np.int32).reshape(30, 2))
    splits = {name: SplitSpec(images, labels, label_column=column) for column, name in enumerate(("kind", "number"))}
    both = replace(odd, spec=replace(odd.spec, splits=splits, classes=()))
    with pytest.raises(errors.ArgumentError, match="names='mnist' calls each file after its split"):
        both.export("idx", tmp_path / "out")
    path = both.export("idx", tmp_path / "out", names="mnist")
    assert idx.decode((path / "number-labels-idx1-ubyte").read_bytes()).tolist() == [*range(1, 60, 2)]
    for name in splits:
        assert idx.decode((path / f"{name}-images-idx3-ubyte").read_bytes()).shape == images.shape


def test_other_names_than_there_are(odd, tmp_path):
    with pytest.raises(errors.UnknownNameError, match="did you mean 'mnist'"):
        odd.export("idx", tmp_path / "out", names="mnis")
