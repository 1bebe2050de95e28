"""Specs: what they refuse, how one's own files are described, and where copies are found."""

import gzip
import hashlib
import json
import lzma
import os
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
from support import made

from idxhub import Archive, DatasetSpec, Plugins, Resource, SplitSpec, errors, idx, load
from idxhub.catalog import builtin
from idxhub.catalog.builtin.fashion_mnist import FASHION_MNIST
from idxhub.catalog.builtin.fashion_mnist_sample import FASHION_MNIST_SAMPLE
from idxhub.catalog.resource import size_limit
from idxhub.cli.catalog import describe

DATASETS = tuple(builtin.datasets().values())

MD5, SHA256 = "0" * 32, "0" * 64


def resource(**changes):
    return Resource(**({"filename": "a-idx1-ubyte.gz", "md5": MD5, "shape": (5,)} | changes))


def split(**changes):
    files = {"images": resource(filename="images.gz", shape=(5, 2, 2)), "labels": resource(filename="labels.gz")}
    return SplitSpec(**(files | changes))


def spec(**changes):
    return DatasetSpec(**({"name": "toy", "splits": {"train": split()}} | changes))


INVALID = {
    resource: {
        "filename": ["../escape", "a/b", "", ".hidden", "a\n", "a.npy", None],
        "md5": ["0" * 31, "G" * 32, "A" * 32, "", None],
        "sha256": [MD5, 7],
        "payload_sha256": ["x" * 64],
        "payload_md5": [SHA256],
        "size": [-1, 1.5, True, np.True_],
        "shape": [(), (2**32,), (-1, 2), (1,) * 65, [5], 5, (5.0,), (True,), (np.True_,)],
        "dtype": ["int64", "bool", "no such type", None],
    },
    spec: {
        "name": ["", "a/b", "..", "-x", "a b", "\u00e9", "x\n", None],
        "splits": [{}, ["train"], {"tr ain": split()}, {"a[b": split()}, {1: split()}, {"train": resource()}],
        "classes": ["abc", None, 3],
        "mirrors": ["https://one.example/", None],
        "folders": ["~/data", None],
        "subfolders": [[1], None],
        **{text: [None, 3] for text in ("title", "description", "release", "license", "citation", "homepage")},
    },
}


@pytest.mark.parametrize(
    ("make", "field", "value"),
    [
        pytest.param(make, field, value, id=f"{field}={ascii(value)[:30]}")
        for make, fields in INVALID.items()
        for field, values in fields.items()
        for value in values
    ],
)
def test_an_invalid_field_is_refused(make, field, value):
    with pytest.raises(errors.SpecError, match=r".+") as caught:
        make(**{field: value})
    assert isinstance(caught.value, ValueError)


@pytest.mark.parametrize(
    ("describe_it", "says"),
    [
        (
            lambda: resource(filename="12:30"),
            r"^filename must be a plain file name without any of /\\:.+ that begins with no dot and .+, not '12:30'$",
        ),
        (lambda: resource(md5="A"), "^a-idx1-ubyte.gz: md5 must be 32 lower-case hex digits, not 'A'$"),
        (lambda: resource(size=-1), "^a-idx1-ubyte.gz: size must be a number of bytes, or None, not -1$"),
        (lambda: split(transposed=1), "^images.gz: transposed must be True or False, not 1$"),
        (lambda: split(transposed="x"), "^images.gz: transposed must be True or False, not 'x'$"),
        (lambda: split(transposed=None), "^images.gz: transposed must be True or False, not None$"),
        (lambda: split(stop=6), "^images.gz: 0 to 6 is not a range of 5 examples$"),
        (lambda: split(images="x"), "^SplitSpec: images must be a Resource, not 'x'$"),
        (lambda: split(labels=resource(shape=(4,))), "^images.gz has 5 examples, a-idx1-ubyte.gz has 4$"),
        (lambda: split(labels=resource(shape=(5, 8))), "labels must be one integer an example, not uint8 of shape"),
        (lambda: split(labels=resource(dtype="float32")), "labels must be one integer an example, not float32 of"),
        (lambda: split(label_column=0), "labels must be a table of integers if label_column is given, not uint8 of"),
        (lambda: spec(name="a b"), "^name must be a name of letters, .+, not 'a b'$"),
        (lambda: spec(classes=None), "^toy: classes must be a tuple of strings, not None$"),
        (lambda: spec(mirrors="http://me:secret@host"), "^toy: mirrors must be a tuple of strings$"),
        (
            lambda: spec(
                splits={"train": split(), "test": split(images=resource(filename="images.xz", shape=(5, 2, 2)))}
            ),
            "^toy: two different files are called images$",
        ),
        (
            lambda: spec(
                splits={
                    "train": split(labels=resource(shape=(5, 2), filename="labels"), label_column=1),
                    "test": split(labels=resource(filename="labels.column-1")),
                }
            ),
            "^toy: two different arrays are called labels.column-1$",
        ),
    ],
)
def test_an_error_says_which_field_must_be_what(describe_it, says):
    with pytest.raises(errors.SpecError, match=says):
        describe_it()


@pytest.mark.parametrize("name", ["two words.gz", "\u00e9t\u00e9.gz", "a..b", "npy", "~a'&;"])
def test_a_plain_file_name_is_accepted(name):
    assert resource(filename=name).filename == name


@pytest.mark.parametrize("size", [1, 1 << 20])
def test_what_cannot_be_compressed_is_below_the_limit(size):
    file = resource(shape=(size,))
    assert len(gzip.compress(os.urandom(file.payload_size), 0)) <= size_limit(file) < 1.1 * size + 2000


def test_integers_of_any_type_are_stored_as_ints():
    described = split(
        images=resource(filename="images.gz", shape=(np.int64(5), np.uint8(2), np.int32(2)), size=np.int64(9)),
        labels=resource(filename="labels.gz", shape=(np.int64(5), np.array(8))),
        label_column=np.int8(1),
        label_offset=np.int64(-1),
        start=np.uint16(1),
        stop=np.int64(4),
    )
    numbers = [
        *(*described.images.shape, described.images.size, *described.labels.shape),
        *(described.label_column, described.label_offset, described.start, described.stop),
    ]
    assert numbers == [5, 2, 2, 9, 5, 8, 1, -1, 1, 4]
    assert {type(number) for number in numbers} == {int}
    archive = Archive("a.zip", MD5, np.int64(7))
    assert (archive.size, type(archive.size)) == (7, int)


@pytest.mark.parametrize(("name", "dtype"), [("u1", "uint8"), ("B", "uint8"), (">f8", "float64"), ("float", "float64")])
def test_a_type_has_one_name(name, dtype):
    """The name is compared with others, and with the types that can become float32."""
    described = resource(dtype=name)
    assert described.dtype == dtype
    assert described == resource(dtype=dtype)


@pytest.mark.parametrize("boolean", [True, np.True_])
@pytest.mark.parametrize("field", ["label_column", "label_offset", "start", "stop"])
def test_a_boolean_is_not_taken_for_an_integer(field, boolean):
    table = resource(filename="labels.gz", shape=(5, 2)) if field == "label_column" else resource()
    with pytest.raises(errors.SpecError, match=f"{field} must be an integer"):
        split(labels=table, **{field: boolean})


def test_a_spec_is_shown_in_one_line():
    assert repr(FASHION_MNIST) == (
        "DatasetSpec('fashion-mnist', release='2017-08-31', splits={'train': 60000, 'test': 10000})"
    )
    assert repr(spec(mirrors=("http://me:secret@host",))) == "DatasetSpec('toy', splits={'train': 5})"


def test_splits_may_share_a_file():
    labels = resource(filename="labels.gz")
    splits = {
        "plain": SplitSpec(resource(filename="plain.gz", shape=(5, 2, 2)), labels),
        "noisy": SplitSpec(resource(filename="noisy.gz", shape=(5, 2, 2)), labels),
    }
    assert len(spec(splits=splits).resources) == 3


@pytest.mark.parametrize("suffix", made.COMPRESS)
@pytest.mark.parametrize("dtype", ["uint8", "int16", "float64"])
def test_a_file_of_ones_own_is_described_by_reading_it(tmp_path, suffix, dtype):
    array = np.arange(24).reshape(4, 3, 2).astype(dtype)
    path = tmp_path / f"mine-idx3{suffix}"
    path.write_bytes(made.COMPRESS[suffix](idx.encode(array)))

    described = Resource.from_file(str(path))

    data = path.read_bytes()
    assert described == Resource(
        filename=path.name,
        md5=hashlib.md5(data, usedforsecurity=False).hexdigest(),
        shape=(4, 3, 2),
        dtype=dtype,
        size=len(data),
        sha256=hashlib.sha256(data).hexdigest(),
        payload_sha256=hashlib.sha256(idx.encode(array)).hexdigest(),
    )
    assert described.payload_size == len(idx.encode(array))
    assert described.stem == "mine-idx3"


@pytest.mark.parametrize("describe", [Resource.from_file, Archive.from_file])
@pytest.mark.parametrize("kind", [str, Path])
def test_a_file_in_the_home_folder_may_be_named_with_a_tilde(tmp_path, monkeypatch, describe, kind):
    monkeypatch.setenv("HOME", str(tmp_path))
    monkeypatch.setenv("USERPROFILE", str(tmp_path))
    path = tmp_path / "mine"
    path.write_bytes(idx.encode(np.zeros(9, np.uint8)))
    assert describe(kind("~/mine")) == describe(path)


HUGE = b"\0\0\x08\x04" + b"\xff" * 16


@pytest.mark.parametrize(
    "data",
    [
        b"",
        b"<html>",
        idx.encode(np.zeros(9, np.uint8))[:-1],
        gzip.compress(idx.encode(np.zeros(9, np.uint8)))[:-1],
        gzip.compress(idx.encode(np.zeros(9, np.uint8))[:-1]),
        gzip.compress(idx.encode(np.zeros(9, np.uint8)) + b"x"),
        lzma.compress(b"not IDX"),
        HUGE,
        gzip.compress(HUGE),
        lzma.compress(HUGE),
        gzip.compress(b"\0\0\x08\x02" + (2**20).to_bytes(4, "big") * 2),
    ],
    ids=lambda data: repr(data[:12]),
)
def test_a_file_that_is_not_sound_is_named(tmp_path, data):
    path = tmp_path / "mine.gz"
    path.write_bytes(data)
    with pytest.raises(errors.IdxFormatError) as caught:
        Resource.from_file(path)
    assert str(path) in str(caught.value)


def test_a_file_that_is_not_there(tmp_path):
    with pytest.raises(FileNotFoundError):
        Resource.from_file(tmp_path / "nothing")


def test_fingerprints_differ_between_files_and_between_what_splits_consist_of():
    train = split()
    test = split(images=resource(filename="test.gz", shape=(5, 2, 2)), labels=resource(filename="test-labels.gz"))
    fingerprints = [
        spec(splits=splits).fingerprint
        for splits in (
            {"train": train},
            {"train": replace(train, labels=resource(filename="labels.gz", md5="1" * 32))},
            {"train": replace(train, labels=resource(filename="labels.gz", sha256=SHA256))},
            {"train": replace(train, labels=resource(filename="others.gz"))},
            {"train": replace(train, images=resource(filename="images.gz", shape=(5, 2, 2), md5="2" * 32))},
            {"train": train, "test": test},
            {"train": test, "test": train},
            {"test": train, "train": test},  # the same files in the same order
            {"train": train, "test": test, "part": replace(train, stop=4)},
            {"train": train, "test": test, "part": replace(train, start=1, stop=4)},
        )
    ]
    assert len(set(fingerprints)) == len(fingerprints)
    assert fingerprints[0] == spec(title="another title", mirrors=("http://a",)).fingerprint
    assert FASHION_MNIST.fingerprint != FASHION_MNIST_SAMPLE.fingerprint


@pytest.mark.parametrize("each", [*DATASETS, spec()], ids=lambda each: each.name)
def test_descriptions_are_json(each):
    told = json.loads(json.dumps(describe(each)))
    assert told["name"] == each.name
    assert told["classes"] == list(each.classes)
    assert told["fingerprint"] == each.fingerprint
    for name, split in each.splits.items():
        assert told["splits"][name]["num_examples"] == split.num_examples
        assert told["splits"][name]["images"]["md5"] == split.images.md5
        assert told["splits"][name]["images"]["shape"] == list(split.images.shape)


# as published by zalandoresearch/fashion-mnist, README
PUBLISHED = {
    "train-images-idx3-ubyte.gz": ("8d4fb7e6c68d591d4c3dfef9ec88bf0d", (60_000, 28, 28)),
    "train-labels-idx1-ubyte.gz": ("25c81989df183df01b3e8a0aad5dffbe", (60_000,)),
    "t10k-images-idx3-ubyte.gz": ("bef4ecab320f06d8554ea6380940ec79", (10_000, 28, 28)),
    "t10k-labels-idx1-ubyte.gz": ("bb300cfdad3c16e7a12a480ee83cd310", (10_000,)),
}


def test_fashion_mnist_is_as_published():
    assert {each.filename: (each.md5, each.shape) for each in FASHION_MNIST.resources} == PUBLISHED
    assert FASHION_MNIST.sizes == {"train": 60_000, "test": 10_000}
    assert len(FASHION_MNIST.classes) == 10
    assert FASHION_MNIST.classes[0] == "T-shirt/top"
    assert "Xiao" in FASHION_MNIST.citation


def test_fashion_mnist_matches_the_files_at_hand(full_data_dir):
    for each in FASHION_MNIST.resources:
        found = Resource.from_file(full_data_dir / each.filename)
        assert (found.payload_sha256, found.shape, found.dtype) == (each.payload_sha256, each.shape, each.dtype)
        if found.md5 == each.md5:  # Debian's are recompressed
            assert found == each


@pytest.fixture
def like_fashion_mnist(toy, monkeypatch, tmp_path):
    """The toy dataset, looked for wherever Fashion-MNIST is; Debian's folder is moved below `tmp_path`."""
    debian = "/usr/share/datasets/fashion-mnist"
    assert debian in FASHION_MNIST.folders
    folders = [str(tmp_path / debian[1:]) if folder == debian else folder for folder in FASHION_MNIST.folders]
    work = tmp_path / "work"
    work.mkdir()
    monkeypatch.chdir(work)
    return replace(toy.spec, folders=tuple(folders), subfolders=FASHION_MNIST.subfolders)


PUBLISHED_FORM = (bytes, str, "published")
RECOMPRESSED = (lambda data: gzip.compress(gzip.decompress(data), 1, mtime=0), str, "recompressed")
DECOMPRESSED = (gzip.decompress, lambda name: name.removesuffix(".gz"), "decompressed")


@pytest.mark.parametrize(
    ("folder", "form"),
    [
        ("../usr/share/datasets/fashion-mnist", RECOMPRESSED),  # Debian's
        ("~/.keras/datasets/fashion-mnist", PUBLISHED_FORM),
        ("$KERAS_HOME/datasets/fashion-mnist", PUBLISHED_FORM),
        ("data/FashionMNIST/raw", PUBLISHED_FORM),
        ("~/data/FashionMNIST/raw", PUBLISHED_FORM),
        ("data/FashionMNIST/raw", DECOMPRESSED),  # by torchvision
    ],
)
def test_other_programs_folders_are_searched(like_fashion_mnist, toy, tmp_path, monkeypatch, folder, form):
    monkeypatch.setenv("KERAS_HOME", str(tmp_path / "keras"))
    folder = os.path.abspath(os.path.expanduser(os.path.expandvars(folder)))
    change, rename, expected = form
    made.copy_files(toy, Path(folder), change=change, rename=rename)

    loaded = load(like_fashion_mnist, "train", plugins=Plugins([]))

    np.testing.assert_array_equal(loaded.images, toy.array(toy.train_images))
    assert {record.form for record in loaded.info.records} == {expected}
    assert {str(Path(record.source).parent) for record in loaded.info.records} == {folder}


@pytest.mark.parametrize("below", ["", "fashion-mnist", "FashionMNIST/raw", "raw", "data/fashion"])
def test_below_the_folder_that_the_user_names(like_fashion_mnist, toy, tmp_path, below):
    made.copy_files(toy, tmp_path / "mine" / below)
    loaded = load(like_fashion_mnist, "test", data_dir=tmp_path / "mine", plugins=Plugins([]))
    assert len(loaded) == 12


def test_a_folder_of_an_unset_variable_is_not_looked_for(like_fashion_mnist, toy, tmp_path):
    made.copy_files(toy, tmp_path / "work" / "$KERAS_HOME" / "datasets" / "fashion-mnist")
    with pytest.raises(errors.DownloadError):
        load(like_fashion_mnist, "train", plugins=Plugins([]))
