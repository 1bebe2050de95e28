"""Files in other formats beside the arrays: made once, checked each time, made again when they are not sound."""

from __future__ import annotations

import itertools
import json
import os

import pytest
import xxhash

from idxhub import errors, load
from idxhub.cache.record import CHUNK, read_record, write_record


@pytest.fixture
def split(toy):
    return load(toy.spec, "train", data_dir=toy.folder, download=False)


@pytest.fixture
def make():
    """A maker of two parts that counts its calls."""

    def make():
        make.calls += 1
        return [b"head", memoryview(b"er and body" * 1000)]

    make.calls = 0
    return make


def test_it_is_made_once(split, make):
    path = split.derived("train.other", make)
    assert path.read_bytes() == b"head" + b"er and body" * 1000
    assert split.derived("train.other", make) == path
    assert make.calls == 1


@pytest.mark.parametrize("name", ["train.other", "train.other.json"])
@pytest.mark.parametrize(
    "harm",
    [
        lambda path: path.write_bytes(path.read_bytes()[:-1]),
        lambda path: path.write_bytes(b""),
        *[lambda path, data=data: path.write_bytes(data) for data in (b"[]", b"{}", b"null", b"3", b"[" * 200_000)],
        lambda path: path.write_bytes(path.read_bytes().replace(b"[", b"[1").replace(b"body", b"bodi")),
        lambda path: path.unlink(),
    ],
    ids=["cut", "emptied", "a list", "an object", "null", "a number", "nested deep", "changed", "gone"],
)
def test_a_damaged_one_is_made_again(harm, name, split, make):
    path = split.derived("train.other", make)
    sound = path.read_bytes()
    harm(path.with_name(name))
    assert split.derived("train.other", make).read_bytes() == sound
    assert make.calls == 2


def test_one_of_another_format_is_made_again(split, make):
    path = split.derived("train.other", make)
    record = path.with_name("train.other.json")
    write_record(record, read_record(record) | {"format": 0})
    assert split.derived("train.other", make) == path
    assert make.calls == 2


def test_what_fails_while_making_leaves_nothing(split, cache_dir):
    def fails():
        raise RuntimeError("no such format")

    with pytest.raises(RuntimeError, match="no such format"):
        split.derived("train.other", fails)
    assert not list(cache_dir.rglob("train.other*"))


def test_what_fails_half_way_leaves_nothing(split, cache_dir):
    def fails():
        yield b"head"
        raise RuntimeError("no such format")

    with pytest.raises(RuntimeError, match="no such format"):
        split.derived("train.other", fails)
    assert not list(cache_dir.rglob("*train.other*[!k]"))  # the lock stays
    assert split.derived("train.other", lambda: [b"body"]).read_bytes() == b"body"


@pytest.mark.parametrize("cuts", [[], [0], [1, CHUNK], [CHUNK - 1, CHUNK + 1], [5, 5, 2 * CHUNK]], ids=str)
def test_the_checksums_do_not_depend_on_the_parts(cuts, split):
    data = os.urandom(2 * CHUNK + 7)
    bounds = [0, *cuts, len(data)]
    path = split.derived("train.other", lambda: (data[a:b] for a, b in itertools.pairwise(bounds)))
    assert path.read_bytes() == data
    record = json.loads(path.with_name("train.other.json").read_text())
    assert record["size"] == len(data)
    assert record["xxh3"] == [xxhash.xxh3_64_hexdigest(data[at : at + CHUNK]) for at in range(0, len(data), CHUNK)]


def test_a_folder_in_its_place_is_a_cache_error(split, make, cache_dir):
    path = split.derived("train.other", make)
    path.unlink()
    os.mkdir(path)
    with pytest.raises(errors.CacheError):
        split.derived("train.other", make)


def test_a_part_of_a_split_can_load_the_whole_split(toy):
    part = load(toy.spec, "train[3:5]+test", data_dir=toy.folder, download=False)
    assert [tuple(each) for each in part.info.parts] == [("train", 3, 5), ("test", 0, 12)]
    assert len(part.whole("train")) == 30


@pytest.mark.parametrize("name", ["../evil", "/evil", "", ".hidden", "a\0b"])
def test_it_stays_in_its_folder(name, split):
    with pytest.raises(errors.ArgumentError, match="it must be a plain file name"):
        split.derived(name, lambda: [b"abc"])


def test_a_cut_one_is_noticed_without_reading_it(toy):
    split = load(toy.spec, "train", data_dir=toy.folder, verify=False)
    path = split.derived("x.other", lambda: [b"abc"])
    path.write_bytes(b"ab")
    assert split.derived("x.other", lambda: [b"abc"]).read_bytes() == b"abc"
    path.write_bytes(b"abd")  # only its size is compared, because verify=False was asked for
    assert split.derived("x.other", lambda: [b"abc"]).read_bytes() == b"abd"
