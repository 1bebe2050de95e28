"""The command on datasets whose files need something done, or are in an archive."""

import importlib
import json
import pickle
import re
import sys
import zipfile
from dataclasses import replace

import numpy as np
import pytest
from click.testing import CliRunner
from support import made
from support.installed import install
from support.server import ok

from idxhub import Archive, DatasetSpec, Resource, SplitSpec
from idxhub.cache.record import RunningChecksums, read_record, write_record
from idxhub.cli import commands
from idxhub.plugins import manager as plugins


@pytest.fixture
def run():
    return lambda *arguments: CliRunner().invoke(commands, arguments)


ODD = """
    import pathlib, pickle
    from idxhub import hookimpl

    @hookimpl
    def idxhub_datasets():
        return [pickle.loads(pathlib.Path(__file__).with_name("spec.pickle").read_bytes())]
"""


@pytest.fixture
def odd(tmp_path, server, monkeypatch):
    """A dataset of an installed plugin: zipped, on its side, labels in a table; its mirror's address has a password."""
    folder = tmp_path / "inside"
    images = np.arange(5 * 12, dtype=np.uint8).reshape(5, 3, 4)
    table = np.stack([np.arange(5), np.arange(5) % 2 + 1], axis=1).astype(np.int32)
    files = [made.write(folder, "images-idx3.gz", images), made.write(folder, "labels-idx2.gz", table)]
    with zipfile.ZipFile(tmp_path / "odd.zip", "w") as packed:
        for each in files:
            packed.write(folder / each.filename, f"in/{each.filename}")
    archive = Archive.from_file(tmp_path / "odd.zip")
    members = [Resource(e.filename, e.md5, e.shape, e.dtype, archive=archive, member=f"in/{e.filename}") for e in files]
    split = SplitSpec(*members, label_column=1, label_offset=1, transposed=True)
    server.route("/odd.zip", ok((tmp_path / "odd.zip").read_bytes()))
    spec = DatasetSpec(
        "odd",
        {"train": split, "few": replace(split, stop=2)},
        classes=("one", "two"),
        mirrors=(server.url.replace("://", "://somebody:secret@"),),
    )
    (tmp_path / "spec.pickle").write_bytes(pickle.dumps(spec))
    install(tmp_path, "idxhub_odd", entry_points="[idxhub.datasets]\nodd = idxhub_odd\n", modules={"idxhub_odd": ODD})
    monkeypatch.syspath_prepend(tmp_path)
    monkeypatch.delitem(sys.modules, "idxhub_odd", raising=False)  # another test's
    importlib.invalidate_caches()
    monkeypatch.setattr(plugins, "_INSTALLED", plugins.Plugins())  # what is installed is looked for once
    return spec


def test_the_list_fits_and_says_what_there_is(run):
    lines = run("list").stdout.splitlines()
    assert max(map(len, lines)) <= 120
    table = "\n".join(lines)
    for part in (
        "mnist                 train 60,000, test 10,000        10       11.6 MB     unclear",
        "kmnist                train 60,000, test 10,000        10       21.2 MB     CC BY-SA 4.0",
        "qmnist                train 60,000, test 60,000,       10       < 412.4 MB  BSD-style",
        "                      test10k 10,000, test50k 50,000,",
        "                      nist 402,953",
        "emnist-byclass        train 697,932, test 116,323      62       561.8 MB    not stated",
        "One download, gzip.zip of 561.8 MB, for emnist-balanced, emnist-byclass,",
    ):
        assert part in table


@pytest.mark.parametrize("name", ["mnist", "kmnist", "qmnist", "emnist-letters"])
def test_info_of_each_family(run, name):
    result = run("info", name)
    assert result.exit_code == 0
    told = json.loads(run("info", name, "--json").stdout)
    for split in told["splits"].values():
        for kind in ("images", "labels"):
            assert split[kind]["md5"] in result.stdout


def test_info_of_what_is_done(run):
    assert "28x28 uint8, transposed" in run("info", "emnist-letters").stdout
    assert "124,800 uint8, minus 1" in run("info", "emnist-letters").stdout
    assert "gzip.zip, 561,753,746 bytes" in run("info", "emnist-letters").stdout
    told = json.loads(run("info", "qmnist", "--json").stdout)["splits"]["test50k"]
    assert told["range"] == [10_000, 60_000]
    assert told["labels"]["steps"] == ["column 0"]
    assert told["images"]["size"] is None


def test_get_then_info_then_verify(run, odd, server):
    got = run("get", "odd")
    assert got.exit_code == 0, got.output
    assert got.stdout.count("verified, as published") == 2
    assert server.count() == 1
    cached = json.loads(run("info", "odd", "--json").stdout)["cached"]
    assert set(cached) == {"images-idx3.gz, transposed", "labels-idx2.gz, column 1, minus 1"}
    labels = cached["labels-idx2.gz, column 1, minus 1"]
    assert labels["origin"] == f"{server.url}/odd.zip#in/labels-idx2.gz"
    archive = odd.resources[0].archive
    assert labels["archive"] == ["odd.zip", archive.md5, archive.sha256]
    assert labels["published"].endswith("+00:00")

    found = json.loads(run("verify", "odd", "--json").stdout)["files"]
    assert [each["state"] for each in found] == [
        *("sound", "sound, decoded, transposed"),
        *("sound", "sound, decoded, column 1, minus 1"),
    ]
    assert run("verify", "odd").exit_code == 0


def test_verify_finds_a_damaged_archive_and_a_damaged_array(run, odd, cache_dir):
    run("get", "odd")
    (archive,) = cache_dir.glob("archive-*/odd.zip")
    archive.write_bytes(archive.read_bytes()[:-40])
    (array,) = cache_dir.glob("odd-*/images-idx3.transposed.npy")
    data = bytearray(array.read_bytes())
    data[-1] ^= 1
    array.write_bytes(data)
    result = run("verify", "odd", "--json")
    assert result.exit_code == 1
    states = [each["state"] for each in json.loads(result.stdout)["files"]]
    assert [state.startswith("sound") for state in states] == [False, False, False, True]
    assert "not a sound .zip" in states[0]


def test_an_array_that_agrees_with_its_record_only_is_found_out(run, odd, cache_dir):
    """Its writer has written the record too; what was done to the array is undone and held against the payload."""
    run("get", "odd")
    folder = next(cache_dir.glob("odd-*"))
    record = folder / "images-idx3.transposed.json"
    record.write_text(json.dumps(json.loads(record.read_text()) | {"payload_sha256": "0" * 64}))
    assert run("verify", "odd").exit_code == 1


def falsified(cache_dir, key):
    """An array of zeros in the cache, with a record that agrees with it in all."""
    folder = next(cache_dir.glob("odd-*"))
    (array, record), labels = (
        (folder / f"{key}{ending}" for ending in (".npy", ".json")),
        np.load(folder / f"{key}.npy"),
    )
    false = np.zeros_like(labels)
    array.write_bytes(array.read_bytes()[: -false.nbytes] + false.tobytes())
    checksums = RunningChecksums()
    list(checksums.hash_parts([false.reshape(-1).view(np.uint8).data]))
    fields = read_record(record) | {"xxh3": checksums.xxh3}
    write_record(record, fields)


@pytest.mark.parametrize("key", ["labels-idx2.column-1.minus-1", "images-idx3.transposed"])
def test_a_falsified_array_is_found_out_by_the_published_file(run, odd, cache_dir, key):
    run("get", "odd")
    falsified(cache_dir, key)
    result = run("verify", "odd", "--json")
    assert result.exit_code == 1
    (wrong,) = (each for each in json.loads(result.stdout)["files"] if not each["sound"])
    assert (wrong["state"], wrong["place"]) == (
        "WRONG: damaged; it will be made again when it is next loaded",
        str(next(cache_dir.glob("odd-*")) / f"{key}.npy"),
    )


def test_without_the_published_file_a_column_is_sound_by_its_own_checksums(run, odd, cache_dir):
    run("get", "odd")
    (archive,) = cache_dir.glob("archive-*/odd.zip")
    archive.unlink()
    falsified(cache_dir, "labels-idx2.column-1.minus-1")
    result = run("verify", "odd")
    assert result.exit_code == 0
    checked = [re.split(r"\s{2,}", line)[1:3] for line in result.stdout.splitlines()]
    assert ["sound, decoded, column 1, minus 1", "the checksums in its record"] in checked
    assert [
        "sound, decoded, transposed",
        "the checksums in its record",
    ] in checked  # the spec has the MD5 of the .gz only


def test_passwords_are_not_shown(run, odd, monkeypatch):
    monkeypatch.setenv("IDXHUB_MIRRORS", "https://me:secret@mirror.example/data, /folder")
    monkeypatch.setenv("IDXHUB_OFFLINE", "1")
    for arguments in (["info", "odd"], ["info", "odd", "--json"], ["list", "--json"], ["doctor"], ["doctor", "--json"]):
        result = run(*arguments)
        assert "secret" not in result.output, arguments
        assert "127.0.0.1" in result.output
    assert "https://mirror.example/data, /folder" in run("doctor").output
