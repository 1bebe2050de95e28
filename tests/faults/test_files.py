"""Files that are not sound: gzip, IDX, and pairs that do not belong together."""

import gzip
import hashlib
import lzma
import tracemalloc
from dataclasses import replace
from itertools import pairwise

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra import numpy as arrays
from support import made

from idxhub import DatasetSpec, Plugins, Resource, SplitSpec, idx, load
from idxhub.acquire.verify import verify_bytes
from idxhub.cache.store import Cache
from idxhub.errors import ChecksumError, IdxFormatError, IdxHubError, SpecError
from idxhub.formats.compression import inflate

BOUNDED = 12 << 20  # bytes; two files at a time, and nothing of the size of what they claim or inflate to


def trailer(at):
    """The .gz with one bit of its last eight bytes, CRC-32 and length, the other way round."""
    return lambda data: data[:at] + bytes([data[at] ^ 1]) + (data[at + 1 :] if at < -1 else b"")


def members(count, level=9):
    """The content as a .gz of several members."""

    def change(data):
        content = gzip.decompress(data)
        step = -(-len(content) // count)
        return b"".join(gzip.compress(content[i : i + step], level) for i in range(0, len(content), step))

    return change


WELL = {
    "two members": members(2),
    "fifty members": members(50),
    "stored": members(1, 0),
    "zeros behind it": lambda data: data + bytes(512),
    "xz": lambda data: lzma.compress(gzip.decompress(data)),
    "decompressed": gzip.decompress,
}
REFUSED = {
    "junk behind it": (lambda data: data + b"junk", "4 other bytes follow"),
    "a page behind it": (lambda data: data + b"<html>", "other bytes follow"),
    "wrong CRC": (trailer(-8), "incorrect data check"),
    "wrong length": (trailer(-4), "incorrect length check"),
    "length of 4 GiB more": (trailer(-1), "incorrect length check"),
    "cut": (lambda data: data[:-1], "cut short"),
    "cut in the second member": (lambda data: members(2)(data)[:-9], "cut short"),
    "twice": (lambda data: data + data, "more than the"),
    "a second member of something else": (lambda data: data + gzip.compress(b"x"), "more than the"),
    "a bomb": (lambda data: gzip.compress(bytes(32 << 20)), "unknown IDX element type 0x00"),
    "a bomb behind the right header": (
        lambda data: gzip.compress(gzip.decompress(data)[:16] + bytes(32 << 20)),
        "more than the",
    ),
    "a bomb as xz": (
        lambda data: lzma.compress(gzip.decompress(data)[:16] + bytes(64 << 20), preset=1),
        "more than the",
    ),
}


def changed(toy, folder, change):
    """A folder with every file of the dataset changed."""
    folder.mkdir()
    for resource in toy.spec.resources:
        (folder / resource.filename).write_bytes(change(toy.bytes(resource)))
    return folder


@pytest.mark.row(41)
@pytest.mark.parametrize("how", WELL)
def test_unusual_gzip_with_right_content(toy, cache_dir, tmp_path, invariant, how):
    folder = changed(toy, tmp_path / "changed", WELL[how])
    options = {"data_dir": folder, "cache_dir": cache_dir, "download": False, "plugins": Plugins([])}
    invariant(healthy=lambda: [load(toy.spec, name, **options) for name in toy.spec.splits])


@pytest.mark.row(41)
@pytest.mark.parametrize("where", ["folder", "mirror"])
@pytest.mark.parametrize("how", REFUSED)
def test_gzip_that_is_refused(toy, cache_dir, server, tmp_path, invariant, where, how):
    change, says = REFUSED[how]
    folder = changed(toy, tmp_path / "changed", change)
    server.serve(folder)
    place = {"data_dir": folder, "download": False} if where == "folder" else {}
    spec = toy.mirrored() if where == "folder" else toy.mirrored(server.url)
    says = says if where == "folder" else f"{says}|more than the .* bytes expected"  # no more of it is read
    load(toy.spec, "test", data_dir=toy.folder, cache_dir=cache_dir, plugins=Plugins([]))  # what is imported is no peak
    tracemalloc.start()
    try:
        with pytest.raises(IdxHubError, match=says) as caught:
            load(spec, "train", cache_dir=cache_dir, plugins=Plugins([]), **place)
        peak = tracemalloc.get_traced_memory()[1]
    finally:
        tracemalloc.stop()
    assert peak < BOUNDED
    invariant(caught.value, places=[folder if where == "folder" else server.url])


def by_hand(code, shape, elements=b""):
    return bytes([0, 0, code, len(shape)]) + b"".join(n.to_bytes(4, "big") for n in shape) + elements


UNSOUND = {
    "empty": (b"", "0 of 4 bytes"),
    "no magic": (b"\x01\0\x08\x01" + bytes(8), "bytes 0-1 are 01 00"),
    "unknown type": (b"\0\0\x0a\x01" + bytes(8), "element type 0x0a at byte 2"),
    "0 dimensions": (by_hand(8, ()), "0 dimensions at byte 3"),
    "65 dimensions": (by_hand(8, (1,) * 65, b"x"), "65 dimensions at byte 3"),
    "255 dimensions": (by_hand(8, (1,) * 255, b"x"), "255 dimensions at byte 3"),
    "header cut": (b"\0\0\x08\x03" + bytes(8), "the data ends at byte 12"),
    "2^128 bytes claimed": (by_hand(8, (2**32 - 1,) * 4, bytes(64)), "too short"),
    "2^1024 bytes claimed": (by_hand(14, (2**32 - 1,) * 32, bytes(64)), "too short"),
    "too short": (by_hand(8, (30,), bytes(29)), "too short"),
    "too long": (by_hand(8, (30,), bytes(31)), "too long|more than|holds 39 bytes"),
}


@pytest.mark.row(42)
@pytest.mark.parametrize("ending", ["", ".gz"])
@pytest.mark.parametrize("what", UNSOUND)
def test_an_unsound_file_is_refused_before_allocating(toy, tmp_path, invariant, what, ending):
    """Three ways in: the codec, describing one's own file, and a spec whose digests are those of the unsound file."""
    content, says = UNSOUND[what]
    path = tmp_path / "mine" / f"labels-idx1-ubyte{ending}"
    path.parent.mkdir()
    path.write_bytes(gzip.compress(content) if ending else content)
    data = path.read_bytes()
    described = Resource(
        path.name,
        md5=hashlib.md5(data).hexdigest(),  # noqa: S324 -- what files are published with
        shape=(30,),
        size=len(data),
        sha256=hashlib.sha256(data).hexdigest(),
        payload_sha256=hashlib.sha256(content).hexdigest(),
    )
    spec = DatasetSpec("unsound", {"train": SplitSpec(toy.train_images, described)})
    (path.parent / toy.train_images.filename).write_bytes(toy.bytes(toy.train_images))
    cache = tmp_path / "cache"

    def through_the_api():
        load(spec, data_dir=path.parent, cache_dir=cache, download=False, plugins=Plugins([]))

    ways = {
        "codec": lambda: idx.decode(content),
        "description": lambda: Resource.from_file(path),
        "api": through_the_api,
    }
    for name, way in ways.items():
        tracemalloc.start()
        try:
            with pytest.raises(IdxFormatError, match=says if name != "api" else "the digest is right, but") as caught:
                way()
            peak = tracemalloc.get_traced_memory()[1]
        finally:
            tracemalloc.stop()
        assert peak < (200_000 if name == "codec" else BOUNDED)
    here = Cache(cache, spec)
    assert not here.array_file(described).exists()
    assert not here.record_file(described).exists()
    invariant(caught.value, file=str(path), found="the digest is right, but")


def cuts_and_flips(data):
    """Every cut of the data, then every flip of a single bit."""
    for length in range(len(data)):
        yield data[:length]
    for bit in range(len(data) * 8):
        yield data[: bit // 8] + bytes([data[bit // 8] ^ 1 << bit % 8]) + data[bit // 8 + 1 :]


@pytest.mark.row(42)
@pytest.mark.parametrize("ending", ["", ".gz"])
def test_every_truncation_and_every_bit_flip_of_a_file(tmp_path, invariant, ending):
    """A typed error or the identical array: through the digests, and by the codec alone nothing but its own error."""
    toy = made.make(tmp_path / "small", sizes={"train": 12}, shape=(3, 2), suffix=ending)
    resource, array = toy.train_images, toy.array(toy.train_images)
    accepted = refused = 0
    for damaged in cuts_and_flips(toy.bytes(resource)):
        try:
            found = verify_bytes(resource, damaged, "here")
        except (ChecksumError, IdxFormatError):
            refused += 1
        else:
            np.testing.assert_array_equal(idx.decode(found.payload), array, strict=True)
            accepted += 1
        try:
            decoded = idx.decode(inflate(damaged, resource.payload_size))
        except IdxFormatError:
            continue
        # a legal file all the same: another pixel, or the one-byte type with a sign
        assert decoded.shape == array.shape
        assert decoded.dtype in (np.uint8, np.int8)
    assert refused + accepted == 9 * len(toy.bytes(resource))
    assert accepted <= (0 if not ending else 8 * 10)  # a .gz: the bits of its header that say nothing of its content
    invariant(of=toy)


@pytest.mark.row(42)
@pytest.mark.parametrize("ending", ["", ".gz"])
def test_every_truncation_and_some_bit_flips_through_load(toy, cache_dir, tmp_path, invariant, ending):
    """From a folder with the damaged file to an error that names it; nothing of it reaches the cache."""
    toy = made.make(tmp_path / "small", sizes={"train": 5}, shape=(2, 2), suffix=ending)
    path, whole = toy.path(toy.train_labels), toy.bytes(toy.train_labels)
    options = {"data_dir": toy.folder, "cache_dir": cache_dir, "download": False, "plugins": Plugins([])}
    raised, unnamed = None, 0
    for number, damaged in enumerate(cuts_and_flips(whole)):
        if number > len(whole) and number % 5:
            continue
        path.write_bytes(damaged)
        try:
            split = load(toy.spec, **options)
        except ChecksumError as error:
            raised = error
            unnamed += str(path) not in str(error)
        else:
            np.testing.assert_array_equal(split.labels, toy.array(toy.train_labels))
            Cache(cache_dir, toy.spec).array_file(toy.train_labels).unlink()
    path.write_bytes(whole)
    assert unnamed == 0
    invariant(raised, of=toy, places=[path])


@given(
    array=arrays.arrays(
        st.sampled_from([np.dtype(name) for name in ("u1", "i1", "i2", "i4", "f4", "f8")]),
        arrays.array_shapes(min_dims=1, max_dims=5, min_side=0, max_side=4),
    ),
    cuts=st.lists(st.integers(0, 200), max_size=4),
    levels=st.lists(st.integers(0, 9), min_size=5, max_size=5),
    padding=st.integers(0, 20),
    header=st.sampled_from(["", "name", "comment"]),
)
def test_any_array_in_any_gzip_layout(array, cuts, levels, padding, header):
    """Whatever the element type, the shape, the members and their levels: what went in comes out."""
    content = idx.encode(array)
    borders = sorted({0, len(content), *(min(cut, len(content)) for cut in cuts)})
    parts = [content[start:stop] for start, stop in pairwise(borders)]
    packed = b"".join(gzip.compress(part, level, mtime=0) for part, level in zip(parts, levels, strict=False))
    if header:
        flag = {"name": 0x08, "comment": 0x10}[header]
        packed = packed[:3] + bytes([flag]) + packed[4:10] + b"text\0" + packed[10:]
    decoded = idx.decode(inflate(packed + bytes(padding), len(content)))
    assert decoded.dtype == array.dtype
    assert decoded.shape == array.shape
    assert decoded.tobytes() == array.tobytes()  # NaNs included


@pytest.mark.row(43)
def test_counts_that_differ(toy, invariant):
    with pytest.raises(SpecError) as caught:
        SplitSpec(toy.train_images, toy.spec.splits["test"].labels)
    names = [toy.train_images.filename, toy.spec.splits["test"].labels.filename]
    invariant(caught.value, places=names, expected="has 30 examples", found="has 12")


@pytest.mark.row(43)
@pytest.mark.parametrize(("values", "says"), [([0, 1, 3], "labels from 0 to 3"), ([-1, 0, 1], "labels from -1 to 1")])
def test_a_label_outside_the_classes(toy, tmp_path, invariant, values, says):
    """The first time, and again from the cache."""
    folder = tmp_path / "mine"
    split = SplitSpec(
        made.write(folder, "images-idx3", np.zeros((3, 2, 2), np.uint8)),
        made.write(folder, "labels-idx1", np.array(values, np.int32)),
    )
    spec = DatasetSpec("wrong", {"train": split}, classes=made.CLASSES)
    options = {"data_dir": folder, "cache_dir": tmp_path / "cache", "plugins": Plugins([])}
    for _ in range(2):
        with pytest.raises(IdxFormatError) as caught:
            load(spec, **options)
    np.testing.assert_array_equal(load(replace(spec, classes=()), **options).labels, values)
    invariant(caught.value, file="labels-idx1", expected="classes from 0 to 2", found=says)
