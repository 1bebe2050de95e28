"""The audit: files by their digests, damaged files, and files that are left alone."""

import gzip
import hashlib
import io
import lzma
import os
import struct
import zipfile
from dataclasses import replace
from functools import partial

import numpy as np
import pytest
from support.made import make

from idxhub import Plugins, SplitSpec, idx, load
from idxhub.acquire.verify import verify_bytes
from idxhub.audit import judge
from idxhub.audit.content import BLOCK_SIZE, sha256_of_beginning
from idxhub.audit.judge import audit_files
from idxhub.cache.store import Cache
from idxhub.catalog import builtin
from idxhub.errors import ChecksumError

DATASETS = tuple(builtin.datasets().values())

TRAIN, TEST = "train-images-idx3-ubyte.gz", "test-images-idx3-ubyte.gz"

ACCEPTED = {
    "as published": (bytes, "published"),
    "recompressed": (lambda data: gzip.compress(gzip.decompress(data), 1), "recompressed"),
    "xz": (lambda data: lzma.compress(gzip.decompress(data)), "recompressed"),
    "decompressed": (gzip.decompress, "decompressed"),
    "zeros behind it": (lambda data: data + bytes(512), "recompressed"),
    "an empty member behind it": (lambda data: data + gzip.compress(b""), "recompressed"),
}


@pytest.mark.parametrize("name", [TRAIN, "train-images.idx3-ubyte", "AF36-mangled", "notes.txt"])
@pytest.mark.parametrize("case", ACCEPTED)
def test_a_file_that_get_dataset_accepts_is_right_whatever_its_name(toy, look, put, case, name):
    change, form = ACCEPTED[case]
    path = put(change(toy.bytes(toy.train_images)), name)
    verified = verify_bytes(toy.train_images, path.read_bytes(), "here")
    assert (verified.payload, verified.form) == (gzip.decompress(toy.bytes(toy.train_images)), form)
    assert look() == {name: ("right", f"toy train images, {'official' if form == 'published' else form}")}


SHAPE, CONTENT = "; has the shape of toy train images", "; its content is toy train images"
CUT, MORE = "cut short: the compressed data ends at byte {size:,}", "inflates to more than the 916 bytes expected"
FOLLOW = "other bytes follow the compressed data at byte {published:,}"
DAMAGED = {
    "empty": (lambda data: b"", "empty"),
    "page": (lambda data: b"\n<!DOCTYPE html><html>log in</html>", "an HTML page"),
    "page in gz": (lambda data: gzip.compress(b"<html>log in</html>"), "an HTML page"),
    "something else": (lambda data: b"PNG and so on", "not IDX: bytes 0-1 are 50 4e, not 00 00"),
    "something else in gz": (lambda data: gzip.compress(b"PNG and so on"), "not IDX: bytes 0-1 are 50 4e, not 00 00"),
    "cut before its content": (lambda data: data[:8], "cut short at byte 8, before its content begins"),
    "cut gz": (lambda data: data[:-100], f"{CUT}{SHAPE}"),
    "cut raw": (lambda data: gzip.decompress(data)[:500], f"cut short at byte 500 of 916{SHAPE}"),
    "cut, then compressed": (
        lambda data: gzip.compress(gzip.decompress(data)[:500]),
        f"cut short at byte 500 of 916{SHAPE}",
    ),
    "cut, of no spec": (
        lambda data: gzip.compress(idx.encode(np.zeros((7, 2), np.uint8))[:-1]),
        "cut short at byte 25 of 26; the header says 7x2 uint8",
    ),
    "longer": (lambda data: gzip.decompress(data) + b"xy", f"2 bytes follow the array of 30x6x5 uint8{CONTENT}"),
    "its length changed": (
        lambda data: data[:-1] + bytes([data[-1] ^ 1]),
        "damaged compressed data: Error -3 while decompressing data: incorrect length check",
    ),
    # the content is complete, and the compressed data around it is damaged
    "junk behind it": (lambda data: data + b"junk", f"4 {FOLLOW}{CONTENT}"),
    "a page behind it": (lambda data: data + b"<html>", f"6 {FOLLOW}{CONTENT}"),
    "its length cut off": (lambda data: data[:-4], f"{CUT}{CONTENT}"),
    "its checksum cut off": (lambda data: data[:-8], f"{CUT}{CONTENT}"),
    "xz, cut": (lambda data: lzma.compress(gzip.decompress(data))[:-4], f"{CUT}{CONTENT}"),
    "a second member": (lambda data: data + gzip.compress(b"x"), f"{MORE}{CONTENT}"),
    "twice": (lambda data: data + data, f"{MORE}{CONTENT}"),
}
# cases in which the first bytes do not show that it is an IDX file
LEFT_ALONE_UNDER_ANOTHER_NAME = {
    *(
        "empty",
        "page",
        "page in gz",
        "something else",
        "something else in gz",
        "cut before its content",
        "cut raw",
        "longer",
    ),
    "its length changed",
}


@pytest.mark.parametrize("name", [TRAIN, "notes"])
@pytest.mark.parametrize("case", DAMAGED)
def test_a_damaged_file_is_wrong_and_get_dataset_refuses_it(toy, put, case, name):
    change, found = DAMAGED[case]
    published = toy.bytes(toy.train_images)
    path = put(change(published), name)
    with pytest.raises(ChecksumError):
        verify_bytes(toy.train_images, path.read_bytes(), "here")
    findings = audit_files([path], [toy.spec]).findings
    if name != TRAIN and case in LEFT_ALONE_UNDER_ANOTHER_NAME:
        assert findings == ()
        return
    (finding,) = findings
    assert finding.found == found.format(size=path.stat().st_size, published=len(published))
    assert (finding.state, finding.file, finding.form, finding.content_sha256) == ("wrong", None, None, None)


def test_a_cut_file_is_not_said_to_begin_like_a_damaged_one(toy, look, put):
    put(toy.bytes(toy.train_images) + b"junk", "a")
    put(gzip.decompress(toy.bytes(toy.train_images))[:500], "train-images-idx3-ubyte")
    assert "begins like" not in look()["train-images-idx3-ubyte"][1]


def test_a_cut_file_is_named_after_a_sound_one_that_begins_like_it(toy, look, put):
    twin = make(toy.folder.parent / "twin", name="twin", seed=1)
    data, other = toy.bytes(toy.train_images), twin.bytes(twin.train_images)
    put(data, "sound")
    put(other, "another")
    put(data[:-50], "1-train-images-idx3-ubyte.gz")
    put(gzip.decompress(other)[:400], "2-train-images-idx3-ubyte")
    put(gzip.decompress(other)[:40], "3-train-images-idx3-ubyte")
    found = look(toy.spec, twin.spec)
    assert found["1-train-images-idx3-ubyte.gz"][1].endswith("; begins like toy train images")
    assert found["2-train-images-idx3-ubyte"][1].endswith("; begins like twin train images")
    # too few bytes to compare
    assert found["3-train-images-idx3-ubyte"][1].endswith("has the shape of toy train images and of twin train images")


@pytest.mark.parametrize("change", [None, b"<html>", gzip.compress(bytes(99))[:-9]], ids=["gone", "a page", "cut"])
def test_a_sound_file_that_changes_during_the_audit_fails_nothing(toy, put, monkeypatch, change):
    path = put(toy.bytes(toy.train_images))
    put(gzip.decompress(toy.bytes(toy.train_images))[:-1], "train-images-idx3-ubyte", "looked/cut")

    def scan_then_change(*arguments):
        yield from scan_files(*arguments)
        path.unlink() if change is None else path.write_bytes(change)

    scan_files = judge.scan_files
    monkeypatch.setattr(judge, "scan_files", scan_then_change)
    sound, cut = audit_files([path.parent], [toy.spec]).findings
    assert sound.state == "right"
    assert cut.found == "cut short at byte 915 of 916; has the shape of toy train images"


@pytest.mark.parametrize("length", [1, BLOCK_SIZE - 1, BLOCK_SIZE, BLOCK_SIZE + 1, 2 * BLOCK_SIZE + 5])
@pytest.mark.parametrize("compress", [bytes, partial(gzip.compress, compresslevel=1)])
def test_the_beginning_of_a_content_may_be_longer_than_a_block(compress, length, tmp_path):
    content = os.urandom(3 * BLOCK_SIZE)
    (tmp_path / "x").write_bytes(compress(content))
    assert sha256_of_beginning(tmp_path / "x", length) == hashlib.sha256(content[:length]).hexdigest()


def test_names_that_only_one_dataset_has_do_not_make_a_folder_mixed(toy, put, tmp_path):
    other = make(tmp_path / "other", name="other", seed=1)
    own = replace(toy.train_images, filename="bespoke-images-idx3-ubyte.gz")
    spec = replace(toy.spec, splits={"train": replace(toy.spec.splits["train"], images=own)})
    put(toy.bytes(toy.train_images), own.filename)
    path = put(other.bytes(other.train_labels), "train-labels-idx1-ubyte.gz")
    report = audit_files([path.parent], [spec, other.spec])
    assert {each.state for each in report.findings} == {"right"}
    assert report.mixed == ()


def test_files_that_are_not_idx_are_counted(toy, put, tmp_path):
    random = np.random.default_rng(0).bytes
    others = ("gz.md5", "gz.INFO", "gz.part", "gz.asc", "lock", "json", "npy", "npy.1-aa.tmp", "tar", "html")
    for each in others:
        put(b"of another kind", f".train-images-idx3-ubyte.{each}")
        put(b"", f"train-images.idx3-ubyte.{each}")
    put(b"", "empty")
    put(b"text", "notes.txt")
    put(gzip.compress(b"text"), "text.gz")
    put(toy.bytes(toy.train_images)[:9], "cut.gz")
    put(struct.pack(">BBBBI", 0, 0, 8, 1, 1000) + random(17), "begins like IDX by chance")
    put(random(1000), "train-images.npy")
    os.mkfifo(tmp_path / "looked" / "pipe")
    (tmp_path / "looked" / "dangling").symlink_to("nowhere")
    report = audit_files([tmp_path / "looked"], [toy.spec])
    assert (report.findings, report.left_alone, report.ok) == ((), 8 + 2 * len(others), True)


def test_a_cached_file_of_a_spec_of_ones_own_is_right_by_its_record(toy, server, tmp_path, put):
    server.serve(toy.folder)
    labels = replace(toy.train_labels, filename="second-train-images-idx3-ubyte.gz")  # others misread it
    put(toy.bytes(toy.train_labels), labels.filename, "served")
    put(toy.bytes(toy.train_images), TRAIN, "served")
    server.serve(tmp_path / "served")
    spec = replace(toy.spec, name="mine", splits={"train": SplitSpec(toy.train_images, labels)}, mirrors=(server.url,))
    load(spec, cache_dir=tmp_path / "looked", plugins=Plugins([]))
    for specs in ([], DATASETS, [make(tmp_path / "twin", name="twin", seed=1).spec]):
        report = audit_files([tmp_path / "looked"], specs)
        assert report.ok
        assert {(each.state, each.found) for each in report.findings} == {
            ("right", "mine, according to idxhub's record")
        }
        assert {(each.file.dataset, each.form) for each in report.findings} == {("mine", "published")}
    report = audit_files([tmp_path / "looked"], [toy.spec])
    assert [each.state for each in report.findings] == ["right", "right"]
    assert report.mixed == ()
    folder = Cache(tmp_path / "looked", spec).folder
    record = folder / "train-images-idx3-ubyte.json"
    record.write_bytes(record.read_bytes().replace(b"published", b"publushed"))  # its seal is broken
    assert not audit_files([folder / TRAIN], DATASETS).ok
    (folder / labels.filename).write_bytes(toy.bytes(toy.train_images))
    assert not audit_files([folder], DATASETS).ok


def test_files_that_idxhub_writes_in_its_cache_are_left_alone(toy, server, tmp_path, look):
    server.serve(toy.folder)
    cache = tmp_path / "looked"
    split = load(toy.mirrored(server.url), "all", cache_dir=cache, plugins=Plugins([]))
    split.derived("toy.arrow", lambda: [b"made of the arrays"])
    folder = Cache(cache, toy.spec).folder
    arriving = folder / f".{toy.train_images.filename}.1-aa.tmp"
    arriving.write_bytes(toy.bytes(toy.train_images)[:300])
    assert look() == {
        f"{split}-{kind}-ubyte.gz": ("right", f"toy {split} {kind.partition('-')[0]}, official")
        for split in ("train", "test")
        for kind in ("images-idx3", "labels-idx1")
    }
    assert {path.suffix for path in folder.iterdir()} == {".TAG", ".arrow", ".gz", ".json", ".lock", ".npy", ".tmp"}
    (folder / "CACHEDIR.TAG").unlink()
    assert look()[arriving.name][0] == "wrong"  # in a folder that is not idxhub's


def test_an_unknown_array(toy, look, put):
    array = idx.encode(np.arange(24, dtype=np.int16).reshape(2, 3, 4))
    put(array, "mine")
    put(gzip.compress(array), "mine.gz")
    put(array, "train-images-idx3-ubyte")  # of no dataset that is known
    put(array, "mine-train-images-idx3-ubyte")  # a name that nobody publishes
    put(array, TRAIN, "looked/toy")
    found = look()
    assert {name: state for name, (state, _) in found.items()} == {
        "mine": "unknown",
        "mine.gz": "unknown",
        "train-images-idx3-ubyte": "wrong",
        "mine-train-images-idx3-ubyte": "unknown",
        TRAIN: "wrong",
    }
    assert len({says for _, says in found.values()}) == 1
    assert found["mine"][1].startswith("unknown: 2x3x4 int16, SHA-256 ")


def test_a_content_without_a_digest_in_the_spec_is_known_from_the_published_file(toy, look, put):
    images = replace(toy.train_images, payload_sha256=None)
    spec = replace(toy.spec, splits={"train": SplitSpec(images, toy.train_labels)})
    raw = put(gzip.decompress(toy.bytes(images)), "a")
    assert look(spec)["a"][0] == "unknown"
    put(toy.bytes(images), "b")
    assert look(spec)["a"] == ("right", "toy train images, decompressed")
    assert look(spec, at=raw)["a"][0] == "unknown"


NO_DIGEST = "30x6x5 uint8, like toy train images; no digest of its content is known"


@pytest.mark.parametrize(
    ("array", "name", "state", "says"),
    [
        ((30, 6, 5), "toy/train-images-idx3-ubyte", "unknown", f"{NO_DIGEST}; check the .gz file instead"),
        ((30, 6, 5), "toy/train-images-idx3-ubyte.gz", "wrong", f"not as published: {NO_DIGEST}"),
        ((30, 6, 5), "train-images-idx3-ubyte", "wrong", "unknown: 30x6x5 uint8, SHA-256 "),  # the twin's, perhaps
        ((30, 5, 6), "toy/train-images-idx3-ubyte", "wrong", "unknown: 30x5x6 uint8, SHA-256 "),
        ((30, 5, 6), "toy/train-images-idx3-ubyte (1)", "wrong", "unknown: 30x5x6 uint8, SHA-256 "),
        ((30, 5, 6), "train-images-idx3-ubyte (1)", "unknown", "unknown: 30x5x6 uint8, SHA-256 "),
        ((30, 6, 5), "mine", "unknown", "unknown: 30x6x5 uint8, SHA-256 "),
    ],
)
def test_a_content_without_a_known_digest_is_unknown_and_not_wrong(toy, put, tmp_path, array, name, state, says):
    images = replace(toy.train_images, payload_sha256=None)
    spec = replace(toy.spec, splits={"train": SplitSpec(images, toy.train_labels)})
    twin = make(tmp_path / "another", name="twin", seed=1).spec
    content = idx.encode(np.ones(array, np.uint8))
    path = put(gzip.compress(content) if name.endswith(".gz") else content, name)
    report = audit_files([path], [spec, twin])
    (finding,) = report.findings
    assert finding.state == state
    assert finding.found.startswith(says)
    assert report.ok == (state != "wrong")


def test_kmnists_labels_decompressed(put):
    path = put(idx.encode(np.zeros(60_000, np.uint8)), "train-labels-idx1-ubyte", "KMNIST/raw")
    (finding,) = audit_files([path], DATASETS).findings
    like = "60,000 uint8, like Kuzushiji-MNIST train labels; no digest of its content is known"
    assert (finding.state, finding.found) == ("unknown", f"{like}; check the .gz file instead")


def test_members_of_a_zip(toy, look, put):
    file = io.BytesIO()
    with zipfile.ZipFile(file, "w") as archive:
        archive.writestr(f"gzip/{TRAIN}", toy.bytes(toy.train_images))
        archive.writestr(f"toy/{TEST}", toy.bytes(toy.train_images))
        archive.writestr("toy/test-labels-idx1-ubyte", b"")
        archive.writestr("train-images-idx3-ubyte/", b"")
        archive.writestr("readme.txt", b"text")
    put(file.getvalue(), "all.zip")
    put(b"PK\x03\x04 and so on", "broken.zip")
    assert look() == {
        f"gzip/{TRAIN}": ("right", "toy train images, official"),
        f"toy/{TEST}": ("wrong", "toy train images, official"),
        "toy/test-labels-idx1-ubyte": ("wrong", "empty"),
    }
    damaged = bytearray(file.getvalue())
    damaged[damaged.index(toy.bytes(toy.train_images)) + 300] ^= 1
    put(damaged, "all.zip")
    state, found = look()[f"gzip/{TRAIN}"]
    assert state == "wrong"
    assert found.startswith("damaged")


@pytest.mark.parametrize(
    ("method", "state", "says"),
    [
        ("ZIP_STORED", "wrong", "damaged in the .zip: "),
        ("ZIP_DEFLATED", "wrong", "damaged in the .zip: "),
        ("ZIP_BZIP2", "unreadable", "cannot be read: compressed with bzip2, which idxhub does not read"),
        ("ZIP_LZMA", "unreadable", "cannot be read: compressed with LZMA, which idxhub does not read"),
    ],
)
def test_the_other_members_of_a_zip_with_a_damaged_one_are_found(toy, look, put, method, state, says):
    raw = gzip.decompress(toy.bytes(toy.train_images))
    file = io.BytesIO()
    with zipfile.ZipFile(file, "w", getattr(zipfile, method)) as archive:
        archive.writestr("train-images-idx3-ubyte", raw)
        archive.writestr("train-labels-idx1-ubyte.gz", toy.bytes(toy.train_labels), zipfile.ZIP_STORED)
    damaged = bytearray(file.getvalue())
    begin = 30 + len("train-images-idx3-ubyte")
    for place in range(begin + 12, begin + 60):
        damaged[place] ^= 0x5A
    put(damaged, "all.zip")
    found = look()
    assert found["train-images-idx3-ubyte"][0] == state
    assert found["train-images-idx3-ubyte"][1].startswith(says)
    assert found["train-labels-idx1-ubyte.gz"] == ("right", "toy train labels, official")


def test_a_file_whose_header_claims_too_much_is_not_read(toy, look, put, tmp_path):
    bomb = struct.pack(">BBBBII", 0, 0, 8, 2, 1 << 20, 1 << 20)
    put(gzip.compress(bomb + bytes(1 << 20)), "bomb.gz")
    os.truncate(put(bomb), len(bomb) + (1 << 40))
    assert look() == {
        "bomb.gz": ("unknown", "unknown: 1,048,576x1,048,576 uint8, too large to be read"),
        TRAIN: ("wrong", "unknown: 1,048,576x1,048,576 uint8, too large to be read"),
    }


def test_what_follows_an_array_is_not_read(look, put):
    os.truncate(put(idx.encode_header((6_000, 28, 28), "uint8")), 1 << 42)
    assert look() == {TRAIN: ("wrong", "4,398,041,807,088 bytes follow the array of 6,000x28x28 uint8")}
    os.truncate(put(idx.encode_header((6_000, 28, 28), "uint8")), 300)
    assert look() == {TRAIN: ("wrong", "cut short at byte 300 of 4,704,016; the header says 6,000x28x28 uint8")}
