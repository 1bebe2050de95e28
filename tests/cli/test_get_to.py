"""`idxhub get NAME --to FOLDER`: the published files as they were published, or decompressed."""

import gzip
import hashlib
import json
from pathlib import Path

import pytest

from idxhub.catalog import builtin
from idxhub.plugins.manager import installed

SAMPLE = "fashion-mnist-sample"
RESOURCES = builtin.dataset(SAMPLE).resources
NAMES = sorted(resource.filename for resource in RESOURCES)


def md5(data):
    return hashlib.md5(data, usedforsecurity=False).hexdigest()


def recompressed(published, folder):
    folder.mkdir()
    for path in published.iterdir():
        (folder / path.name).write_bytes(gzip.compress(gzip.decompress(path.read_bytes()), 1, mtime=7))
    return folder


@pytest.fixture
def folder(tmp_path):
    return tmp_path / "new" / "folder"


def test_the_files_are_the_published_ones(run, folder):
    result = run("get", SAMPLE, "--to", folder)
    assert result.exit_code == 0, result.stderr
    assert sorted(path.name for path in folder.iterdir()) == NAMES
    assert all(md5((folder / each.filename).read_bytes()) == each.md5 for each in RESOURCES)
    assert result.stdout.count("  written") == 4


def test_raw_files_have_the_published_content(run, folder):
    assert run("get", SAMPLE, "--to", folder, "--raw").exit_code == 0
    assert sorted(path.name for path in folder.iterdir()) == [name.removesuffix(".gz") for name in NAMES]
    for each in RESOURCES:
        assert hashlib.sha256((folder / each.stem).read_bytes()).hexdigest() == each.payload_sha256


def test_the_real_files_from_a_folder(run, folder, full_data_dir):
    assert run("get", "fashion-mnist", "--data-dir", full_data_dir, "--to", folder).exit_code == 0
    for path in folder.iterdir():
        assert path.read_bytes() == (full_data_dir / path.name).read_bytes()
    assert len(list(folder.iterdir())) == 4


def test_what_is_there_already_is_kept_and_other_files_are_not_replaced(run, folder):
    run("get", SAMPLE, "--to", folder)
    wrong, right = (folder / name for name in NAMES[1:3])
    before = right.stat()
    wrong.write_bytes(b"mine")
    refused = run("get", SAMPLE, "--to", folder)
    assert refused.exit_code == 1
    assert f"{wrong} exists; name another path, or replace it with --force" in refused.stderr
    assert wrong.read_bytes() == b"mine"
    forced = json.loads(run("get", SAMPLE, "--to", folder, "--force", "--json").stdout)["written"]
    assert [Path(row["path"]).name for row in forced if not row["there_already"]] == [wrong.name]
    assert (right.stat().st_ino, right.stat().st_mtime_ns) == (before.st_ino, before.st_mtime_ns)
    assert sorted(path.name for path in folder.iterdir()) == NAMES


def test_a_recompressed_copy_serves_only_for_raw_files(run, folder, full_data_dir, tmp_path):
    copies = recompressed(full_data_dir, tmp_path / "copies")
    refused = run("get", "fashion-mnist", "--data-dir", copies, "--to", folder)
    assert refused.exit_code == 1
    assert "this is Fashion-MNIST train images, recompressed" in refused.stderr
    assert list(folder.iterdir()) == []
    assert run("get", "fashion-mnist", "--data-dir", copies, "--to", folder, "--raw").exit_code == 0
    spec = installed().dataset("fashion-mnist")
    for each in spec.resources:
        assert hashlib.sha256((folder / each.stem).read_bytes()).hexdigest() == each.payload_sha256


@pytest.mark.parametrize("option", ["--raw", "--force"])
def test_options_that_need_to(run, option):
    result = run("get", SAMPLE, option)
    assert result.exit_code == 2
    assert f"{option} is an option for --to" in result.stderr


def test_an_empty_name_is_refused(run, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    result = run("get", SAMPLE, "--to", "")
    assert (result.exit_code, list(tmp_path.iterdir())) == (2, [])
    assert "Invalid value for --to: name a folder" in result.stderr


def test_a_folder_in_the_place_of_a_file(run, tmp_path):
    (tmp_path / NAMES[0]).mkdir()
    result = run("get", SAMPLE, "--to", tmp_path, "--force")
    assert result.exit_code == 1
    assert f"{tmp_path / NAMES[0]} is a folder, not a file, so it is not replaced" in result.stderr


def test_a_folder_that_cannot_be_made(run, tmp_path):
    (tmp_path / "file").touch()
    result = run("get", SAMPLE, "--to", tmp_path / "file" / "folder")
    assert result.exit_code == 1
    assert "cannot make the folder" in result.stderr
