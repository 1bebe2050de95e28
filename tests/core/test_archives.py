"""Files that are published in a .zip: fetched once for all that are in it, read in place, verified one by one.

The archive has EMNIST's structure: .gz members in a folder `gzip`, of several datasets, images on their side, and the
letters' labels counted from 1.
"""

import gzip
import json
import zipfile
from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace

import numpy as np
import pytest
from support import made
from support.processes import python
from support.server import ok, page, short, slow, status

from idxhub import Archive, DatasetSpec, Plugins, Resource, SplitSpec, errors, idx, load
from idxhub.acquire.find import find_file
from idxhub.acquire.local import SearchSettings
from idxhub.cache.layout import list_cache_folders, remove_all
from idxhub.cache.store import Cache

NAMES = ("letters", "digits")


class Published:
    """`specs` by name, the arrays that they must give, the loose files in `folder`, and the .zip of them."""

    def __init__(self, tmp_path):
        self.folder, self.zip = tmp_path / "gzip", tmp_path / "published" / "gzip.zip"
        random = np.random.default_rng(0)
        self.truth, bare = {}, {}
        for name in NAMES:
            for split, count in {"train": 30, "test": 12}.items():
                images = random.integers(0, 256, (count, 6, 6)).astype(np.uint8)
                labels = random.integers(0, 3, count)
                self.truth[name, split] = images, labels
                stem = f"emnist-{name}-{split}"
                written = (labels + (name == "letters")).astype(np.uint8)
                bare[name, split] = (
                    made.write(self.folder, f"{stem}-images-idx3-ubyte.gz", images.swapaxes(1, 2)),
                    made.write(self.folder, f"{stem}-labels-idx1-ubyte.gz", written),
                )
        self.zip.parent.mkdir()
        self.pack(self.zip)
        self.archive = Archive.from_file(self.zip)
        self.specs = {name: self.spec(name, bare) for name in NAMES}

    def pack(self, path, method=zipfile.ZIP_DEFLATED):
        with zipfile.ZipFile(path, "w", method) as packed:
            for file in sorted(self.folder.iterdir()):
                packed.write(file, f"gzip/{file.name}")

    def spec(self, name, bare):
        """As the catalog's: of a member the MD5 is known, and nothing else."""
        splits = {}
        for split in ("train", "test"):
            images, labels = (
                Resource(each.filename, each.md5, each.shape, archive=self.archive, member=f"gzip/{each.filename}")
                for each in bare[name, split]
            )
            splits[split] = SplitSpec(images, labels, label_offset=int(name == "letters"), transposed=True)
        return DatasetSpec(f"emnist-{name}", splits, classes=made.CLASSES, subfolders=("", "EMNIST/raw", "gzip"))

    def check(self, name="letters", split="train", **options):
        spec = options.pop("spec", self.specs[name])
        loaded = load(spec, split, plugins=Plugins([]), **options)
        images, labels = self.truth[name, split]
        np.testing.assert_array_equal(loaded.images, images)
        np.testing.assert_array_equal(loaded.labels, labels)
        return loaded.info.records


@pytest.fixture
def published(tmp_path):
    return Published(tmp_path)


@pytest.fixture
def served(published, server):
    """The same, with the server as mirror of all."""
    server.route("/gzip.zip", ok(published.zip.read_bytes()))
    published.specs = {name: replace(spec, mirrors=(server.url,)) for name, spec in published.specs.items()}
    return published


def test_one_download_for_all_datasets_in_it(served, server, cache_dir):
    for name in NAMES:
        for split in ("train", "test"):
            served.check(name, split)
    assert server.count() == 1
    assert server.bytes_sent == served.archive.size
    kept = Cache(cache_dir, served.specs["letters"]).file(served.archive)
    assert kept.read_bytes() == served.zip.read_bytes()
    assert kept == cache_dir / f"archive-{served.archive.md5[:12]}" / "gzip.zip"
    assert not list(cache_dir.rglob("*.gz")), "a member was unpacked"


def test_the_record_names_archive_member_and_origin(served, server, cache_dir):
    url, member = f"{server.url}/gzip.zip", "gzip/emnist-digits-test-images-idx3-ubyte.gz"
    served.check("letters")
    images, _ = served.check("digits", "test")  # out of the kept archive: it has to be remembered where that is from
    assert images.source == f"{Cache(cache_dir, served.specs['digits']).file(served.archive)}#{member}"
    assert images.origin == f"{url}#{member}"
    assert (images.archive, images.member) == (("gzip.zip", served.archive.md5, served.archive.sha256), member)
    assert (images.form, images.dataset) == ("published", "emnist-digits")
    assert images.sha256 is not None


def test_a_password_in_the_mirrors_address_is_not_kept(served, server, cache_dir):
    secret = server.url.replace("://", "://somebody:secret@")
    served.specs = {name: replace(spec, mirrors=(secret,)) for name, spec in served.specs.items()}
    for name in NAMES:
        for record in served.check(name):
            assert record.origin.startswith(f"{server.url}/gzip.zip#")
    texts = [path.read_text() for path in cache_dir.rglob("*.json")]
    assert len(texts) == 5
    assert not [text for text in texts if "secret" in text or "somebody" in text]


def test_threads_that_want_different_members_wait_for_one_download(served, server):
    server.route("/gzip.zip", slow(ok(served.zip.read_bytes()), 0.5))
    with ThreadPoolExecutor(4) as pool:
        asked = [pool.submit(served.check, name, split) for name in NAMES for split in ("train", "test")]
        for each in asked:
            each.result()
    assert server.count() == 1


def test_processes_that_want_different_datasets_wait_for_one_download(served, server):
    server.route("/gzip.zip", slow(ok(served.zip.read_bytes()), 1.0))
    asked = [(name, split) for name in NAMES for split in ("train", "test")]
    code = "import idxhub; print(idxhub.load(*given, plugins=idxhub.Plugins([])).labels.sum())"
    with ThreadPoolExecutor(4) as pool:
        children = [pool.submit(python, code, given=(served.specs[name], split)) for name, split in asked]
        sums = [int(child.result().stdout) for child in children]
    assert sums == [int(served.truth[each][1].sum()) for each in asked]
    assert server.count() == 1


def place(published, folder, how):
    folder.mkdir(parents=True)
    if how == "as published":
        (folder / "gzip.zip").write_bytes(published.zip.read_bytes())
    elif how == "another name":
        (folder / "emnist (1).bin").write_bytes(published.zip.read_bytes())
    elif how == "packed again, stored":
        published.pack(folder / "gzip.zip", zipfile.ZIP_STORED)
    elif how == "loose files":
        for file in published.folder.iterdir():
            (folder / file.name).write_bytes(file.read_bytes())


LOCAL = ["as published", "another name", "packed again, stored", "loose files"]


@pytest.mark.parametrize("how", LOCAL)
@pytest.mark.parametrize("where", ["data_dir", "below data_dir", "a known folder", "a mirror"])
def test_found_on_this_machine(published, tmp_path, cache_dir, how, where):
    folder = tmp_path / "found" / ("EMNIST/raw" if where == "below data_dir" else "")
    place(published, folder, how)
    spec, options = published.specs["letters"], {}
    if where == "a known folder":
        spec = replace(spec, folders=(str(folder),))
    elif where == "a mirror":
        spec = replace(spec, mirrors=(str(folder),))
    else:
        options["data_dir"] = tmp_path / "found"
    records = published.check(spec=spec, download=False, **options)
    assert {record.form for record in records} == {"published"}
    assert all(record.source.startswith(str(folder)) for record in records)
    assert not list(cache_dir.glob("archive-*")), "what is there already is not copied"


def test_a_torn_download_leaves_nothing_and_is_tried_again(served, server, cache_dir):
    whole = served.zip.read_bytes()
    server.route("/gzip.zip", short(whole, 1000, reset=True), short(whole, 2000), ok(whole))
    served.check()
    assert server.count() == 3
    assert not list(cache_dir.rglob("*.tmp"))


WRONG = {
    "a page": (page(), "HTML page"),
    "not there": (status(404), "HTTP 404"),
    "one bit": (None, "expected"),
    "too long": (None, "longer than the"),
    "always cut": (None, "3 times"),
}


@pytest.mark.parametrize("what", WRONG)
def test_a_wrong_archive_is_not_kept_and_the_next_mirror_serves(served, server, cache_dir, what):
    whole = served.zip.read_bytes()
    answer = {
        "one bit": ok(whole[:100] + bytes([whole[100] ^ 1]) + whole[101:]),
        "too long": ok(whole + b"x"),
        "always cut": short(whole, 500),
    }.get(what, WRONG[what][0])
    server.route("/bad/gzip.zip", answer)
    bad = replace(served.specs["letters"], mirrors=(f"{server.url}/bad",))
    expected = errors.ChecksumError if what == "one bit" else errors.DownloadError
    with pytest.raises(expected, match=WRONG[what][1]):
        load(bad, plugins=Plugins([]))
    assert not [path for path in cache_dir.rglob("*") if path.is_file() and path.suffix in (".zip", ".tmp", ".npy")]
    served.check(spec=replace(bad, mirrors=(f"{server.url}/bad", server.url)))


@pytest.mark.parametrize("damage", ["emptied", "cut", "one bit", "a page", "zeros"])
def test_a_damaged_kept_archive_is_replaced(served, server, cache_dir, damage):
    served.check()
    kept = Cache(cache_dir, served.specs["letters"]).file(served.archive)
    whole = kept.read_bytes()
    with zipfile.ZipFile(kept) as archive:
        at = archive.getinfo("gzip/emnist-digits-train-images-idx3-ubyte.gz").header_offset + 200
    kept.write_bytes(
        {
            "emptied": b"",
            "cut": whole[:-30],
            "one bit": whole[:at] + bytes([whole[at] ^ 1]) + whole[at + 1 :],
            "a page": b"<html>",
            "zeros": bytes(len(whole)),
        }[damage]
    )
    with pytest.raises((errors.ChecksumError, errors.DownloadError), match=r"gzip\.zip"):
        served.check("digits", download=False)
    served.check("digits")
    assert kept.read_bytes() == whole
    assert server.count() == 2


def test_a_wrong_member_and_a_missing_member_are_different_errors(published, tmp_path):
    folder = tmp_path / "wrong"
    folder.mkdir()
    with zipfile.ZipFile(folder / "gzip.zip", "w") as packed:
        data = gzip.compress(idx.encode(np.zeros((30, 6, 6), np.uint8)))
        packed.writestr("gzip/emnist-letters-train-images-idx3-ubyte.gz", data)
    with pytest.raises(errors.ChecksumError, match=r"train-images-idx3-ubyte\.gz: has the right shape, but no digest"):
        load(published.specs["letters"], data_dir=folder, plugins=Plugins([]))
    with pytest.raises(errors.ChecksumError, match="has no member gzip/emnist-digits"):
        load(published.specs["digits"], data_dir=folder, plugins=Plugins([]))


def test_an_archive_that_is_as_published_and_lacks_a_member(published, server):
    server.route("/gzip.zip", ok(published.zip.read_bytes()))
    train = published.specs["letters"].splits["train"]
    split = replace(train, images=replace(train.images, member="gzip/none"))
    spec = replace(published.specs["letters"], splits={"train": split}, mirrors=(server.url,))
    with pytest.raises(errors.IdxHubError, match="has no member gzip/none"):
        load(spec, plugins=Plugins([]))


def test_no_archive_is_downloaded_where_nothing_may_be_kept(served, server, cache_dir):
    spec = served.specs["letters"]
    images = spec.splits["train"].images
    with pytest.raises(errors.DownloadError, match=r"not tried: gzip\.zip is downloaded into the cache"):
        find_file(spec, images, Cache(cache_dir, spec), SearchSettings(), keep=False)
    assert server.count() == 0
    assert not cache_dir.exists()
    assert (
        find_file(spec, images, Cache(cache_dir, spec), SearchSettings(served.zip.parent), keep=False).form
        == "published"
    )
    assert not cache_dir.exists()


def test_the_cache_command_counts_and_removes_archives(served, cache_dir):
    served.check()
    folders = {folder.name.rpartition("-")[0] for folder in list_cache_folders(cache_dir)}
    assert folders == {"archive", "emnist-letters"}
    assert remove_all(cache_dir) > served.archive.size
    assert not list(cache_dir.iterdir())


def test_the_note_beside_an_archive_may_be_lost(served, cache_dir):
    served.check()
    note = Cache(cache_dir, served.specs["letters"]).file(served.archive).with_name("gzip.zip.origin.json")
    assert json.loads(note.read_text())["downloaded"].endswith("+00:00")
    for text in ("", "[]", "{}"):
        note.write_text(text)
        for record in served.check("digits", cache_dir=cache_dir):
            assert record.origin == record.source
        for path in Cache(cache_dir, served.specs["digits"]).folder.glob("*"):
            path.unlink()
