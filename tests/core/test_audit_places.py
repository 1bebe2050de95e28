"""The audit: which folders it searches, which links it follows, and what it has no permission to read."""

import errno
import gzip
import os
import shutil
from pathlib import Path

from support.processes import python_as_nobody

from idxhub.audit import scan
from idxhub.audit.folders import usual_folders
from idxhub.audit.judge import audit_files
from idxhub.catalog import builtin
from idxhub.catalog.builtin.fashion_mnist import FASHION_MNIST

DATASETS = tuple(builtin.datasets().values())
TRAIN, TEST = "train-images-idx3-ubyte.gz", "test-images-idx3-ubyte.gz"


def test_links(toy, look, put, tmp_path):
    put(toy.bytes(toy.train_images), "blob", "elsewhere")
    looked = tmp_path / "looked"
    looked.mkdir()
    (looked / TRAIN).symlink_to(tmp_path / "elsewhere" / "blob")
    (looked / TEST).symlink_to(tmp_path / "elsewhere" / "blob")
    (looked / "again").symlink_to(looked)
    (looked / "elsewhere").symlink_to(tmp_path / "elsewhere")
    (looked / "train-labels-idx1-ubyte.gz").symlink_to("nowhere")
    (looked / "itself").symlink_to("itself")
    official = "toy train images, official"
    assert look() == {
        TRAIN: ("right", official),
        TEST: ("wrong", official),
        "train-labels-idx1-ubyte.gz": ("wrong", "a link that leads nowhere"),
    }
    (looked / "train-labels-idx1-ubyte").symlink_to("train-labels-idx1-ubyte")
    assert look()["train-labels-idx1-ubyte"] == ("unreadable", f"cannot be read: {os.strerror(errno.ELOOP)}")
    report = audit_files([looked], [toy.spec])
    assert (report.left_unread, report.left_alone) == (1, 0)  # the one called "itself"
    assert look(at=looked / "again").keys() == look().keys()  # a path that is named is followed
    both = audit_files([looked, looked / "again", tmp_path / "elsewhere"], [toy.spec])
    assert (len(both.findings), both.left_unread) == (5, 1)


def test_a_pipe_is_not_waited_for(look, tmp_path):
    (tmp_path / "looked").mkdir()
    os.mkfifo(tmp_path / "looked" / TRAIN)
    assert look() == {TRAIN: ("wrong", "a pipe, socket or device")}


def test_files_and_folders_that_cannot_be_read_are_named(open_dir):
    code = """
        import os, sys
        from pathlib import Path
        from idxhub.audit.judge import audit_files
        from idxhub.catalog import builtin
        DATASETS = tuple(builtin.datasets().values())
        root = Path(sys.argv[1])
        for each in audit_files([root, root / "shut"], DATASETS).findings:
            print(each.path.name, each.state, each.found, each.is_folder, sep="|")
    """
    (open_dir / "shut").mkdir()
    (open_dir / TRAIN).write_bytes(b"x")
    for path in (open_dir / "shut", open_dir / TRAIN):
        path.chmod(0)
    try:
        seen = python_as_nobody(code, open_dir).stdout.splitlines()
    finally:
        (open_dir / "shut").chmod(0o755)
    reason = "unreadable|cannot be read: Permission denied"
    assert seen == [f"{TRAIN}|{reason}|False", f"shut|{reason}|True"]


def test_an_unreadable_file_is_listed_if_its_name_claims_something_or_it_is_given(open_dir):
    code = """
        import sys
        from pathlib import Path
        from idxhub.catalog import builtin
        from idxhub.audit.judge import audit_files
        root = Path(sys.argv[1])
        for paths in ([root], [root, root / "secret.txt"], [root, root / "around" / "secret.txt"]):
            report = audit_files(paths, tuple(builtin.datasets().values()))
            print([each.path.name for each in report.findings], report.left_unread, report.left_alone)
    """
    (open_dir / TRAIN).write_bytes(b"x")
    (open_dir / "secret.txt").write_bytes(b"x")
    (open_dir / "open.txt").write_bytes(b"x")
    (open_dir / "around").symlink_to(open_dir)
    for name in (TRAIN, "secret.txt"):
        (open_dir / name).chmod(0)
    seen = python_as_nobody(code, open_dir).stdout.splitlines()
    named = f"['secret.txt', '{TRAIN}'] 0 1"
    assert seen == [f"['{TRAIN}'] 1 1", named, named]


def test_folders_may_be_nested_deeper_than_python_recurses(toy, put, tmp_path):
    folder = tmp_path / "looked"
    depth = 1_200  # further than Python recurses
    here = os.getcwd()
    try:
        folder.mkdir()
        os.chdir(folder)
        for _ in range(depth):
            os.mkdir("d")
            os.chdir("d")
        Path(TRAIN).write_bytes(toy.bytes(toy.train_images))
        (finding,) = audit_files([folder], [toy.spec]).findings
        assert (finding.path, finding.state) == (folder.joinpath(*"d" * depth, TRAIN), "right")
    finally:  # pytest removes folders by recursion, which would fail here and in every later run
        os.chdir(here)
        folder.joinpath(*"d" * depth, TRAIN).unlink(missing_ok=True)
        for left in range(depth, 0, -1):
            os.rmdir(folder.joinpath(*"d" * left))


def test_a_folder_called_tilde_is_not_the_home(toy, put, tmp_path, monkeypatch):
    monkeypatch.setenv("HOME", str(tmp_path / "home"))
    monkeypatch.chdir(tmp_path)
    put(toy.bytes(toy.train_images), folder="home")
    put(toy.bytes(toy.train_labels), "train-labels-idx1-ubyte.gz", folder="~")
    (finding,) = audit_files([Path("~")], [toy.spec]).findings
    assert finding.path == tmp_path / "~" / "train-labels-idx1-ubyte.gz"


def test_of_other_files_little_is_read_and_nothing_remembered(toy, put, tmp_path, monkeypatch):
    for number in range(20):
        put(b"\xff\xd8\xff\xe0" * 100_000, f"{number}.jpg")
    read, readers, wrapped, made = [], [], scan.open_regular_file, scan._Scanner

    class Counted:
        def __init__(self, file):
            self.file = file

        def __enter__(self):
            return self

        def __exit__(self, *error):
            self.file.close()

        def read(self, size):
            read.append(size)
            return self.file.read(size)

    monkeypatch.setattr(scan, "open_regular_file", lambda path: Counted(wrapped(path)))
    monkeypatch.setattr(scan, "_Scanner", lambda *given: readers.append(made(*given)) or readers[-1])
    report = audit_files([tmp_path / "looked"], [toy.spec])
    assert (report.findings, report.left_alone) == ((), 20)
    assert len(read) == 20
    assert max(read) <= 1 << 12
    assert [reader._contents for reader in readers] == [{}]


def test_nothing_is_listed_twice(toy, put, tmp_path):
    path = put(toy.bytes(toy.train_images))
    (tmp_path / "link").symlink_to(path.parent)
    for paths in (
        [path, path],
        [path, path.parent],
        [path.parent, path],
        [path.parent / "." / TRAIN, tmp_path / "link"],
    ):
        assert len(audit_files(paths, [toy.spec]).findings) == 1


def test_the_usual_folders_are_those_of_other_libraries_and_the_cache(monkeypatch, tmp_path):
    monkeypatch.chdir(tmp_path)
    for name in ("KERAS_HOME", "MXNET_HOME", "TFDS_DATA_DIR", "CHAINER_DATASET_ROOT"):
        monkeypatch.setenv(name, f"/set/{name}")
    monkeypatch.setenv("IDXHUB_MIRRORS", "/srv/mirror, https://example.org/")
    found = usual_folders(DATASETS, tmp_path / "cache")
    home = Path.home()
    for each in (
        "/usr/share/datasets/fashion-mnist",
        "/set/KERAS_HOME/datasets/fashion-mnist",
        home / ".keras/datasets/fashion-mnist",
        tmp_path / "data/FashionMNIST/raw",
        tmp_path / "FashionMNIST/raw",
        home / "data/FashionMNIST/raw",
        tmp_path / "data/fashion",
        "/set/MXNET_HOME/datasets",
        home / ".mxnet/datasets",
        "/set/TFDS_DATA_DIR/downloads",
        home / "tensorflow_datasets/downloads",
        home / ".cache/paddle/dataset",
        "/set/CHAINER_DATASET_ROOT",
        home / ".chainer/dataset",
        "/srv/mirror",
        tmp_path / "cache",
    ):
        assert Path(each) in found
    assert len(found) == len(set(found))
    assert not [each for each in found if each.name == "sample" or "$" in str(each) or "http" in str(each)]
    monkeypatch.delenv("MXNET_HOME")
    assert not [each for each in usual_folders(DATASETS, tmp_path) if "MXNET" in str(each)]


def test_real_files_in_the_folders_of_others(full_data_dir, mnist_dir, tmp_path):
    keras, raw = tmp_path / ".keras" / "datasets" / "fashion-mnist", tmp_path / "FashionMNIST" / "raw"
    shutil.copytree(full_data_dir, keras)
    shutil.copy(mnist_dir / "t10k-images-idx3-ubyte.gz", keras)
    shutil.copytree(mnist_dir, tmp_path / "digits")
    first = mnist_dir.parent / "fashion-mnist-v1-labels"
    shutil.copytree(first if first.is_dir() else tmp_path / "digits", tmp_path / "mxnet" / "fashion-mnist")
    raw.mkdir(parents=True)
    for name in ("t10k-images-idx3-ubyte.gz", "t10k-labels-idx1-ubyte.gz"):
        content = gzip.decompress((full_data_dir / name).read_bytes())
        (raw / name).write_bytes(gzip.compress(content, 1, mtime=0))
        (raw / name.removesuffix(".gz")).write_bytes(content)
    report = audit_files([tmp_path], DATASETS)
    found = {each.path.relative_to(tmp_path).as_posix(): (each.state, each.found) for each in report.findings}
    assert found[".keras/datasets/fashion-mnist/train-images-idx3-ubyte.gz"] == (
        *("right", "Fashion-MNIST train images, official"),
    )
    state, says = found[".keras/datasets/fashion-mnist/t10k-images-idx3-ubyte.gz"]
    assert (state, says.removesuffix(", official")) == ("wrong", "MNIST test images")
    assert found["FashionMNIST/raw/t10k-images-idx3-ubyte.gz"] == ("right", "Fashion-MNIST test images, recompressed")
    assert found["FashionMNIST/raw/t10k-labels-idx1-ubyte"] == ("right", "Fashion-MNIST test labels, decompressed")
    assert {state for name, (state, _) in found.items() if name.startswith("digits/")} == {"right"}
    assert {state for name, (state, _) in found.items() if name.startswith("mxnet/")} == {"wrong"}
    assert {each.claim for each in report.findings if "raw" in each.path.parts} == {
        *("Fashion-MNIST test images", "Fashion-MNIST test labels"),
    }
    assert FASHION_MNIST in [each.file.spec for each in report.findings if each.file is not None]
