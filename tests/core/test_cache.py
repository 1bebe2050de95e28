"""Decoded arrays: published once, mapped many times, never trusted unchecked."""

import contextlib
import errno
import gc
import json
import os
import shutil
import subprocess
import time
from dataclasses import replace

import numpy as np
import pytest
from support import made
from support.processes import python, running, without

from idxhub import DatasetSpec, Plugins, Resource, SplitSpec, get_dataset, load
from idxhub.cache.layout import cache_root, folder_size, list_cache_folders, remove_all, remove_all_orphans
from idxhub.cache.record import CHUNK, read_origin, read_record, write_origin, write_record
from idxhub.cache.store import Cache
from idxhub.catalog.spec import ArraySpec


@pytest.fixture
def loaded(toy, cache_dir):
    """Load a split of the toy dataset; the files are found in its folder unless the keywords say otherwise."""

    def load_again(split="train", **options):
        return load(toy.spec, split, plugins=Plugins([]), **{"data_dir": toy.folder, "download": False} | options)

    return load_again


@pytest.fixture
def warm(toy, cache_dir, loaded):
    """The cache of the toy dataset after a first load."""
    loaded("all")
    return Cache(cache_dir, toy.spec)


def snapshot(folder):
    return {path.name: (path.stat().st_mtime_ns, path.read_bytes()) for path in folder.iterdir()}


def publish(root, array, filename="x-idx3-ubyte"):
    images = Resource(filename, md5="0" * 32, shape=array.shape, dtype=array.dtype.name)
    labels = Resource("labels", md5="1" * 32, shape=array.shape[:1])
    here = Cache(root, DatasetSpec("made", {"train": SplitSpec(images, labels)}))
    kept = ArraySpec(images, images.dtype)
    record = here.make_record(
        kept, here.write_array(kept, [array]), payload_sha256="0" * 64, source="test", form="published"
    )
    record.write(here.record_file(kept))
    return here, kept


@pytest.mark.parametrize("dtype", ["uint8", "int8", "int16", "int32", "float32", "float64"])
@pytest.mark.parametrize("shape", [(1,), (7,), (3, 28, 28), (2, 1, 3, 2, 2)])
def test_arrays_come_back_aligned(tmp_path, dtype, shape):
    array = (np.arange(np.prod(shape)) - 3).reshape(shape).astype(dtype)
    here, resource = publish(tmp_path, array)
    stored = here.open(resource)
    assert stored.array.dtype == array.dtype
    assert stored.array.flags.writeable
    assert stored.array.ctypes.data % 64 == 0
    np.testing.assert_array_equal(stored.array, array)
    np.testing.assert_array_equal(np.load(here.array_file(resource)), array)  # a .npy like any other


@pytest.mark.parametrize("shape", [(0,), (0, 28, 28), (0, 0)])
def test_zero_examples(tmp_path, shape):
    here, resource = publish(tmp_path, np.empty(shape, np.uint8))
    stored = here.open(resource)
    assert stored.array.shape == shape
    assert stored.record.xxh3 == ()


@pytest.mark.parametrize("size", [CHUNK - 1, CHUNK, CHUNK + 1, 2 * CHUNK + 100])
def test_every_chunk_is_checked(tmp_path, size):
    here, resource = publish(tmp_path, np.arange(size, dtype=np.uint32).astype(np.uint8))
    assert len(here.open(resource).record.xxh3) == -(-size // CHUNK)
    path = here.array_file(resource)
    whole = path.read_bytes()
    for offset in {0, size - 1, min(CHUNK, size - 1), min(2 * CHUNK, size - 1)}:
        damaged = bytearray(whole)
        damaged[len(whole) - size + offset] ^= 1
        path.write_bytes(damaged)
        assert here.open(resource) is None
        assert here.open(resource, verify=False) is not None
    path.write_bytes(whole)
    assert here.open(resource) is not None


def test_writing_into_an_array_changes_nothing_else(toy, warm, loaded):
    before = snapshot(warm.folder)
    first, same_call = get_dataset(toy.spec, split=("train", "train"), plugins=Plugins())
    second = loaded()
    first.images[:] = 0
    first.labels[:] = 0
    for other in (same_call, second, loaded()):
        np.testing.assert_array_equal(other.images, toy.array(toy.train_images))
        np.testing.assert_array_equal(other.labels, toy.array(toy.train_labels))
    assert not first.images.any()
    assert snapshot(warm.folder) == before


def test_a_warm_load_writes_nothing_and_needs_no_files(toy, warm, loaded):
    before = snapshot(warm.folder)
    shutil.rmtree(toy.folder)
    np.testing.assert_array_equal(loaded(data_dir=None).images, toy.array(toy.train_images))
    assert snapshot(warm.folder) == before


def test_records_say_where_the_bytes_came_from(toy, warm, loaded):
    images, labels = loaded().info.records
    assert images.source == str(toy.path(toy.train_images))
    assert (images.form, images.md5) == ("published", toy.train_images.md5)
    assert labels.filename == toy.train_labels.filename
    assert json.loads(warm.record_file(toy.train_images).read_text())["source"] == images.source


def test_verify_false_skips_the_checksum(toy, warm, loaded):
    path = warm.array_file(toy.train_images)
    data = bytearray(path.read_bytes())
    data[-1] ^= 0xFF
    path.write_bytes(data)
    assert loaded(verify=False).images[-1, -1, -1] == toy.array(toy.train_images)[-1, -1, -1] ^ 0xFF
    np.testing.assert_array_equal(loaded().images, toy.array(toy.train_images))


def test_fsync_and_rename_come_before_the_record(toy, cache_dir, loaded, monkeypatch):
    """A process killed between the two files leaves an array without a record, which counts as absent."""
    replaced = os.replace

    def killed_at_the_record(source, target):
        if str(target).endswith("labels-idx1-ubyte.json"):
            raise KeyboardInterrupt
        replaced(source, target)

    monkeypatch.setattr(os, "replace", killed_at_the_record)
    with pytest.raises(KeyboardInterrupt):
        loaded()
    here = Cache(cache_dir, toy.spec)
    assert here.array_file(toy.train_labels).exists()
    assert here.open(toy.kept(toy.train_labels)) is None
    monkeypatch.undo()


def test_a_warm_open_keeps_the_payload_out_of_memory(tmp_path):
    if not os.path.exists("/proc/self/clear_refs"):
        without("/proc/self/clear_refs (Linux)")
    array = np.arange(64 << 20, dtype=np.uint32).astype(np.uint8).reshape(1024, 256, 256)
    here, kept = publish(tmp_path, array)
    python(
        """
        from pathlib import Path
        from idxhub.cache.store import Cache

        def resident(line):
            for each in open("/proc/self/status"):
                if each.startswith(line):
                    return int(each.split()[1]) << 10

        root, spec, kept = given
        here, payload = Cache(root, spec), 64 << 20
        Path("/proc/self/clear_refs").write_text("5")
        before = resident("VmRSS")
        stored = here.open(kept)
        assert stored.array.nbytes == payload
        after, peak = resident("VmRSS") - before, resident("VmHWM") - before
        assert after < payload / 8, f"{after:,} bytes stay resident"
        assert peak < payload * 3 / 4, f"{peak:,} bytes were resident at once"
        """,
        given=(tmp_path, here.spec, kept),
    )


def test_no_descriptor_is_left_open(toy, warm, loaded):
    if not os.path.isdir("/proc/self/fd"):
        without("/proc/self/fd (Linux)")

    def descriptors():
        gc.collect()
        return len(os.listdir("/proc/self/fd"))

    loaded()
    before = descriptors()
    splits = [loaded("all") for _ in range(20)]
    assert descriptors() == before
    path = warm.array_file(toy.train_images)
    whole = path.read_bytes()
    for damage in (whole[:-1], b"", whole[:20], whole.replace(b"(", b"[", 1)):
        path.write_bytes(damage)
        assert warm.open(toy.kept(toy.train_images)) is None
    assert descriptors() == before
    assert len(splits) == 20  # and all of them are held until here


def test_a_split_of_no_examples(tmp_path):
    toy = made.make(tmp_path / "published", sizes={"train": 0, "test": 2})
    for _ in range(2):
        split = load(toy.spec, "train", data_dir=toy.folder, plugins=Plugins([]))
        assert split.images.shape == (0, 6, 5)
        assert split.labels.shape == (0,)


def test_the_folder_is_marked_as_a_cache(warm):
    assert (warm.folder / "CACHEDIR.TAG").read_bytes().startswith(b"Signature: 8a477f597d28d172789f06886806bc55")


def test_remove_takes_what_idxhub_made_and_nothing_else(toy, warm, cache_dir, loaded, tmp_path):
    strangers = {
        "notes.txt": None,
        "photos-0123456789ab": "holiday.jpg",
        "toy": "CACHEDIR.TAG",
        "other-0123456789ab": "CACHEDIR.TAG",  # someone else's tag
    }
    for name, content in strangers.items():
        if content is None:
            (cache_dir / name).write_text("mine")
        else:
            (cache_dir / name).mkdir()
            (cache_dir / name / content).write_text("Signature: 8a477f597d28d172789f06886806bc55\n# Someone else\n")
    elsewhere = tmp_path / "elsewhere"
    shutil.copytree(warm.folder, elsewhere)
    (cache_dir / "linked-0123456789ab").symlink_to(elsewhere)

    assert list_cache_folders(cache_dir) == [warm.folder]
    size = folder_size(warm.folder)
    assert size == sum(path.stat().st_size for path in warm.folder.iterdir()) > 0
    assert remove_all(cache_dir) == size

    assert sorted(path.name for path in cache_dir.iterdir()) == sorted([*strangers, "linked-0123456789ab"])
    assert (elsewhere / "CACHEDIR.TAG").exists()
    assert list_cache_folders(cache_dir) == []
    assert remove_all(cache_dir) == 0
    np.testing.assert_array_equal(loaded().images, toy.array(toy.train_images))


def test_a_cache_that_was_never_made_is_empty(tmp_path):
    assert list_cache_folders(tmp_path / "nothing") == []
    assert remove_all(tmp_path / "nothing") == 0


def test_where_the_cache_is(tmp_path, cache_dir, monkeypatch):
    home = os.path.expanduser("~")
    assert cache_root(tmp_path / "mine") == tmp_path / "mine"
    assert cache_root() == cache_dir
    monkeypatch.setenv("IDXHUB_CACHE", "~/elsewhere")
    assert str(cache_root()) == os.path.join(home, "elsewhere")
    monkeypatch.setenv("IDXHUB_CACHE", "")
    assert str(cache_root()).startswith(home)  # the platform's folder
    monkeypatch.chdir(tmp_path)
    assert cache_root("relative") == tmp_path / "relative"


def test_cache_dir_is_used_instead(toy, cache_dir, loaded, tmp_path):
    loaded(cache_dir=tmp_path / "mine")
    assert not cache_dir.exists()
    assert Cache(tmp_path / "mine", toy.spec).open(toy.kept(toy.train_images)) is not None


def test_the_same_files_under_another_release_have_records_of_that_release(toy, cache_dir):
    for release in ("1", "2"):
        spec = replace(toy.spec, release=release, folders=(str(toy.folder),))
        info = load(spec, cache_dir=cache_dir, plugins=Plugins([])).info
        assert {record.release for record in info.records} == {release} == {info.spec.release}


def test_no_bit_of_a_record_can_change_unnoticed(toy, warm, loaded):
    """Neither what proves the array nor where it came from; the array is then made again, from the folder."""
    kept = toy.kept(toy.train_images)
    path = warm.record_file(kept)
    sound, before = path.read_bytes(), warm.record(kept)
    unnoticed = []
    for at in range(0, 8 * len(sound), 7):
        changed = bytearray(sound)
        changed[at // 8] ^= 1 << at % 8
        path.write_bytes(changed)
        found = warm.record(kept)
        if found not in (None, before):
            unnoticed.append(bytes(changed))
    assert unnoticed == []
    path.write_bytes(sound.replace(b'"toy"', b'"boy"'))
    assert warm.record(kept) is None
    assert loaded().info.records[0].dataset == "toy"


def test_old_temporary_files_are_removed_by_the_next_call_that_writes(toy, warm, cache_dir, tmp_path):
    """A warm load writes nothing, and so removes nothing: another dataset's first load does."""
    archive = cache_dir / "archive-0123456789ab"
    archive.mkdir()
    shutil.copy(warm.folder / "CACHEDIR.TAG", archive)
    orphans = [folder / ".train.npy.1-aa.tmp" for folder in (warm.folder, archive)]
    young, stranger = warm.folder / ".test.npy.1-aa.tmp", cache_dir / "mine" / ".x.tmp"
    stranger.parent.mkdir()
    for path in (*orphans, young, stranger):
        path.write_bytes(b"half")
    for path in (*orphans, stranger):
        os.utime(path, (1, 1))
    load(toy.spec, "train", plugins=Plugins([]))
    assert all(path.exists() for path in orphans)
    other = made.make(tmp_path / "other", name="other", seed=1)
    load(other.spec, "train", data_dir=other.folder, plugins=Plugins([]))
    assert not any(path.exists() for path in orphans)
    assert young.exists()
    assert stranger.exists()


def test_old_temporary_files_are_removed_although_another_process_removes_a_folder(warm, cache_dir, monkeypatch):
    folders = [warm.folder, cache_dir / "archive-0123456789ab", cache_dir / "toy-0123456789ab"]
    for folder in folders[1:]:
        folder.mkdir()
        shutil.copy(warm.folder / "CACHEDIR.TAG", folder)
    orphans = [folder / ".train.npy.1-aa.tmp" for folder in folders]
    for orphan in orphans:
        orphan.write_bytes(b"half")
        os.utime(orphan, (1, 1))
    scandir = os.scandir

    def gone(folder):
        if str(folder) == str(warm.folder):
            raise FileNotFoundError(errno.ENOENT, os.strerror(errno.ENOENT), os.fspath(folder))
        return scandir(folder)

    monkeypatch.setattr(os, "scandir", gone)
    remove_all_orphans(cache_dir)
    assert [orphan.exists() for orphan in orphans] == [True, False, False]


@pytest.mark.parametrize("lost", ["the record", "the record is emptied", "the array too"])
def test_the_origin_of_a_kept_file_outlives_its_record(toy, server, cache_dir, lost):
    server.serve(toy.folder)
    load(toy.mirrored(server.url), "train", plugins=Plugins([]))
    here, kept = Cache(cache_dir, toy.spec), toy.kept(toy.train_images)
    here.record_file(kept).write_bytes(b"") if lost.endswith("emptied") else here.record_file(kept).unlink()
    if lost == "the array too":
        here.array_file(kept).unlink()
    images, _ = load(toy.spec, "train", download=False, plugins=Plugins([])).info.records
    assert images.source == str(here.file(toy.train_images))
    assert images.origin == f"{server.url}/{toy.train_images.filename}"


def test_the_origin_of_another_file_or_format_is_not_taken(toy, tmp_path, monkeypatch):
    path = tmp_path / toy.train_images.filename
    write_origin(path, toy.train_images, "https://one.example/x")
    assert read_origin(path, toy.train_images) == "https://one.example/x"
    assert read_origin(path, toy.train_labels) is None
    monkeypatch.setattr("idxhub.cache.record._ORIGIN_FORMAT", 0)
    assert read_origin(path, toy.train_images) is None


@pytest.mark.parametrize(
    ("field", "value"),
    [
        *[("lowest", value) for value in ("a", 1.5, [0], True)],
        *[("highest", value) for value in ("a", {})],
        *[(text, 3) for text in ("source", "release", "sha256", "member", "form")],
        *[("steps", [1]), ("xxh3", [None]), ("archive", ["a", "b"]), ("archive", ["a", 3, None])],
    ],
    ids=str,
)
def test_a_record_with_a_field_of_another_type_counts_as_damaged(field, value, toy, warm, loaded):
    """Its checksum of itself is right: only the types tell."""
    kept = toy.kept(toy.train_labels)
    path = warm.record_file(kept)
    write_record(path, read_record(path) | {field: value})
    assert warm.record(kept) is None
    assert np.array_equal(loaded().labels, loaded(verify=False).labels)
    assert warm.record(kept) is not None


def test_a_cache_is_removed_while_others_open_it(toy, tmp_path):
    """Each opening, and each removal, tries again for a moment: none fails, and every array is right."""
    opener = """
        import time
        from idxhub import Plugins, load

        spec, folder, cache_dir, total = given
        end = time.monotonic() + 3
        count = 0
        while time.monotonic() < end:
            split = load(spec, data_dir=folder, cache_dir=cache_dir, plugins=Plugins([]))
            assert split.images.sum() == total
            count += 1
        print(count)
    """
    root = tmp_path / "shared cache"
    given = (toy.spec, toy.folder, root, int(toy.array(toy.train_images).sum()))
    with contextlib.ExitStack() as stack:
        openers = [stack.enter_context(running(opener, given=given, stderr=subprocess.PIPE)) for _ in range(4)]
        removals = 0
        while any(each.poll() is None for each in openers):
            removals += remove_all(root) > 0
            time.sleep(0.02)
        said = [each.communicate() for each in openers]
    assert [each.returncode for each in openers] == [0] * 4, "\n".join(error for _, error in said)
    assert removals > 2
    assert all(int(out) > 0 for out, _ in said)
