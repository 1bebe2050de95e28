"""The search for a resource: the places, their order, and what is said if none has it."""

import contextlib
import errno
import os
import re
import shutil
from dataclasses import replace
from pathlib import Path

import pytest
from support.made import copy_files, flipped
from support.server import closed_port, ok, status

from idxhub import Plugins, idx, load
from idxhub.acquire.local import SearchSettings, known_folders
from idxhub.cache.store import Cache
from idxhub.errors import ChecksumError, DownloadError


def payload(toy):
    return idx.encode(toy.array(toy.train_images))


def test_the_published_file(toy, find_images):
    found = find_images(toy.folder)
    assert bytes(found.payload) == payload(toy)
    assert (found.form, found.source) == ("published", str(toy.path(toy.train_images)))
    assert found.payload_sha256 == toy.train_images.payload_sha256


def test_the_order_of_the_search(toy, find_images, tmp_path, cache_dir, monkeypatch, server):
    """Each place is emptied after it has served; the next one serves then."""
    name = toy.train_images.filename
    spec = replace(toy.spec, folders=(str(tmp_path / "known"),), mirrors=(server.url, str(tmp_path / "mirror")))
    cached = Cache(cache_dir, spec).file(toy.train_images)
    named = copy_files(toy, tmp_path / "named")
    cached.parent.mkdir(parents=True)
    shutil.copy(toy.path(toy.train_images), cached)
    monkeypatch.setenv("IDXHUB_MIRRORS", f"{server.url}/mine,{tmp_path / 'env'}")
    places = [named, cached.parent, *(copy_files(toy, tmp_path / each) for each in ("known", "env", "mirror"))]
    for path in ("/mine/" + name, "/" + name):
        server.route(path, ok(toy.bytes(toy.train_images)), status(404))

    for folder in places:
        assert find_images(named, spec=spec).source == str(folder / name)
        assert server.count() == 0
        (folder / name).unlink()
    for url in (f"{server.url}/mine/{name}", f"{server.url}/{name}"):
        assert find_images(named, spec=spec).source == url
        cached.unlink()


def test_a_downloaded_file_is_kept(toy, find_images, cache_dir, server):
    server.serve(toy.folder)
    spec = toy.mirrored(server.url)
    assert find_images(spec=spec).source.startswith(server.url)
    kept = Cache(cache_dir, spec).file(toy.train_images)
    assert kept.read_bytes() == toy.bytes(toy.train_images)
    assert find_images(spec=spec).source == str(kept)
    assert server.count() == 1


def test_a_local_file_is_not_copied(toy, find_images, cache_dir):
    find_images(toy.folder)
    assert not Cache(cache_dir, toy.spec).file(toy.train_images).exists()


@pytest.mark.parametrize("damage", [lambda d: b"", lambda d: d[:-1], flipped, lambda d: d + b"x", lambda d: b"<html>"])
def test_a_damaged_kept_file_is_replaced(toy, find_images, cache_dir, server, damage):
    server.serve(toy.folder)
    spec = toy.mirrored(server.url)
    find_images(spec=spec)
    kept = Cache(cache_dir, spec).file(toy.train_images)
    kept.write_bytes(damage(kept.read_bytes()))
    assert find_images(spec=spec).source.startswith(server.url)
    assert kept.read_bytes() == toy.bytes(toy.train_images)

    kept.write_bytes(damage(kept.read_bytes()))
    with pytest.raises(ChecksumError, match=re.escape(str(kept))):
        find_images(spec=spec, download=False)


def test_a_file_that_cannot_be_read_is_named(toy, find_images, tmp_path):
    folder = tmp_path / "loop"
    folder.mkdir()
    (folder / toy.train_images.filename).symlink_to(folder / toy.train_images.filename)
    os.mkfifo(folder / "pipe")  # is not waited for
    with pytest.raises(DownloadError):
        find_images(folder)


def test_a_data_dir_that_is_a_file(toy, find_images):
    with pytest.raises(DownloadError, match="is not a folder"):
        find_images(toy.path(toy.train_images))


def test_a_data_dir_in_the_home_folder(toy, find_images):
    copy_files(toy, Path("~/mine").expanduser())
    assert find_images("~/mine").form == "published"


def test_folders_without_the_file_are_listed_too(toy, find_images, tmp_path, monkeypatch):
    (tmp_path / "empty").mkdir()
    (tmp_path / "mirror").mkdir()
    monkeypatch.setenv("IDXHUB_MIRRORS", str(tmp_path / "mirror"))
    spec = replace(toy.spec, folders=(str(tmp_path / "nothing"),), subfolders=("", "raw"))
    with pytest.raises(DownloadError) as caught:
        find_images(tmp_path / "empty", spec=spec)
    assert [(failure.where, failure.why) for failure in caught.value.failures] == [
        (str(tmp_path / "empty"), "has no such file"),
        (str(tmp_path / "nothing"), "no such folder"),
        (str(tmp_path / "mirror"), "has no such file"),
        (str(tmp_path / "mirror" / "toy"), "no such folder"),
    ]


def test_no_folder_and_no_mirror_is_an_error_that_says_so(find_images):
    with pytest.raises(DownloadError, match="names no folder and no mirror"):
        find_images()


def test_every_place_and_reason_is_listed(toy, find_images, tmp_path, server):
    wrong = copy_files(toy, tmp_path / "wrong", change=flipped)
    known = copy_files(toy, tmp_path / "known", change=lambda data: b"")
    refused = f"http://127.0.0.1:{closed_port()}"
    spec = replace(toy.mirrored(server.url, refused), folders=(str(known),))
    with pytest.raises(ChecksumError) as caught:
        find_images(wrong, spec=spec)
    name = toy.train_images.filename
    assert [failure.where for failure in caught.value.failures] == [
        str(wrong / name),
        str(known / name),
        f"{server.url}/{name}",
        f"{refused}/{name}",
    ]
    for failure in caught.value.failures:
        assert failure.where in str(caught.value)
        assert failure.why in str(caught.value)
    assert "HTTP 404" in str(caught.value)
    assert "refused" in str(caught.value)


@pytest.mark.parametrize(
    ("value", "offline"),
    [
        *[(value, True) for value in ("1", "true", "YES", " on ")],
        *[(value, False) for value in ("", "0", "false", "No", "off")],
    ],
)
def test_the_setting_for_offline(toy, find_images, server, monkeypatch, value, offline):
    server.serve(toy.folder)
    monkeypatch.setenv("IDXHUB_OFFLINE", value)
    spec = toy.mirrored(server.url)
    with pytest.raises(DownloadError, match="IDXHUB_OFFLINE is set") if offline else contextlib.nullcontext():
        find_images(spec=spec)
    assert server.count() == (0 if offline else 1)
    assert find_images(toy.folder, spec=spec).form == "published"


def test_known_folders_expand(monkeypatch, tmp_path, toy):
    monkeypatch.setenv("KERAS_HOME", str(tmp_path))
    spec = replace(toy.spec, folders=("~/a", "$KERAS_HOME/b", "$UNSET_FOLDER/c", "d"))
    monkeypatch.chdir(tmp_path)
    assert known_folders(spec, SearchSettings()) == [Path("~/a").expanduser(), tmp_path / "b", tmp_path / "d"]


@pytest.mark.skipif(os.name != "posix", reason="links")
def test_a_broken_link_in_a_folder_does_not_hide_other_files(toy, tmp_path):
    """A link in a circle, and one to nothing."""
    (toy.folder / "circle").symlink_to(toy.folder / "circle")
    (toy.folder / "nothing").symlink_to(tmp_path / "nowhere")
    odd = toy.folder / "by-size-alone"
    toy.path(toy.train_images).rename(odd)
    records = load(toy.spec, "train", data_dir=toy.folder, download=False, plugins=Plugins([])).info.records
    assert records[0].source == str(odd)


def test_a_folder_that_cannot_be_listed_is_read_by_name(toy, monkeypatch):
    def refused(path):
        raise PermissionError(13, "Permission denied")

    monkeypatch.setattr(os, "scandir", refused)
    options = {"data_dir": toy.folder, "download": False, "plugins": Plugins([])}
    assert len(load(toy.spec, "train", **options)) == 30
    toy.path(toy.spec.splits["test"].images).unlink()
    with pytest.raises(DownloadError) as caught:
        load(toy.spec, "test", **options)
    assert caught.value.failures == ((str(toy.folder), "cannot be listed: Permission denied"),)


EXHAUSTED = {
    errno.EMFILE: "close files in this process, or raise its limit (ulimit -n)",
    errno.ENFILE: "the whole system has too many open files: close some programs",
    errno.ENOMEM: "there is not enough memory: close some programs",
}


@pytest.mark.parametrize("number", EXHAUSTED)
@pytest.mark.parametrize("where", ["a local file", "a mirror"])
def test_exhausted_resources_are_not_called_a_wrong_file(toy, find_images, server, monkeypatch, where, number):
    def refuse(*_, **__):
        raise OSError(number, os.strerror(number))

    server.serve(toy.folder)
    if where == "a local file":
        monkeypatch.setattr("idxhub.acquire.local.open_regular_file", refuse)
    else:
        monkeypatch.setattr("urllib3.util.connection.socket.socket", refuse)
    with pytest.raises(DownloadError) as caught:
        find_images(
            *([toy.folder] if where == "a local file" else []),
            spec=toy.mirrored(server.url),
            download=where == "a mirror",
        )
    name, reason = toy.train_images.filename, os.strerror(number)
    assert caught.value.message == (f"{name} of toy could not be read or downloaded: {reason}; {EXHAUSTED[number]}")
    place = toy.path(toy.train_images) if where == "a local file" else f"{server.url}/{name}"
    assert (str(place), reason) in caught.value.failures
