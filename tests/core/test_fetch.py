"""From a resource to its verified bytes: where it is looked for, what is accepted, and what is said when nothing is."""

import errno
import gzip
import lzma
import os
import shutil
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
from support import made
from support.server import closed_port, ok, status

from idxhub import Plugins, idx, load
from idxhub.acquire.find import find_file, verify_bytes
from idxhub.acquire.local import SearchSettings, known_folders
from idxhub.cache.store import Cache
from idxhub.catalog import builtin
from idxhub.catalog.builtin.fashion_mnist import FASHION_MNIST
from idxhub.errors import ChecksumError, DownloadError, IdxFormatError

DATASETS = tuple(builtin.datasets().values())


@pytest.fixture
def look(toy, cache_dir):
    """Look for the train images, as `load` would; keywords as for `SearchSettings.from_environment`."""

    def look_for_it(data_dir=None, *, spec=toy.spec, resource=None, **options):
        places = SearchSettings.from_environment(data_dir, **options)
        return find_file(spec, resource or spec.splits["train"].images, Cache(cache_dir, spec), places, specs=DATASETS)

    return look_for_it


def folder_of(toy, folder, *, change=bytes, rename=str):
    """A copy of the dataset's files, changed and renamed."""
    folder.mkdir(parents=True)
    for each in toy.spec.resources:
        (folder / rename(each.filename)).write_bytes(change(toy.bytes(each)))
    return folder


def payload(toy):
    return idx.encode(toy.array(toy.train_images))


def flipped(data: bytes) -> bytes:
    return data[:-20] + bytes([data[-20] ^ 1]) + data[-19:]


def test_the_published_file(toy, look):
    found = look(toy.folder)
    assert bytes(found.payload) == payload(toy)
    assert (found.form, found.source) == ("published", str(toy.path(toy.train_images)))
    assert found.payload_sha256 == toy.train_images.payload_sha256


FORMS = {
    "recompressed": (lambda data: gzip.compress(gzip.decompress(data), 1, mtime=7), str),
    "recompressed worse": (lambda data: gzip.compress(gzip.decompress(data), 0), str),
    "xz": (lambda data: lzma.compress(gzip.decompress(data)), lambda name: name.replace(".gz", ".xz")),
    "xz under the name of .gz": (lambda data: lzma.compress(gzip.decompress(data)), str),
    "decompressed": (gzip.decompress, lambda name: name.removesuffix(".gz")),
    "decompressed under the name of .gz": (gzip.decompress, str),
    "gz under the name of the decompressed": (bytes, lambda name: name.removesuffix(".gz")),
    "as Kaggle names it": (gzip.decompress, lambda name: name.removesuffix(".gz").replace("-idx", ".idx")),
    "by size under a mangled name": (bytes, lambda name: "ucexport" + name.replace("-", "") + ".download"),
    "decompressed under a mangled name": (gzip.decompress, lambda name: name[:3] + name[-14:]),
}


@pytest.mark.parametrize("form", FORMS)
def test_copies_in_other_forms_are_accepted_by_their_payload(toy, look, tmp_path, form):
    change, rename = FORMS[form]
    found = look(folder_of(toy, tmp_path / "copy", change=change, rename=rename))
    assert bytes(found.payload) == payload(toy)
    expected = "decompressed" if change is gzip.decompress else "published" if change is bytes else "recompressed"
    assert found.form == expected


def test_without_a_payload_digest_only_the_published_bytes_will_do(toy, look, tmp_path):
    images = replace(toy.train_images, payload_sha256=None)
    spec = replace(toy.spec, splits={"train": replace(toy.spec.splits["train"], images=images)})
    assert look(toy.folder, spec=spec).form == "published"
    with pytest.raises(ChecksumError):
        look(folder_of(toy, tmp_path / "copy", change=gzip.decompress), spec=spec)


def test_md5_alone_does_not_do_where_sha256_is_known(toy, look):
    images = replace(toy.train_images, sha256="0" * 64, payload_sha256="0" * 64)
    spec = replace(toy.spec, splits={"train": replace(toy.spec.splits["train"], images=images)})
    with pytest.raises(ChecksumError):
        look(toy.folder, spec=spec)


def test_the_order_of_the_search(toy, look, tmp_path, cache_dir, monkeypatch, server):
    """Each place is emptied after it has served; the next one serves then."""
    name = toy.train_images.filename
    spec = replace(toy.spec, folders=(str(tmp_path / "known"),), mirrors=(server.url, str(tmp_path / "mirror")))
    cached = Cache(cache_dir, spec).file(toy.train_images)
    named = folder_of(toy, tmp_path / "named")
    cached.parent.mkdir(parents=True)
    shutil.copy(toy.path(toy.train_images), cached)
    monkeypatch.setenv("IDXHUB_MIRRORS", f"{server.url}/mine,{tmp_path / 'env'}")
    places = [named, cached.parent, *(folder_of(toy, tmp_path / each) for each in ("known", "env", "mirror"))]
    for path in ("/mine/" + name, "/" + name):
        server.route(path, ok(toy.bytes(toy.train_images)), status(404))

    for folder in places:
        assert look(named, spec=spec).source == str(folder / name)
        assert server.count() == 0
        (folder / name).unlink()
    for url in (f"{server.url}/mine/{name}", f"{server.url}/{name}"):
        assert look(named, spec=spec).source == url
        cached.unlink()


def test_a_downloaded_file_is_kept(toy, look, cache_dir, server):
    server.serve(toy.folder)
    spec = toy.mirrored(server.url)
    assert look(spec=spec).source.startswith(server.url)
    kept = Cache(cache_dir, spec).file(toy.train_images)
    assert kept.read_bytes() == toy.bytes(toy.train_images)
    assert look(spec=spec).source == str(kept)
    assert server.count() == 1


def test_a_local_file_is_not_copied(toy, look, cache_dir):
    look(toy.folder)
    assert not Cache(cache_dir, toy.spec).file(toy.train_images).exists()


@pytest.mark.parametrize("damage", [lambda d: b"", lambda d: d[:-1], flipped, lambda d: d + b"x", lambda d: b"<html>"])
def test_a_damaged_kept_file_is_replaced(toy, look, cache_dir, server, damage):
    server.serve(toy.folder)
    spec = toy.mirrored(server.url)
    look(spec=spec)
    kept = Cache(cache_dir, spec).file(toy.train_images)
    kept.write_bytes(damage(kept.read_bytes()))
    assert look(spec=spec).source.startswith(server.url)
    assert kept.read_bytes() == toy.bytes(toy.train_images)

    kept.write_bytes(damage(kept.read_bytes()))
    with pytest.raises(ChecksumError, match=str(kept)):
        look(spec=spec, download=False)


DAMAGE = {
    "empty": (lambda data: b"", "is empty"),
    "cut": (lambda data: data[:-9], "cut short: the compressed data ends at byte"),
    "flipped": (flipped, "expected"),
    "a page": (lambda data: b"<!DOCTYPE html><html></html>", "HTML page"),
    "trailing junk": (lambda data: data + b"junk", "something else follow"),
    "decompressed and cut": (lambda data: gzip.decompress(data)[:-1], "cut short: holds 915 of 916 bytes"),
    "longer inside": (lambda data: gzip.compress(gzip.decompress(data) + b"x"), "more than the 916 bytes"),
    "other content": (lambda data: gzip.compress(gzip.decompress(data)[:-1] + b"x"), "right shape and other content"),
    "another shape": (lambda data: gzip.compress(idx.encode(np.zeros((9, 2), np.uint8))), "uint8 of shape (9, 2)"),
    "another type": (lambda data: gzip.compress(idx.encode(np.zeros((30, 6, 5), ">i2"))), "int16 of shape (30, 6, 5)"),
    "not IDX": (lambda data: gzip.compress(b"PNG and so on"), "not IDX"),
}


@pytest.mark.parametrize("damage", DAMAGE)
def test_what_is_wrong_with_a_file_is_said(toy, look, tmp_path, damage):
    change, says = DAMAGE[damage]
    wrong = folder_of(toy, tmp_path / "wrong", change=change)
    with pytest.raises(ChecksumError) as caught:
        look(wrong)
    (failure,) = caught.value.failures
    assert failure.where == str(wrong / toy.train_images.filename)
    assert says in failure.why
    assert failure.where in str(caught.value)
    assert damage == "empty" or toy.train_images.md5 in failure.why or "this is" in failure.why


@pytest.mark.parametrize("damage", DAMAGE)
def test_a_wrong_file_is_passed_over(toy, look, tmp_path, damage):
    wrong = folder_of(toy, tmp_path / "wrong", change=DAMAGE[damage][0])
    spec = replace(toy.spec, folders=(str(toy.folder),))
    assert look(wrong, spec=spec).source == str(toy.path(toy.train_images))


def test_a_right_file_beside_a_wrong_one(toy, look, tmp_path):
    folder = folder_of(toy, tmp_path / "mixed", change=flipped)
    shutil.copy(toy.path(toy.train_images), folder / "download (1)")
    assert look(folder).source == str(folder / "download (1)")


def test_a_file_far_too_large_is_not_read(toy, look, tmp_path):
    folder = tmp_path / "large"
    folder.mkdir()
    with (folder / toy.train_images.filename).open("wb") as file:
        file.truncate(1 << 40)
    with pytest.raises(ChecksumError, match="more than 67,368 bytes"):
        look(folder)


def test_a_file_that_cannot_be_read_is_named(toy, look, tmp_path):
    folder = tmp_path / "loop"
    folder.mkdir()
    (folder / toy.train_images.filename).symlink_to(folder / toy.train_images.filename)
    os.mkfifo(folder / "pipe")  # is not waited for
    with pytest.raises(DownloadError):
        look(folder)


def test_mnist_under_fashion_mnists_names_is_recognised(mnist_dir, full_data_dir, cache_dir):
    images, labels = FASHION_MNIST.splits["test"].images, FASHION_MNIST.splits["test"].labels
    places = SearchSettings.from_environment(mnist_dir, download=False)
    nowhere_else = replace(FASHION_MNIST, folders=())
    for resource, what in (
        (images, "MNIST test images"),
        (labels, "MNIST test labels"),
    ):
        with pytest.raises(ChecksumError) as caught:
            find_file(nowhere_else, resource, Cache(cache_dir, FASHION_MNIST), places, specs=DATASETS)
        assert f"this is {what}" in str(caught.value)
        assert str(mnist_dir / resource.filename) in str(caught.value)

    passed_over = replace(FASHION_MNIST, folders=(str(full_data_dir),))
    found = find_file(passed_over, images, Cache(cache_dir, FASHION_MNIST), places)
    assert found.source == str(full_data_dir / images.filename)
    assert found.payload_sha256 == images.payload_sha256


def test_another_file_of_the_same_dataset_is_called_what_it_is(toy, look, tmp_path):
    folder = tmp_path / "swapped"
    folder.mkdir()
    shutil.copy(toy.path(toy.spec.splits["test"].images), folder / toy.train_images.filename)
    with pytest.raises(ChecksumError, match="this is toy test images"):
        load(toy.spec, "train", data_dir=folder, plugins=WithToy(toy.spec))


class WithToy(Plugins):
    """A catalog with one more dataset."""

    def __init__(self, spec):
        super().__init__([])
        self.spec = spec

    def datasets(self):
        return super().datasets() | {"toy": self.spec}


def test_the_real_files_recompressed_as_debian_does(full_data_dir, tmp_path, cache_dir):
    folder = tmp_path / "usr" / "share" / "datasets"
    folder.mkdir(parents=True)
    for resource in (FASHION_MNIST.splits["test"].images, FASHION_MNIST.splits["test"].labels):
        data = gzip.decompress((full_data_dir / resource.filename).read_bytes())
        (folder / resource.filename).write_bytes(gzip.compress(data, 1, mtime=0))
        spec = replace(FASHION_MNIST, folders=(str(folder),))
        found = find_file(spec, resource, Cache(cache_dir, spec), SearchSettings(download=False))
        assert (found.form, found.payload_sha256) == ("recompressed", resource.payload_sha256)


def test_a_data_dir_that_does_not_exist(look, tmp_path):
    with pytest.raises(DownloadError, match="does not exist"):
        look(tmp_path / "nothing")


def test_a_data_dir_that_is_a_file(toy, look):
    with pytest.raises(DownloadError, match="is not a folder"):
        look(toy.path(toy.train_images))


def test_a_data_dir_in_the_home_folder(toy, look):
    folder_of(toy, Path("~/mine").expanduser())
    assert look("~/mine").form == "published"


def test_folders_without_the_file_are_listed_too(toy, look, tmp_path, monkeypatch):
    (tmp_path / "empty").mkdir()
    (tmp_path / "mirror").mkdir()
    monkeypatch.setenv("IDXHUB_MIRRORS", str(tmp_path / "mirror"))
    spec = replace(toy.spec, folders=(str(tmp_path / "nothing"),), subfolders=("", "raw"))
    with pytest.raises(DownloadError) as caught:
        look(tmp_path / "empty", spec=spec)
    assert [(failure.where, failure.why) for failure in caught.value.failures] == [
        (str(tmp_path / "empty"), "has no such file"),
        (str(tmp_path / "nothing"), "no such folder"),
        (str(tmp_path / "mirror"), "has no such file"),
        (str(tmp_path / "mirror" / "toy"), "no such folder"),
    ]


def test_nothing_to_look_in(look):
    with pytest.raises(DownloadError, match="names no folder and no mirror"):
        look()


def test_every_place_and_reason_is_listed(toy, look, tmp_path, server):
    wrong = folder_of(toy, tmp_path / "wrong", change=flipped)
    known = folder_of(toy, tmp_path / "known", change=lambda data: b"")
    refused = f"http://127.0.0.1:{closed_port()}"
    spec = replace(toy.mirrored(server.url, refused), folders=(str(known),))
    with pytest.raises(ChecksumError) as caught:
        look(wrong, spec=spec)
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


@pytest.mark.parametrize("value", ["1", "true", "YES", " on "])
def test_offline_is_offline(toy, look, server, monkeypatch, value):
    server.serve(toy.folder)
    monkeypatch.setenv("IDXHUB_OFFLINE", value)
    with pytest.raises(DownloadError, match="not tried: IDXHUB_OFFLINE is set"):
        look(spec=toy.mirrored(server.url))
    assert server.count() == 0
    assert look(toy.folder, spec=toy.mirrored(server.url)).form == "published"


@pytest.mark.parametrize("value", ["", "0", "false", "No", "off"])
def test_not_offline(toy, look, server, monkeypatch, value):
    server.serve(toy.folder)
    monkeypatch.setenv("IDXHUB_OFFLINE", value)
    assert look(spec=toy.mirrored(server.url)).form == "published"


def test_download_false(toy, look, server):
    with pytest.raises(DownloadError, match="not tried: download=False") as caught:
        look(spec=toy.mirrored(server.url), download=False)
    assert server.count() == 0
    assert "IDXHUB_MIRRORS" in str(caught.value)


def test_known_folders_expand(monkeypatch, tmp_path, toy):
    monkeypatch.setenv("KERAS_HOME", str(tmp_path))
    spec = replace(toy.spec, folders=("~/a", "$KERAS_HOME/b", "$UNSET_FOLDER/c", "d"))
    monkeypatch.chdir(tmp_path)
    assert known_folders(spec, SearchSettings()) == [Path("~/a").expanduser(), tmp_path / "b", tmp_path / "d"]


def test_the_digest_is_right_and_the_file_is_not(tmp_path, toy):
    """The spec's author published something that is no IDX file of that shape."""
    resource = made.write(tmp_path, "x-idx1-ubyte.gz", np.zeros(20, np.uint8))
    data = (tmp_path / "x-idx1-ubyte.gz").read_bytes()
    with pytest.raises(IdxFormatError, match="the digest is right, but inflates to more than the 18 bytes"):
        verify_bytes(replace(resource, shape=(10,)), data, "here")
    split = replace(toy.spec.splits["train"], images=replace(toy.train_images, shape=(30, 5, 6)))
    with pytest.raises(IdxFormatError, match=r"the digest is right, but it holds uint8 of shape \(30, 6, 5\)"):
        load(replace(toy.spec, splits={"train": split}), data_dir=toy.folder, plugins=Plugins([]))


@pytest.mark.skipif(os.name != "posix", reason="links")
def test_a_bad_entry_hides_no_other(toy, tmp_path):
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
def test_too_many_open_files_or_too_little_memory_is_no_wrong_file(toy, look, server, monkeypatch, where, number):
    def refuse(*_, **__):
        raise OSError(number, os.strerror(number))

    server.serve(toy.folder)
    if where == "a local file":
        monkeypatch.setattr("idxhub.acquire.local.open_regular_file", refuse)
    else:
        monkeypatch.setattr("urllib3.util.connection.socket.socket", refuse)
    with pytest.raises(DownloadError) as caught:
        look(
            *([toy.folder] if where == "a local file" else []),
            spec=toy.mirrored(server.url),
            download=where == "a mirror",
        )
    name, reason = toy.train_images.filename, os.strerror(number)
    assert caught.value.message == (f"{name} of toy could not be read or downloaded: {reason}; {EXHAUSTED[number]}")
    place = toy.path(toy.train_images) if where == "a local file" else f"{server.url}/{name}"
    assert (str(place), reason) in caught.value.failures
