"""What is done to a file's array before it is kept: a column, an offset, images set upright, a range of examples."""

import hashlib
import json
from dataclasses import replace

import numpy as np
import pytest
from support import made

from idxhub import DatasetSpec, Plugins, Resource, SplitSpec, errors, get_dataset, get_loader, idx, load
from idxhub.cache.store import Cache


@pytest.fixture
def truth():
    """Upright images of 6 x 4 pixels, and the labels 0, 1 and 2 of twenty examples."""
    images = np.random.default_rng(1).integers(0, 256, (20, 6, 4)).astype(np.uint8)
    return images, np.arange(20) % 3


@pytest.fixture
def folder(tmp_path):
    return tmp_path / "published"


@pytest.fixture
def split(truth, folder):
    """On their side, and the labels from 1 to 3 in the second column of a table."""
    images, labels = truth
    table = np.stack([np.full(20, 77), labels + 1, np.arange(20)], axis=1).astype(np.int32)
    return SplitSpec(
        made.write(folder, "images-idx3.gz", np.ascontiguousarray(images.swapaxes(1, 2))),
        made.write(folder, "labels-idx2.gz", table),
        label_column=1,
        label_offset=1,
        transposed=True,
    )


@pytest.fixture
def spec(split, folder):
    splits = {"train": split, "first": replace(split, stop=8), "rest": replace(split, start=8)}
    return DatasetSpec("turned", splits, classes=made.CLASSES, folders=(str(folder),))


def test_what_is_kept_is_what_is_handed_out(spec, truth, cache_dir):
    """C-contiguous, on a 64-byte boundary, and mapped from files that any reader of .npy has the same from."""
    images, labels = truth
    load(spec, plugins=Plugins([]))
    cache = Cache(cache_dir, spec)
    for kept, expected in zip(spec.arrays, (images, labels), strict=True):
        stored = cache.open(kept)
        assert stored.array.flags.c_contiguous
        assert stored.array.ctypes.data % 64 == 0
        np.testing.assert_array_equal(np.load(cache.array_file(kept)), expected)
    assert [each.key for each in spec.arrays] == ["images-idx3.transposed", "labels-idx2.column-1.minus-1"]
    assert [each.steps for each in spec.arrays] == [("transposed",), ("column 1", "minus 1")]


def test_a_range_of_another_splits_files(spec, truth, cache_dir):
    images, labels = truth
    assert spec.sizes == {"train": 20, "first": 8, "rest": 12}
    for text, where in {
        "train": slice(0, 20),
        "first": slice(0, 8),
        "rest": slice(8, 20),
        "rest[2:5]": slice(10, 13),
        "rest[-1:]": slice(19, 20),
        "first[:50%]": slice(0, 4),
        "first+rest": slice(0, 20),
    }.items():
        loaded = load(spec, text, plugins=Plugins([]))
        np.testing.assert_array_equal(loaded.images, images[where])
        np.testing.assert_array_equal(loaded.labels, labels[where])
        assert loaded.labels.dtype == np.int64
    assert len(list(Cache(cache_dir, spec).folder.glob("*.npy"))) == 2
    with pytest.raises(errors.UnknownNameError, match="first has only 8 examples"):
        load(spec, "first[:9]", plugins=Plugins([]))


def test_all_has_every_example_once(spec, split, truth):
    assert spec.everything == ("train",)
    assert len(load(spec, "all", plugins=Plugins([]))) == 20
    halves = {"rest": replace(split, start=8), "first": replace(split, stop=8)}
    assert replace(spec, splits=halves).everything == ("rest", "first")
    twice = {"part": replace(split, stop=3), "one": split, "again": split}
    assert replace(spec, splits=twice).everything == ("one",)
    with pytest.raises(errors.UnknownNameError, match=r"train\[:5\]"):
        load(spec, "all[:5]", plugins=Plugins([]))


def test_two_columns_of_one_file(spec, split, folder):
    """Both may be a dataset's labels: they do not share a name in the cache."""
    other = replace(split, label_column=2, label_offset=0)
    both = replace(spec, splits={"kind": split, "number": other}, classes=())
    assert load(both, "number", plugins=Plugins([])).labels.tolist() == list(range(20))
    assert load(both, "kind", plugins=Plugins([])).labels[:4].tolist() == [0, 1, 2, 0]
    assert len(both.resources) == 2
    assert len(both.arrays) == 3


def test_the_fingerprint_covers_what_is_done(spec, split):
    def fingerprint(**changes):
        return replace(spec, splits={"train": replace(split, **changes)}).fingerprint

    changes = [
        {},
        {"label_column": 0},
        {"label_offset": 0},
        {"label_offset": 2},
        {"transposed": False},
        {"start": 1},
        {"stop": 19},
        {"start": 1, "stop": 19},
    ]
    assert len({fingerprint(**each) for each in changes}) == len(changes)
    assert fingerprint(stop=20) == fingerprint()  # the whole, said otherwise


def test_labels_are_held_against_the_classes_after_the_offset(spec, split):
    counted_from_0 = replace(spec, splits={"train": replace(split, label_offset=0)})
    with pytest.raises(errors.IdxFormatError, match="labels from 1 to 3, classes from 0 to 2; label_offset=1 fits"):
        load(counted_from_0, plugins=Plugins([]))
    too_far = replace(spec, splits={"train": replace(split, label_offset=2)})
    with pytest.raises(errors.IdxFormatError, match="labels from -1 to 1, classes from 0 to 2; label_offset=1 fits"):
        load(too_far, plugins=Plugins([]))
    with pytest.raises(errors.IdxFormatError, match="classes from 0 to 1; name all classes"):
        load(replace(spec, classes=("a", "b")), plugins=Plugins([]))


def test_one_byte_labels_do_not_wrap_around(folder):
    """255 - 1 and 0 - 1 in uint8 would be classes."""
    files = SplitSpec(
        made.write(folder, "images", np.zeros((2, 2, 2), np.uint8)),
        made.write(folder, "labels", np.array([0, 255], np.uint8)),
        label_offset=1,
    )
    wide = DatasetSpec("wide", {"train": files}, folders=(str(folder),))
    assert load(wide, plugins=Plugins([])).labels.tolist() == [-1, 254]
    with pytest.raises(errors.IdxFormatError, match="labels from -1 to 254"):
        load(replace(wide, classes=("a",) * 256), plugins=Plugins([]))


@pytest.mark.parametrize(("label", "offset"), [(2**31 - 1, -1), (-(2**31), 1)])
def test_labels_beyond_32_bits_are_refused(folder, label, offset):
    """Frameworks whose labels are int32 would have others."""
    files = SplitSpec(
        made.write(folder, "images", np.zeros((2, 2, 2), np.uint8)),
        made.write(folder, "labels", np.array([label, 0], np.int32)),
    )
    spec = DatasetSpec("wide", {"train": files}, folders=(str(folder),))
    assert load(spec, plugins=Plugins([])).labels.tolist() == [label, 0]
    moved = replace(spec, splits={"train": replace(files, label_offset=offset)})
    with pytest.raises(errors.IdxFormatError, match=f"it has the label {label - offset}, which does not fit"):
        load(moved, plugins=Plugins([]))


def test_records_say_what_was_done(spec, folder):
    images, labels = load(spec, "first", plugins=Plugins([])).info.records
    assert (images.steps, images.lowest, images.highest) == (("transposed",), None, None)
    assert (labels.steps, labels.lowest, labels.highest) == (("column 1", "minus 1"), 0, 2)
    assert images.origin == images.source == str(folder / "images-idx3.gz")
    assert (images.archive, images.member) == (None, None)


def test_a_damaged_label_range_in_a_record_does_not_refuse_right_labels(spec, truth, cache_dir):
    load(spec, plugins=Plugins([]))
    path = Cache(cache_dir, spec).record_file(spec.arrays[1])
    path.write_text(json.dumps(json.loads(path.read_text()) | {"highest": 99}))
    np.testing.assert_array_equal(load(spec, plugins=Plugins([])).labels, truth[1])


def test_through_get_dataset_and_get_loader(spec, truth):
    images, labels = truth
    train, rest = get_dataset(spec, split=("train", "rest"), dtype="float32", layout="CHW")
    np.testing.assert_array_equal(train.images, images[:, None].astype(np.float32) / np.float32(255))
    assert rest.images.shape == (12, 1, 6, 4)
    seen = np.concatenate([batch.labels for batch in get_loader(spec, split="rest", batch_size=5, shuffle=False)])
    np.testing.assert_array_equal(seen, labels[8:])


RESOURCE = Resource("images", "0" * 32, (5, 2, 3))
LABELS = Resource("labels", "1" * 32, (5,))
TABLE = Resource("table", "2" * 32, (5, 8), "int32")
NONSENSE = {
    "a column of no table": {"labels": LABELS, "label_column": 0},
    "a column too far": {"labels": TABLE, "label_column": 8},
    "a column before the first": {"labels": TABLE, "label_column": -1},
    "a column called by name": {"labels": TABLE, "label_column": "class"},
    "a table without a column": {"labels": TABLE},
    "an offset that is no integer": {"label_offset": 0.5},
    "an offset beyond 32 bits": {"label_offset": 2**31},
    "images of one dimension on their side": {"images": Resource("i", "3" * 32, (5, 9)), "transposed": True},
    "colour images on their side": {"images": Resource("i", "3" * 32, (5, 2, 3, 3)), "transposed": True},
    "a start before the first": {"start": -1},
    "a stop after the last": {"stop": 6},
    "a stop before the start": {"start": 3, "stop": 2},
    "a start that is no integer": {"start": 1.0},
    "true": {"start": True},
    "images that are a path": {"images": "images.gz"},
    "labels that are an array": {"labels": np.zeros(5)},
}


@pytest.mark.parametrize("what", NONSENSE)
def test_an_impossible_split_is_refused(what):
    with pytest.raises(errors.SpecError) as caught:
        SplitSpec(**({"images": RESOURCE, "labels": LABELS} | NONSENSE[what]))
    assert isinstance(caught.value, ValueError)
    assert str(caught.value)


def test_payload_digests_and_sizes_may_be_unknown(split, folder, truth):
    """What remains is the MD5 of the file as published; no other form of it can be told, and that is said."""

    def bare(resource):
        return replace(resource, size=None, sha256=None, payload_sha256=None)

    files = replace(split, images=bare(split.images), labels=bare(split.labels))
    spec = DatasetSpec("bare", {"train": files}, folders=(str(folder),))
    loaded = load(spec, plugins=Plugins([]))
    np.testing.assert_array_equal(loaded.images, truth[0])
    record = loaded.info.records[0]
    assert (record.sha256, record.payload_sha256) == (split.images.sha256, split.images.payload_sha256)

    (folder / "images-idx3.gz").unlink()
    (folder / "images-idx3").write_bytes(idx.encode(truth[0].swapaxes(1, 2)))
    again = DatasetSpec("bare-too", {"train": files}, folders=(str(folder),))
    with pytest.raises(errors.ChecksumError, match="the right shape, but no digest of its content is known"):
        load(again, plugins=Plugins([]))


def test_a_payload_md5_serves_too(split, folder, truth):
    payload = idx.encode(truth[0].swapaxes(1, 2))
    md5 = hashlib.md5(payload, usedforsecurity=False).hexdigest()
    (folder / "images-idx3.gz").unlink()
    (folder / "images-idx3").write_bytes(payload)
    images = replace(split.images, payload_sha256=None, payload_md5=md5)
    spec = DatasetSpec("by-md5", {"train": replace(split, images=images)}, folders=(str(folder),))
    loaded = load(spec, plugins=Plugins([]))
    np.testing.assert_array_equal(loaded.images, truth[0])
    assert loaded.info.records[0].form == "decompressed"
    (folder / "images-idx3").write_bytes(payload[:-1] + bytes([payload[-1] ^ 1]))
    with pytest.raises(errors.ChecksumError):
        load(replace(spec, name="by-md5-too"), plugins=Plugins([]))
