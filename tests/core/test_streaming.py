"""A large file is verified, decoded and published block by block: with the same result as in memory, and less of it."""

import collections
import contextlib
import errno
import gzip
import hashlib
import io
import json
import lzma
import re
import subprocess
import sys
import threading
import time
import zipfile
import zlib
from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace
from functools import partial

import filelock
import numpy as np
import pytest
from benchmarks import large
from support.made import copy_files, flipped, packed
from support.processes import without

from idxhub import Plugins, Resource, idx, load
from idxhub.acquire import build, find, verify
from idxhub.acquire.decode import decode_blocks
from idxhub.acquire.find import find_file
from idxhub.acquire.local import SearchSettings, copy_size_limit
from idxhub.acquire.verify import verify_bytes, verify_stream
from idxhub.cache.layout import make_tagged_folder
from idxhub.cache.store import Cache
from idxhub.catalog.spec import ArraySpec
from idxhub.errors import CacheError, ChecksumError, DownloadError, IdxHubError
from idxhub.formats import compression

MIB = 1 << 20


@pytest.fixture
def streamed(monkeypatch):
    """Files of any size are verified block by block, and the blocks are small."""
    monkeypatch.setattr(find, "LARGEST_IN_MEMORY", -1)
    monkeypatch.setattr(verify, "_READ", 101)
    monkeypatch.setattr(compression, "_OUTPUT_BLOCK", 67)


def drain(blocks):
    collections.deque(blocks, maxlen=0)


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
    "an empty member more": lambda data: data + gzip.compress(b""),
    "a member more": lambda data: data + gzip.compress(b"x"),
    "the same member twice": lambda data: data * 2,
    "half a member more": lambda data: data + data[:100],
    "two members, trailing junk": lambda data: CHANGES["two members"](data) + b"junk",
    "xz": lambda data: lzma.compress(gzip.decompress(data)),
    "xz, trailing junk": lambda data: lzma.compress(gzip.decompress(data)) + b"junk",
    "another CRC": lambda data: data[:-8] + bytes(4) + data[-4:],
    "another CRC, trailing junk": lambda data: data[:-8] + bytes(4) + data[-4:] + b"junk",
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
    "a wrong digest of the content": {"payload_sha256": "0" * 64},
    "the digest of this very file": {"md5": "of the file", "sha256": None, "size": None},
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
        # inflating notices damage at the end of the block that was read, and the blocks are small here
        return type(error), re.sub(r"before byte [\d,]+", "before byte N", str(error))
    return taken, found.form, found.payload_sha256, found.sha256, found.source


@pytest.mark.parametrize("changed", SPECS)
@pytest.mark.parametrize("change", CHANGES)
def test_a_stream_ends_as_the_same_bytes_in_memory_do(toy, streamed, change, changed):
    published = toy.bytes(toy.train_images)
    options = dict(SPECS[changed])
    if "payload_md5" in options:
        options["payload_md5"] = hashlib.md5(gzip.decompress(published), usedforsecurity=False).hexdigest()
    data = CHANGES[change](published)
    if options.get("md5") == "of the file":
        options["md5"] = hashlib.md5(data, usedforsecurity=False).hexdigest()
    resource = replace(toy.train_images, **options)

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


@pytest.mark.parametrize("largest", [-1, find.LARGEST_IN_MEMORY], ids=["as a stream", "in memory"])
@pytest.mark.parametrize("change", ["published", "trailing junk", "a member more"])
def test_a_file_with_the_published_md5_is_loaded(toy, tmp_path, monkeypatch, change, largest):
    """Though the digest of the content is wrong in the spec, and though bytes follow the content."""
    monkeypatch.setattr(find, "LARGEST_IN_MEMORY", largest)
    folder = copy_files(toy, tmp_path / "files", change=CHANGES[change])
    train = toy.spec.splits["train"]
    images, labels = (
        replace(
            resource,
            md5=hashlib.md5((folder / resource.filename).read_bytes(), usedforsecurity=False).hexdigest(),
            sha256=None,
            size=None,
            payload_sha256="0" * 64,
        )
        for resource in (train.images, train.labels)
    )
    spec = replace(toy.spec, splits={"train": replace(train, images=images, labels=labels)})
    split = load(spec, "train", data_dir=folder, plugins=Plugins([]), download=False)
    np.testing.assert_array_equal(split.images, toy.array(toy.train_images))
    assert {(record.form, record.payload_sha256) for record in split.info.records} == {("published", "0" * 64)}


def test_blocks_are_hashed_in_order_while_python_shuts_down(toy, streamed, monkeypatch):
    """The pool accepts no more work, and its thread has not yet done what it has accepted."""
    submit, update, accepted = ThreadPoolExecutor.submit, verify._update, []

    def submit_four(pool, *arguments):
        if len(accepted) == 4:
            raise RuntimeError("cannot schedule new futures after interpreter shutdown")
        accepted.append(arguments)
        return submit(pool, *arguments)

    def update_slowly(*arguments):
        if threading.current_thread() is not caller:
            time.sleep(0.1)
        update(*arguments)

    caller = threading.current_thread()
    monkeypatch.setattr(ThreadPoolExecutor, "submit", submit_four)
    monkeypatch.setattr(verify, "_update", update_slowly)
    open_file = partial(open, toy.path(toy.train_images), "rb")
    found = verify_stream(toy.train_images, open_file, "here", drain)
    assert len(accepted) == 4
    assert found.form == "published"


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


@pytest.mark.parametrize("change", ["flipped", "decompressed and cut"])
@pytest.mark.parametrize("number", [2, 3])
def test_saying_what_a_wrong_file_is_can_be_stopped_too(toy, streamed, change, number):
    """It is opened again for that, and read."""
    opened, data = [], CHANGES[change](toy.bytes(toy.train_images))

    def open_file():
        opened.append(io.BytesIO(data))
        return opened[-1]

    def heartbeat():
        if len(opened) == number:
            raise DownloadError("stopped")

    with pytest.raises(DownloadError, match="stopped"):
        verify_stream(toy.train_images, open_file, "here", drain, specs=[toy.spec], heartbeat=heartbeat)
    assert len(opened) == number


def test_labels_that_fail_stop_the_images(toy, streamed, tmp_path, monkeypatch):
    """The images, the first of the arrays, would take a minute."""
    (copy_files(toy, tmp_path / "wrong") / toy.train_labels.filename).write_bytes(b"wrong")
    opened, reads = find.LocalCopy.open, []

    class Slow(io.BytesIO):
        def read(self, count=-1):
            reads.append(count)
            time.sleep(0.06)
            return super().read(1)

    def open_copy(copy, resource):
        return Slow(copy.path.read_bytes()) if resource == toy.train_images else opened(copy, resource)

    monkeypatch.setattr(find.LocalCopy, "open", open_copy)
    with pytest.raises(ChecksumError, match=toy.train_labels.filename):
        load(toy.spec, "train", data_dir=tmp_path / "wrong", plugins=Plugins([]), download=False)
    assert len(reads) < len(toy.bytes(toy.train_images)) / 2


def test_of_two_wrong_files_the_first_is_named(toy, tmp_path, monkeypatch):
    """The images, though the labels have failed before them."""
    found, failed = build.find_file, threading.Event()

    def find_labels_first(spec, resource, *arguments, **options):
        if resource == toy.train_images:
            assert failed.wait(10)
            time.sleep(0.1)
        try:
            return found(spec, resource, *arguments, **options)
        finally:
            failed.set()

    monkeypatch.setattr(build, "find_file", find_labels_first)
    wrong = copy_files(toy, tmp_path / "wrong", change=flipped)
    with pytest.raises(ChecksumError, match=rf"^{toy.train_images.filename} of toy"):
        load(toy.spec, "train", data_dir=wrong, plugins=Plugins([]), download=False)


def test_a_file_that_is_still_written_is_not_called_another_one(toy, streamed):
    """It is complete when it is read again."""
    whole = toy.bytes(toy.train_images)
    files = iter([whole[:200], whole, whole, whole])
    with pytest.raises(ChecksumError, match="changed while it was read; MD5 ") as caught:
        verify_stream(toy.train_images, lambda: io.BytesIO(next(files)), "here", drain, specs=[toy.spec])
    assert hashlib.md5(whole[:200], usedforsecurity=False).hexdigest() in str(caught.value)


@pytest.mark.parametrize("change", ["published", "decompressed"])
def test_a_file_that_grows_while_it_is_read_is_not_read_for_ever(toy, streamed, change):
    limit, start = copy_size_limit(toy.train_images), CHANGES[change](toy.bytes(toy.train_images))

    class Growing:
        def __init__(self):
            self.size = 0

        def read(self, count):
            block = start[self.size : self.size + count] or bytes(count if self.size < 10 * limit else 0)
            self.size += len(block)
            return block

    growing = Growing()
    with pytest.raises(OSError, match=f"it is larger than {limit:,} bytes"):
        verify_stream(toy.train_images, lambda: contextlib.nullcontext(growing), "here", drain)
    assert growing.size <= limit + 101


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


@pytest.mark.parametrize("method", [zipfile.ZIP_STORED, zipfile.ZIP_DEFLATED])
def test_a_large_member_is_read_in_blocks_of_the_usual_size(tmp_path, method):
    """`zip_member` limits how much zipfile reads at once; the blocks that `verify_stream` asks for are not larger."""
    array = np.random.default_rng(0).integers(0, 256, 5 << 20, np.uint8)  # not compressible
    content, path, taken = idx.encode(array), tmp_path / "packed.zip", []
    with zipfile.ZipFile(path, "w", method) as file:
        file.writestr("m", content)
    resource = Resource("x", hashlib.md5(content, usedforsecurity=False).hexdigest(), array.shape)
    open_file = partial(find.LocalCopy(path, "m").open, resource)
    found = verify_stream(resource, open_file, "here", lambda blocks: taken.extend(map(bytes, blocks)))
    assert found.form == "published"
    assert b"".join(taken) == content


def test_a_member_is_decompressed_without_the_lock_of_its_archive(toy, streamed, server, cache_dir, tmp_path):
    """So others can read theirs at the same time."""
    zipped = packed(toy, tmp_path / "packed")
    server.serve(zipped.folder)
    spec, images = zipped.mirrored(server.url), zipped.train_images
    cache = Cache(cache_dir, spec)
    path = cache.file(images.archive)

    def receive(blocks):
        with filelock.FileLock(path.with_name(f".{path.name}.lock"), timeout=0):
            drain(blocks)

    found = find_file(spec, images, cache, SearchSettings(), receive=receive)
    assert found.form == "published"
    assert path.with_name(f".{path.name}.lock").exists()


@pytest.mark.parametrize("has_file", [False, True])
def test_memory_is_asked_for_when_there_is_a_file(toy, cache_dir, monkeypatch, has_file):
    """The array of a damaged, read-only cache; without a file the error says so, and not that memory is short."""

    def refuse(*_):
        raise OSError(errno.ENOMEM, "Cannot allocate memory")

    monkeypatch.setattr(build, "_private_array", refuse)
    cache, settings = Cache(cache_dir, toy.spec), SearchSettings(toy.folder if has_file else None, download=False)
    search = partial(find_file, toy.spec, toy.train_images, cache, settings, keep=False)
    says = "read into memory: Cannot allocate memory" if has_file else "make the cache writable, .* was not found"
    with pytest.raises(CacheError, match=f"^it is damaged; .*{says}"):
        build._build_in_memory(toy.kept(toy.train_images), cache, search, "it is damaged")
