"""MNIST, KMNIST, QMNIST and EMNIST: what is published of them, and files of their structure read as they are to be."""

import gzip
import hashlib
import lzma
import re
from dataclasses import astuple, replace

import numpy as np
import pytest
from conftest import ROOT
from support import made
from support.server import ok

from idxhub import DatasetSpec, Plugins, Resource, SplitSpec, get_dataset, get_loader, idx, load
from idxhub.acquire.find import find_file
from idxhub.acquire.local import SearchSettings
from idxhub.cache.store import Cache
from idxhub.catalog import builtin
from idxhub.catalog.builtin.emnist import DATASETS as EMNIST
from idxhub.catalog.builtin.fashion_mnist import FASHION_MNIST
from idxhub.catalog.builtin.kmnist import KMNIST
from idxhub.catalog.builtin.mnist import MNIST
from idxhub.catalog.builtin.qmnist import QMNIST

DATASETS = tuple(builtin.datasets().values())

BY_NAME = {spec.name: spec for spec in DATASETS}
SIZES = {
    "mnist": {"train": 60_000, "test": 10_000},
    "kmnist": {"train": 60_000, "test": 10_000},
    "qmnist": {"train": 60_000, "test": 60_000, "test10k": 10_000, "test50k": 50_000, "nist": 402_953},
    "emnist-balanced": {"train": 112_800, "test": 18_800},
    "emnist-byclass": {"train": 697_932, "test": 116_323},
    "emnist-bymerge": {"train": 697_932, "test": 116_323},
    "emnist-digits": {"train": 240_000, "test": 40_000},
    "emnist-letters": {"train": 124_800, "test": 20_800},
}
DIGITS, CAPITALS = "0123456789", "ABCDEFGHIJKLMNOPQRSTUVWXYZ"
CLASSES = {
    "mnist": DIGITS,
    "kmnist": ["o", "ki", "su", "tsu", "na", "ha", "ma", "ya", "re", "wo"],
    "qmnist": DIGITS,
    "emnist-balanced": DIGITS + CAPITALS + "abdefghnqrt",
    "emnist-byclass": DIGITS + CAPITALS + CAPITALS.lower(),
    "emnist-bymerge": DIGITS + CAPITALS + "abdefghnqrt",
    "emnist-digits": DIGITS,
    "emnist-letters": CAPITALS,
}
# the first digits of the SHA-256 of all that a spec says about its files
FACTS = {
    "fashion-mnist": "5690c52189602b10",
    "fashion-mnist-sample": "b35df48732f428e3",
    "mnist": "d04c236848d4486a",
    "kmnist": "55e3085b331a46c1",
    "qmnist": "ac8fdaccd47a99d4",
    "emnist-balanced": "8a6ab1c0ea66544e",
    "emnist-byclass": "f81bde8f2ddcc2b6",
    "emnist-bymerge": "3bf477cd69fec59f",
    "emnist-digits": "02f8bbf5efadfbc3",
    "emnist-letters": "cda01d23337fa890",
}


@pytest.mark.parametrize("name", SIZES)
def test_splits_and_classes(name):
    spec = BY_NAME[name]
    assert spec.sizes == SIZES[name]
    assert spec.classes == tuple(CLASSES[name])
    for split in spec.splits.values():
        assert split.arrays[0].shape[1:] == (28, 28)
        assert split.arrays[0].dtype == "uint8"


@pytest.mark.parametrize("name", FACTS)
def test_no_fact_about_a_published_file_changes_unnoticed(name):
    facts = repr([astuple(resource) for resource in BY_NAME[name].resources])
    assert hashlib.sha256(facts.encode()).hexdigest()[:16] == FACTS[name]


def test_every_dataset_is_there_and_none_has_a_file_of_another():
    assert set(BY_NAME) == {"fashion-mnist", "fashion-mnist-sample", *SIZES} == set(FACTS)
    digests = [each.md5 for spec in DATASETS for each in spec.resources]
    assert len(set(digests)) == len(digests)
    assert len({spec.fingerprint for spec in DATASETS}) == len(DATASETS)
    assert FASHION_MNIST.fingerprint == "b14293846539"


@pytest.mark.parametrize("spec", [MNIST, KMNIST, QMNIST, *EMNIST], ids=lambda spec: spec.name)
def test_described_for_whoever_uses_it(spec):
    assert spec.title
    assert spec.description
    assert re.match(r"@\w+\{[\w:-]+,\n", spec.citation)
    assert spec.citation.count("{") == spec.citation.count("}")
    assert all(re.match(r"https?://.*/$", mirror) for mirror in spec.mirrors)
    torchvision = f"{spec.name.partition('-')[0].upper()}/raw"
    assert f"data/{torchvision}" in spec.folders
    assert {torchvision, "raw"} <= {*spec.subfolders}


@pytest.mark.parametrize("spec", EMNIST, ids=lambda spec: spec.name)
def test_emnist_is_one_archive(spec):
    for each in spec.resources:
        assert each.archive == EMNIST[0].resources[0].archive
        assert each.member == f"gzip/{each.filename}"
    for split in spec.splits.values():
        assert split.transposed
        assert split.label_offset == (spec.name == "emnist-letters")
    assert spec.download_size == (561_753_746, True)


def test_a_test_set_that_is_a_part_of_another():
    whole, first, rest = (QMNIST.splits[name] for name in ("test", "test10k", "test50k"))
    assert (first.start, first.end, rest.start, rest.end) == (0, 10_000, 10_000, 60_000)
    assert whole.arrays == first.arrays == rest.arrays
    assert QMNIST.everything == ("train", "test", "nist")
    assert len(QMNIST.resources) == 6
    count, known = QMNIST.download_size
    assert not known
    assert 400e6 < count < 420e6


# the real files

LABELS = ROOT.parent / "shared" / "data" / "qmnist-labels"


@pytest.fixture(scope="module")
def qmnist_labels():
    if not (LABELS / "qmnist-train-labels-idx2-int.gz").is_file():
        pytest.skip("needs QMNIST's real label files")
    return LABELS


@pytest.mark.parametrize("split", ["train", "test", "nist"])
def test_qmnists_label_files_are_as_described(qmnist_labels, split):
    labels = QMNIST.splits[split].labels
    assert Resource.from_file(qmnist_labels / labels.filename) == labels


@pytest.fixture
def qmnist(qmnist_labels, tmp_path):
    """QMNIST's real labels with images that say which example they are, described as QMNIST is."""
    folder = tmp_path / "qmnist"
    folder.mkdir()

    def images(split):
        numbers = np.arange(split.images.shape[0], dtype=">u4")
        array = np.ascontiguousarray(numbers.view(np.uint8).reshape(-1, 2, 2))
        compress = lzma.compress if split.images.filename.endswith(".xz") else gzip.compress
        (folder / split.images.filename).write_bytes(compress(idx.encode(array)))
        (folder / split.labels.filename).write_bytes((qmnist_labels / split.labels.filename).read_bytes())
        return replace(Resource.from_file(folder / split.images.filename), size=None, sha256=None, payload_sha256=None)

    made_of = {name: images(QMNIST.splits[name]) for name in ("train", "test", "nist")}
    splits = {name: replace(split, images=made_of.get(name, made_of["test"])) for name, split in QMNIST.splits.items()}
    return replace(QMNIST, splits=splits, mirrors=(), folders=(str(folder),))


def test_qmnists_splits_on_the_real_labels(qmnist, qmnist_labels):
    for name, start in {"train": 0, "test": 0, "test10k": 0, "test50k": 10_000, "nist": 0}.items():
        split = load(qmnist, name, plugins=Plugins([]))
        path = qmnist_labels / QMNIST.splits[name].labels.filename
        data = (lzma if path.suffix == ".xz" else gzip).decompress(path.read_bytes())
        table = np.frombuffer(data, ">i4", offset=12).reshape(-1, 8)
        np.testing.assert_array_equal(split.labels, table[start : start + len(split), 0])
        assert split.labels.dtype == np.int64
        assert len(split) == SIZES["qmnist"][name]
        numbers = np.ascontiguousarray(split.images).reshape(-1, 4).view(">u4").ravel()
        np.testing.assert_array_equal(numbers, np.arange(start, start + len(split)))
        assert split.images.ctypes.data % 64 == 0


def test_qmnists_labels_are_mnists(qmnist, mnist_dir):
    mnist = {
        split: idx.decode(gzip.decompress((mnist_dir / MNIST.splits[split].labels.filename).read_bytes()))
        for split in ("train", "test")
    }
    np.testing.assert_array_equal(load(qmnist, "train", plugins=Plugins([])).labels, mnist["train"])
    np.testing.assert_array_equal(load(qmnist, "test10k", plugins=Plugins([])).labels, mnist["test"])


def test_loaders_of_splits_of_unlike_sizes(qmnist):
    for name in ("test10k", "nist"):
        loader = get_loader(qmnist, split=name, batch_size=4096, seed=3)
        seen = np.concatenate([np.asarray(batch.labels) for batch in loader])
        assert len(seen) == SIZES["qmnist"][name]
        expected = np.bincount(load(qmnist, name, plugins=Plugins([])).labels, minlength=10)
        np.testing.assert_array_equal(np.bincount(seen, minlength=10), expected)


def test_mnists_files_are_as_described(mnist_dir, cache_dir):
    cache = Cache(cache_dir, MNIST)
    for each in MNIST.resources[1:]:  # the train images are not at hand
        data = (mnist_dir / each.filename).read_bytes()
        described = Resource.from_file(mnist_dir / each.filename)
        assert replace(described, payload_md5=each.payload_md5) == each
        assert find_file(MNIST, each, cache, SearchSettings(mnist_dir, download=False)).form == "published"
        assert hashlib.md5(gzip.decompress(data), usedforsecurity=False).hexdigest() == each.payload_md5


def test_mnists_test_split_by_name(mnist_dir):
    images, labels = get_dataset("mnist", split="test", data_dir=mnist_dir, download=False)
    assert images.shape == (10_000, 28, 28)
    assert labels[:5].tolist() == [7, 2, 1, 0, 4]


# made files, of the structure and under the names of the real ones


@pytest.mark.parametrize("spec", [MNIST, KMNIST], ids=lambda spec: spec.name)
def test_made_files_by_the_local_server(spec, tmp_path, server):
    """Named and structured like the real ones, found at a mirror, in every place that the spec names."""
    random, truth, splits = np.random.default_rng(0), {}, {}
    for name, split in spec.splits.items():
        truth[name] = random.integers(0, 256, (40, 28, 28)).astype(np.uint8), random.integers(0, 10, 40)
        images, labels = truth[name]
        splits[name] = SplitSpec(
            made.write(tmp_path / "made", split.images.filename, images),
            made.write(tmp_path / "made", split.labels.filename, labels.astype(np.uint8)),
        )
    server.serve(tmp_path / "made")
    here = replace(spec, splits=splits, mirrors=(server.url,), folders=())
    for name, (images, labels) in truth.items():
        loaded = load(here, name, plugins=Plugins([]))
        np.testing.assert_array_equal(loaded.images, images)
        np.testing.assert_array_equal(loaded.labels, labels)
        assert loaded.classes == spec.classes
    assert server.count() == 4


def test_a_spec_of_ones_own_may_be_as_odd_as_any(server, tmp_path):
    """A plugin's or a user's spec has all that the catalog's have: here with one label column of .xz files."""
    table = np.stack([np.arange(9) % 2, np.arange(9)], axis=1).astype(">i4")
    split = SplitSpec(
        made.write(tmp_path, "odd-images-idx3.xz", np.zeros((9, 3, 2), np.uint8)),
        made.write(tmp_path, "odd-labels-idx2.xz", table),
        label_column=0,
        transposed=True,
    )
    server.route("/odd-images-idx3.xz", ok((tmp_path / "odd-images-idx3.xz").read_bytes()))
    server.route("/odd-labels-idx2.xz", ok((tmp_path / "odd-labels-idx2.xz").read_bytes()))
    spec = DatasetSpec("odd", {"train": split}, classes=("even", "odd"), mirrors=(server.url,))
    images, labels = get_dataset(spec)
    assert images.shape == (9, 2, 3)
    assert labels.tolist() == [0, 1] * 4 + [0]
