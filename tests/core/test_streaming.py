"""A large file is verified, decoded and published block by block: with the same result as in memory, and less of it."""

import collections
import contextlib
import errno
import gzip
import hashlib
import io
import itertools
import json
import lzma
import subprocess
import sys
import threading
import zipfile
import zlib
from dataclasses import replace
from functools import partial

import numpy as np
import pytest
from benchmarks import large
from hypothesis import given
from hypothesis import strategies as st
from support.made import copy_files, flipped
from support.processes import without

from idxhub import Plugins, Resource, idx, load
from idxhub.acquire import find, verify
from idxhub.acquire.decode import decode_blocks
from idxhub.acquire.find import find_file
from idxhub.acquire.local import SearchSettings
from idxhub.acquire.verify import verify_bytes, verify_stream
from idxhub.cache.layout import make_tagged_folder
from idxhub.cache.store import Cache
from idxhub.catalog.spec import ArraySpec
from idxhub.errors import CacheError, ChecksumError, DownloadError, IdxFormatError, IdxHubError
from idxhub.formats import compression

MIB = 1 << 20


@pytest.fixture
def streamed(monkeypatch):
    """Files of any size are verified block by block, and the blocks are small."""
    monkeypatch.setattr(find, "LARGEST_IN_MEMORY", -1)
    monkeypatch.setattr(verify, "_READ", 101)
    monkeypatch.setattr(compression, "_OUTPUT_BLOCK", 67)


@pytest.mark.skipif(sys.platform != "linux", reason="reads /proc/self/status")
def test_a_first_load_takes_far_less_memory_than_the_data(tmp_path):
    """611 MB of images and 6 MB of labels, which are 62 MB as int64; the process is a new one."""
    spec = large._made(tmp_path / "made", "made", 780_000)
    command = [sys.executable, large.__file__, "--child", "first", str(spec)]
    done = subprocess.run(command, capture_output=True, text=True, check=False)
    if done.returncode and "No space left" in done.stderr:
        without("2 GB of disk")
    assert done.returncode == 0, done.stderr
    assert json.loads(done.stdout)["peak_bytes"] < 96 * MIB


CHANGES = {
    "published": bytes,
    "recompressed": lambda data: gzip.compress(gzip.decompress(data), 1, mtime=7),
    "two members": lambda data: gzip.compress(gzip.decompress(data)[:3]) + gzip.compress(gzip.decompress(data)[3:]),
    "padded": lambda data: gzip.compress(gzip.decompress(data), 1) + bytes(500),
    "xz": lambda data: lzma.compress(gzip.decompress(data)),
    "decompressed": gzip.decompress,
    "empty": lambda data: b"",
    "one byte": lambda data: data[:1],
    "cut": lambda data: data[:-9],
    "cut in the header": lambda data: data[:15],
    "flipped": flipped,
    "a page": lambda data: b"<!DOCTYPE html><html></html>",
    "trailing junk": lambda data: data + b"junk",
    "recompressed, trailing junk": lambda data: gzip.compress(gzip.decompress(data)) + b"junk" * 100,
    "decompressed, trailing junk": lambda data: gzip.decompress(data) + b"junk",
    "decompressed and cut": lambda data: gzip.decompress(data)[:-1],
    "longer inside": lambda data: gzip.compress(gzip.decompress(data) + b"x"),
    "shorter inside": lambda data: gzip.compress(gzip.decompress(data)[:-1]),
    "only a header inside": lambda data: gzip.compress(gzip.decompress(data)[:16]),
    "other content": lambda data: gzip.compress(gzip.decompress(data)[:-1] + b"x"),
    "another shape": lambda data: gzip.compress(idx.encode(np.zeros((9, 2), np.uint8))),
    "another type": lambda data: gzip.compress(idx.encode(np.zeros((30, 6, 5), ">i2"))),
    "not IDX": lambda data: gzip.compress(b"PNG and so on"),
    "nothing inside": lambda data: gzip.compress(b""),
}
SPECS = {
    "all digests": {},
    "no digest of the content": {"payload_sha256": None},
    "only the MD5 of the content": {"payload_sha256": None, "payload_md5": "of the content"},
    "no size": {"size": None},
    "a wrong size": {"size": 5},
    "a wrong SHA-256": {"sha256": "0" * 64},
    "other digests": {"md5": "0" * 32, "payload_sha256": "0" * 64},
    "another shape": {"shape": (30, 5, 6)},
    "another type": {"dtype": "int8"},
    "a smaller shape": {"shape": (3, 6, 5)},
    "a larger shape": {"shape": (31, 6, 5)},
}


def outcome(verifies, resource):
    """What a receiver took if all went well, and what was found; or else the error's type and text."""
    taken = []

    def receive(blocks):
        parts = [part.copy() for part in decode_blocks(ArraySpec(resource, resource.dtype), blocks)]
        taken[:] = [np.concatenate(parts).tobytes()]

    try:
        found = verifies(receive)
    except IdxHubError as error:
        assert not taken
        return type(error), str(error)
    return taken, found.form, found.payload_sha256, found.sha256, found.source


@pytest.mark.parametrize("changed", SPECS)
@pytest.mark.parametrize("change", CHANGES)
def test_a_stream_ends_as_the_same_bytes_in_memory_do(toy, streamed, change, changed):
    published = toy.bytes(toy.train_images)
    options = dict(SPECS[changed])
    if "payload_md5" in options:
        options["payload_md5"] = hashlib.md5(gzip.decompress(published), usedforsecurity=False).hexdigest()
    resource, data = replace(toy.train_images, **options), CHANGES[change](published)

    def in_memory(receive):
        found = verify_bytes(resource, data, "here", [toy.spec])
        found.pass_to(receive)
        return found

    def as_stream(receive):
        return verify_stream(resource, partial(io.BytesIO, data), "here", receive, specs=[toy.spec])

    assert outcome(as_stream, resource) == outcome(in_memory, resource)


def test_a_receiver_that_does_not_take_the_last_block_gets_no_wrong_file(toy, streamed):
    open_file = partial(io.BytesIO, flipped(toy.bytes(toy.train_images)))
    with pytest.raises(ChecksumError):
        verify_stream(toy.train_images, open_file, "here", lambda blocks: next(iter(blocks)))


@pytest.mark.parametrize("change", ["flipped", "cut", "other content", "another shape", "trailing junk"])
def test_of_a_wrong_file_nothing_is_published(toy, streamed, tmp_path, cache_dir, change):
    wrong = copy_files(toy, tmp_path / "wrong", change=CHANGES[change])
    with pytest.raises(ChecksumError):
        load(toy.spec, "train", data_dir=wrong, plugins=Plugins([]), download=False)
    left = [path.name for path in Cache(cache_dir, toy.spec).folder.iterdir()]
    assert not [name for name in left if not name.endswith((".lock", "CACHEDIR.TAG"))]
    split = load(replace(toy.spec, folders=(str(toy.folder),)), "train", data_dir=wrong, plugins=Plugins([]))
    np.testing.assert_array_equal(split.images, toy.array(toy.train_images))


@pytest.mark.parametrize("change", ["published", "recompressed", "decompressed"])
def test_a_download_is_kept_if_it_is_the_published_file(toy, streamed, server, cache_dir, tmp_path, change):
    server.serve(copy_files(toy, tmp_path / "served", change=CHANGES[change]))
    spec = toy.mirrored(server.url)
    split = load(spec, "train", plugins=Plugins([]))
    np.testing.assert_array_equal(split.images, toy.array(toy.train_images))
    cache = Cache(cache_dir, spec)
    assert cache.file(toy.train_images).exists() is (change == "published")
    assert (cache.origin(cache.file(toy.train_images), toy.train_images) is not None) is (change == "published")
    assert {record.form for record in split.info.records} == {change}
    assert not list(cache.folder.glob(".*.tmp"))


def test_a_full_disk_is_no_wrong_file(toy, streamed, cache_dir, monkeypatch):
    def full(*_):
        raise OSError(errno.ENOSPC, "No space left on device")

    cache = Cache(cache_dir, toy.spec)
    make_tagged_folder(cache.folder)
    monkeypatch.setattr("idxhub.cache.atomic._write_all", full)
    images = toy.kept(toy.train_images)

    def receive(blocks):
        cache.write_array(images, decode_blocks(images, blocks))

    with pytest.raises(CacheError, match="No space left"):
        find_file(toy.spec, toy.train_images, cache, SearchSettings(toy.folder), receive=receive)


def test_a_stream_ends_when_it_is_asked_to_stop(toy, streamed, cache_dir):
    stop, taken = threading.Event(), []

    def receive(blocks):
        for block in blocks:
            taken.append(block)
            stop.set()

    with pytest.raises(DownloadError, match="stopped"):
        find_file(
            toy.spec,
            toy.train_images,
            Cache(cache_dir, toy.spec),
            SearchSettings(toy.folder),
            stop=stop,
            receive=receive,
        )
    assert len(taken) == 1


def test_a_file_that_cannot_be_read_to_its_end_is_passed_over(toy, streamed, cache_dir, tmp_path, monkeypatch):
    """The error of reading is the file's, though the cache is being written when it is raised."""
    bad = copy_files(toy, tmp_path / "bad")
    opened = find.LocalCopy.open

    class Broken(io.BytesIO):
        def read(self, count=-1):
            if self.tell() > 200:
                raise OSError(errno.EIO, "Input/output error")
            return super().read(count)

    def open_copy(copy, resource):
        return Broken(copy.path.read_bytes()) if copy.path.is_relative_to(bad) else opened(copy, resource)

    monkeypatch.setattr(find.LocalCopy, "open", open_copy)
    with pytest.raises(ChecksumError, match="Input/output error"):
        load(toy.spec, "train", data_dir=bad, plugins=Plugins([]), download=False)
    assert load(replace(toy.spec, folders=(str(toy.folder),)), "train", data_dir=bad, plugins=Plugins([]))


@pytest.mark.parametrize("method", [zipfile.ZIP_STORED, zipfile.ZIP_DEFLATED])
def test_a_member_is_read_block_by_block(toy, tmp_path, method):
    """zipfile notices a wrong CRC-32 at the member's end, after all of it was passed on."""
    path, data = tmp_path / "packed.zip", toy.bytes(toy.train_images)
    with zipfile.ZipFile(path, "w", method) as packed:
        packed.writestr("m", data)
    copy = find.LocalCopy(path, "m")
    with copy.open(toy.train_images) as file:
        assert b"".join(iter(lambda: file.read(50), b"")) == data
    checksum = zlib.crc32(data).to_bytes(4, "little")
    path.write_bytes(path.read_bytes().replace(checksum, b"1234"))
    with pytest.raises(OSError, match=r"not a sound \.zip"), copy.open(toy.train_images) as file:
        collections.deque(iter(lambda: file.read(50), b""), maxlen=0)


STEPS = st.sampled_from(
    [
        (dtype, shape, options)
        for dtype in ("uint8", "int8", "int16", "int32", "float32", "float64")
        for shape, options in [
            ((7,), {}),
            ((0,), {}),
            ((5, 3), {}),
            ((4, 3, 2), {}),
            ((4, 3, 2), {"transposed": True}),
            ((0, 3, 2), {"transposed": True}),
            ((5, 3), {"column": 1}),
            ((5, 3), {"column": 2, "offset": 1}),
            ((7,), {"offset": 2}),
        ]
    ]
)


def pieces(data, cuts):
    ends = [*sorted(cut % (len(data) + 1) for cut in cuts), len(data)]
    return [data[begin:end] for begin, end in itertools.pairwise([0, *ends])]


def expected(array, options):
    if "column" in options:
        array = array[:, options["column"]]
    if "offset" in options:
        array = array.astype(np.int64) - options["offset"]
    return array.swapaxes(1, 2) if "transposed" in options else array


@given(STEPS, st.lists(st.integers(0, 1000), max_size=8), st.integers(0, 99), st.integers(1, 64))
def test_blocks_of_any_size_decode_as_the_whole(steps, cuts, seed, part):
    dtype, shape, options = steps
    array = np.random.default_rng(seed).integers(0, 100, shape).astype(dtype)
    whole = expected(array, options)
    resource = Resource("x", "0" * 32, shape, dtype)
    with pytest.MonkeyPatch.context() as patched:
        patched.setattr("idxhub.acquire.decode._PART", part)
        parts = list(decode_blocks(ArraySpec(resource, whole.dtype.name, **options), pieces(idx.encode(array), cuts)))
    joined = np.concatenate([np.empty(0, whole.dtype), *parts])
    assert joined.dtype == whole.dtype
    np.testing.assert_array_equal(joined, whole.reshape(-1))


@given(STEPS, st.lists(st.integers(0, 1000), max_size=8), st.data())
def test_a_wrong_size_or_header_is_the_error_of_the_whole(steps, cuts, data):
    dtype, shape, options = steps
    content = idx.encode(np.zeros(shape, dtype))
    damaged = data.draw(
        st.one_of(
            st.integers(0, max(0, len(content) - 1)).map(lambda length: content[:length]),
            st.binary(min_size=1, max_size=20).map(lambda more: content + more),
            st.integers(0, 3).map(lambda at: content[:at] + b"\x77" + content[at + 1 :]),
        )
    )
    with contextlib.suppress(IdxFormatError):
        idx.decode(damaged)
        return  # the change did no harm
    with pytest.raises(IdxFormatError) as whole:
        idx.decode(damaged)
    array_spec = ArraySpec(Resource("x", "0" * 32, shape, dtype), dtype, **options)
    with pytest.raises(IdxFormatError) as caught:
        list(decode_blocks(array_spec, pieces(damaged, cuts)))
    assert str(caught.value) == str(whole.value)
