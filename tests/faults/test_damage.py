"""Cached files that are no longer what was written, and files that change between check and use."""

import contextlib
import json
import os

import numpy as np
import pytest

from idxhub import Plugins, load
from idxhub.acquire import find
from idxhub.cache import store as cache
from idxhub.cache.store import Cache
from idxhub.errors import ChecksumError, DownloadError


def flipped(at):
    """The bytes with one bit of the byte at this place, a share of the whole, the other way round."""

    def change(data):
        where = min(int(len(data) * at), len(data) - 1)
        return data[:where] + bytes([data[where] ^ 1]) + data[where + 1 :]

    return change


def npy(header, data, version=(1, 0)):
    text = header.encode("latin1").ljust(117) + b"\n"
    return b"\x93NUMPY" + bytes(version) + len(text).to_bytes(2, "little") + text + data


def of_array(header, version=(1, 0)):
    """The array's file with another header before the same 30 labels."""
    return lambda data: npy(header, data[-SIZE:], version)


LABELS = np.dtype(np.int64).str
SIZE = 30 * 8  # bytes of the labels' array
WELL = f"{{'descr': '{LABELS}', 'fortran_order': False, 'shape': (30,), }}"
ANY_FILE = {
    "emptied": lambda data: b"",
    "one byte": lambda data: data[:1],
    "cut at the start": lambda data: data[:5],
    "cut in the middle": lambda data: data[: len(data) // 2],
    "cut at the end": lambda data: data[:-1],
    "first bit": flipped(0),
    "a bit in the middle": flipped(0.5),
    "last bit": flipped(1),
    "longer": lambda data: data + b"x",
    "zeros": lambda data: bytes(len(data)),
    "random": lambda data: np.random.default_rng(0).bytes(len(data)),
    "a page": lambda data: b"<html>",
}
AN_ARRAY = {
    "another array": lambda data: data[:-SIZE] + bytes(SIZE),
    "another shape": of_array(WELL.replace("(30,)", "(5, 6)")),
    "another dtype": of_array(WELL.replace("i8", "f8")),
    "Fortran order": of_array(WELL.replace("False", "True")),
    "objects": of_array(WELL.replace(LABELS, "|O")),
    "elements of no bytes": of_array(WELL.replace(LABELS, "|V0")),
    "strings of no bytes": of_array(WELL.replace(LABELS, "<U0")),
    "a huge shape": of_array(WELL.replace("(30,)", f"({2**70},)")),
    "a negative shape": of_array(WELL.replace("(30,)", "(-30,)")),
    "a shape of Python 2": of_array(WELL.replace("(30,)", "(30L,)")),
    "a header that never ends": of_array(WELL.replace("}", "")),
    "a string that never ends": of_array('{"""'),
    "bad indentation": of_array("  1\n 2"),
    "deeply nested": of_array("(" * 110),
    "null bytes": of_array("\0" * 100),
    "version 2": of_array(WELL, (2, 0)),
    "version 9": of_array(WELL, (9, 9)),
}


def fields(**changes):
    return lambda data: json.dumps(json.loads(data) | changes).encode()


A_RECORD = {
    "a list": lambda data: b"[]",
    "null": lambda data: b"null",
    "a number": lambda data: b"3",
    "not text": lambda data: b"\xff\xfe",
    "empty": lambda data: b"{}",
    "another version's": fields(format=99),
    "no checksums": fields(xxh3=[]),
    "null for checksums": fields(xxh3=None),
    "a number for checksums": fields(xxh3=7),
    "text for a checksum": fields(xxh3=["x"]),
    "another file's MD5": fields(md5="0" * 32),
    "another payload's digest": fields(payload_sha256="0" * 64),
    "a field too many": fields(surprise=1),
    "a number of 5,000 digits": lambda data: b'{"xxh3": [' + b"9" * 5000 + b"]}",
    "nested 100,000 deep": lambda data: b"[" * 100_000,
}
CASES = [
    *(("npy", name, change) for name, change in (ANY_FILE | AN_ARRAY).items()),
    *(("json", name, change) for name, change in A_RECORD.items()),
    *(("json", name, change) for name, change in ANY_FILE.items() if name not in ("longer", "last bit")),
    *(("gz", name, change) for name, change in ANY_FILE.items()),
]


@pytest.fixture
def fill(toy, server, cache_dir):
    """Load the train split from a mirror; keywords as for `load`."""
    server.serve(toy.folder)
    options = {"cache_dir": cache_dir, "plugins": Plugins([])}
    return lambda **more: load(toy.mirrored(server.url), "train", **options | more)


@pytest.mark.row(36)
@pytest.mark.parametrize(("ending", "name", "change"), CASES, ids=[f"{ending}, {name}" for ending, name, _ in CASES])
def test_a_damaged_file_is_noticed_and_made_again(toy, fill, cache_dir, invariant, ending, name, change):
    """One of the labels'. Without reading every byte an array's header and size are checked all the same; a kept file's
    damage shows when the array is gone too.
    """
    fill()
    here = Cache(cache_dir, toy.spec)
    path = here.folder / f"{toy.train_labels.stem}.{ending}"
    path.write_bytes(change(path.read_bytes()))
    if ending == "gz":
        here.array_file(toy.train_labels).unlink()
    else:
        assert here.open(toy.kept(toy.train_labels)) is None
        if ending == "npy":
            unread = here.open(toy.kept(toy.train_labels), verify=False)
            assert (unread is None) is (
                name not in ("another array", "a bit in the middle", "last bit")
            )  # what verify=False gives up
        assert load(toy.spec, "train", cache_dir=cache_dir, plugins=Plugins([]), download=False)  # from the kept file
        path.write_bytes(change(path.read_bytes()))
    invariant(spoiled={path: path.read_bytes()}, healthy=lambda: [fill()])
    assert ending != "gz" or path.read_bytes() == toy.bytes(toy.train_labels)


@pytest.mark.row(36)
@pytest.mark.parametrize("ending", ["npy", "json"])
@pytest.mark.parametrize("kept", [None, "emptied", "cut at the end", "a bit in the middle", "a page"])
def test_offline_it_is_an_error(toy, fill, cache_dir, server, invariant, monkeypatch, ending, kept):
    """Unless the file as published was kept, and is sound."""
    fill()
    here = Cache(cache_dir, toy.spec)
    array, file = here.folder / f"{toy.train_labels.stem}.{ending}", here.file(toy.train_labels)
    spoiled = {array: array.read_bytes()[:-1]}
    if kept is None:
        file.unlink()
    else:
        spoiled[file] = ANY_FILE[kept](file.read_bytes())
    for path, data in spoiled.items():
        path.write_bytes(data)
    monkeypatch.setenv("IDXHUB_OFFLINE", "1")
    with pytest.raises(DownloadError if kept is None else ChecksumError) as caught:
        fill()
    found = "was not found" if kept is None else {"emptied": "is empty", "a page": "HTML page"}.get(kept, "MD5 ")
    expected = toy.train_labels.md5 if kept in ("cut at the end", "a bit in the middle", "a page") else ""
    places = [server.url, "IDXHUB_OFFLINE is set", *([] if kept is None else [str(file)])]
    invariant(
        caught.value,
        file=toy.train_labels.filename,
        places=places,
        found=found,
        expected=expected,
        spoiled=spoiled,
    )


@pytest.mark.row(36)
@pytest.mark.parametrize("ending", ["npy", "json"])
def test_no_byte_can_change_unnoticed(toy, fill, cache_dir, invariant, ending):
    """Every bit of the array's file, every byte of its record."""
    fill()
    here = Cache(cache_dir, toy.spec)
    path = here.folder / f"{toy.train_labels.stem}.{ending}"
    whole = path.read_bytes()
    for bit in range(0, len(whole) * 8, 1 if ending == "npy" else 7):
        damaged = bytearray(whole)
        damaged[bit // 8] ^= 1 << bit % 8
        path.write_bytes(damaged)
        stored = here.open(toy.kept(toy.train_labels))
        if stored is not None:
            assert ending == "json"  # the time in it, or the place
            np.testing.assert_array_equal(stored.array, toy.array(toy.train_labels))
    invariant(spoiled={path: bytes(damaged)})


@pytest.mark.row(36)
@pytest.mark.parametrize("gone", ["array", "record", "both", "folder", "all but locks"])
def test_a_missing_file_is_made_again(toy, fill, cache_dir, invariant, gone):
    fill()
    here = Cache(cache_dir, toy.spec)
    for path in list(here.folder.iterdir()):
        if {
            "array": path.suffix == ".npy",
            "record": path.suffix == ".json",
            "both": path.suffix in (".npy", ".json"),
            "folder": True,
            "all but locks": path.suffix != ".lock",
        }[gone]:
            path.unlink()
    if gone == "folder":
        here.folder.rmdir()
    invariant()


@pytest.mark.row(37)
@pytest.mark.parametrize("swap", [b"", b"<html>", "another array"])
def test_an_array_swapped_after_it_was_checked(toy, fill, cache_dir, invariant, monkeypatch, swap):
    """The file that was opened is the one that is checked and the one that is mapped."""
    fill()
    here = Cache(cache_dir, toy.spec)
    path, other = here.array_file(toy.train_labels), cache_dir / "other"
    check = cache.compute_file_checksums
    swapped = path.read_bytes()[:-SIZE] + bytes(SIZE) if swap == "another array" else swap

    def then_swap(file, size):
        sums = check(file, size)
        other.write_bytes(swapped)
        os.replace(other, path)
        return sums

    with monkeypatch.context() as patched:
        patched.setattr(cache, "compute_file_checksums", then_swap)
        stored = here.open(toy.kept(toy.train_labels))
    np.testing.assert_array_equal(stored.array, toy.array(toy.train_labels))
    assert here.open(toy.kept(toy.train_labels)) is None
    invariant(spoiled={path: swapped})


@pytest.mark.row(37)
@pytest.mark.parametrize("moment", ["before it is verified", "after"])
def test_a_file_swapped_after_it_was_read(toy, cache_dir, invariant, monkeypatch, moment):
    """There is no second read: what was hashed is what is decoded."""
    path, whole, verify = toy.path(toy.train_labels), toy.bytes(toy.train_labels), find.verify_bytes

    def swapped(resource, data, source, specs=()):
        try:
            if moment == "before it is verified":
                toy.path(resource).write_bytes(b"swapped")
            verified = verify(resource, data, source, specs)
            toy.path(resource).write_bytes(b"swapped")
            return verified
        finally:
            published[resource.filename] = data

    published = {}
    with monkeypatch.context() as patched:
        patched.setattr(find, "LARGEST_IN_MEMORY", 1 << 20)
        patched.setattr(find, "verify_bytes", swapped)
        split = load(toy.spec, "train", data_dir=toy.folder, cache_dir=cache_dir, plugins=Plugins([]))
    np.testing.assert_array_equal(split.labels, toy.array(toy.train_labels))
    assert path.read_bytes() == b"swapped"
    for name, data in published.items():
        (toy.folder / name).write_bytes(data)
    assert path.read_bytes() == whole
    invariant()


@pytest.mark.row(37)
@pytest.mark.parametrize("change", ["another file in its place", "another content"])
def test_a_file_swapped_while_a_stream_is_read(toy, cache_dir, invariant, monkeypatch, change):
    """A large file is not held in memory: the open file is read once, and what is published is what was hashed."""
    path, whole, other = toy.path(toy.train_labels), toy.bytes(toy.train_labels), cache_dir.parent / "other"
    opened = find.LocalCopy.open

    def open_and_swap(copy, resource):
        file = opened(copy, resource)
        if copy.path == path and change == "another content":
            path.write_bytes(bytes(len(whole)))
        elif copy.path == path:
            other.write_bytes(b"swapped")
            os.replace(other, path)
        return file

    with monkeypatch.context() as patched:
        patched.setattr(find, "LARGEST_IN_MEMORY", -1)
        patched.setattr(find.LocalCopy, "open", open_and_swap)
        right = change == "another file in its place"
        with contextlib.nullcontext() if right else pytest.raises(ChecksumError, match="unknown IDX element type 0x00"):
            split = load(
                toy.spec, "train", data_dir=toy.folder, cache_dir=cache_dir, plugins=Plugins([]), download=False
            )
            np.testing.assert_array_equal(split.labels, toy.array(toy.train_labels))
    assert path.read_bytes() != whole
    path.write_bytes(whole)
    invariant()
