"""The audit of .zip archives: those in which a dataset is published, and others."""

import gzip
import tracemalloc
import zipfile
from dataclasses import replace

import pytest
from support import made

from idxhub import Plugins, SplitSpec, idx, load
from idxhub.audit.judge import audit_files
from idxhub.cache.store import Cache

TRAIN = "train-images-idx3-ubyte"


@pytest.fixture
def packed(toy, tmp_path):
    """The toy's four files in one .zip: a function that gives the spec with the archive in it, under any name."""
    whole = made.packed(toy, tmp_path / "packed")
    (path,) = whole.folder.iterdir()
    return lambda name="toy", title="Toys small": (path, replace(whole.spec, name=name, title=title))


def found(report):
    return [(each.member, each.claim, each.state, each.found) for each in report.findings if each.member is None]


def test_a_published_archive_is_called_so_whatever_its_name(packed, tmp_path):
    path, spec = packed()
    other = replace(spec, name="others", title="Toys large")
    report = audit_files([path.rename(tmp_path / "x_all_zip_8Xk.zip")], [spec, other])
    assert found(report) == [(None, "", "right", "Toys, the archive, official")]
    assert [each.state for each in report.findings] == ["right"] * 5
    whole = report.findings[0]
    assert (whole.file.dataset, whole.file.part, whole.form) == ("Toys", "the archive", "published")
    assert (whole.sha256, whole.content_sha256) == (spec.resources[0].archive.sha256, None)


WRONG = {
    "empty": (lambda data: b"", "empty"),
    "a page": (lambda data: b"<!doctype html><html>", "an HTML page"),
    "cut": (lambda data: data[:-200], "cut short at byte {cut:,} of {size:,}"),
    "its end overwritten": (lambda data: data[:-40] + bytes(40), "a damaged .zip: File is not a zip file"),
    "no members": (lambda data: b"PK\5\6" + bytes(18), "a .zip that holds no file of Toys small"),
    "no zip": (lambda data: bytes(5000), "a damaged .zip: File is not a zip file"),
}


def test_a_zip_of_another_datasets_files_is_not_the_published_archive(packed, toy):
    path, spec = packed()
    with zipfile.ZipFile(path, "w") as archive:
        archive.write(toy.path(toy.train_images), "x-images-idx3-ubyte.gz")
    other = replace(toy.train_images, filename="x-images-idx3-ubyte.gz")
    report = audit_files(
        [path], [spec, replace(toy.spec, name="x", splits={"train": SplitSpec(other, toy.train_labels)})]
    )
    assert [(each.member, each.state) for each in report.findings] == [(other.filename, "right"), (None, "wrong")]
    assert report.findings[1].found == "a .zip that holds no file of Toys small"


@pytest.mark.parametrize("what", WRONG)
def test_a_file_with_a_published_archives_name_claims_to_be_it(packed, what):
    path, spec = packed()
    change, says = WRONG[what]
    whole = path.read_bytes()
    path.write_bytes(change(whole))
    (finding,) = audit_files([path], [spec]).findings
    assert (finding.claim, finding.state) == ("Toys small, the archive", "wrong")
    assert finding.found == says.format(cut=len(whole) - 200, size=len(whole))
    assert audit_files([path.rename(path.with_name("mine.zip"))], [spec]).findings == ()


def test_an_archive_with_another_sha256_is_not_the_published_one(packed):
    path, spec = packed()
    assert audit_files([path], [spec]).findings[0].member is None
    archive = replace(spec.splits["train"].images.archive, sha256="0" * 64)
    images, labels = (replace(spec.splits["train"].arrays[i].resource, archive=archive) for i in (0, 1))
    findings = audit_files([path], [replace(spec, splits={"train": SplitSpec(images, labels)})]).findings
    assert {each.member for each in findings} == {images.member, labels.member}


def test_an_archive_that_was_packed_again_is_told_by_its_members(packed, toy):
    path, spec = packed()
    with zipfile.ZipFile(path, "w", zipfile.ZIP_DEFLATED) as archive:
        archive.write(toy.path(toy.train_images), f"inside/{toy.train_images.filename}")
    report = audit_files([path], [spec])
    assert [(each.member, each.state) for each in report.findings] == [(f"inside/{toy.train_images.filename}", "right")]


def test_cached_archives_of_specs_of_ones_own(packed, tmp_path, server):
    path, spec = packed(name="mine")
    server.serve(path.parent)
    load(replace(spec, mirrors=(server.url,)), cache_dir=tmp_path / "cache", plugins=Plugins([]))
    report = audit_files([tmp_path / "cache"], [])
    assert [(each.state, each.found) for each in report.findings] == [
        ("right", "all.zip, according to idxhub's record")
    ]
    kept = Cache(tmp_path / "cache", spec).file(spec.resources[0].archive)
    with zipfile.ZipFile(kept, "a") as archive:
        archive.writestr(TRAIN, b"")
    assert audit_files([kept], []).findings == ()  # the archive has changed, and no spec has the names of its members
    assert [each.state for each in audit_files([kept], [spec]).findings] == ["right"] * 4 + ["wrong"]


@pytest.mark.parametrize(
    ("archive", "member", "claim"),
    [
        ("mine.zip", TRAIN, "train images"),
        ("toy.zip", TRAIN, "toy train images"),
        ("toy.zip", f"data/x/{TRAIN}", "toy train images"),
        ("toy.zip", f"twin/{TRAIN}", "twin train images"),
        ("toy-master.zip", TRAIN, "train images"),
        ("toy/mine.zip", TRAIN, "toy train images"),
        ("toy/a/mine.zip", f"b/{TRAIN}", "toy train images"),
        ("mine.zip", f"/toy/{TRAIN}", "toy train images"),
        ("mine.zip", f"../toy/{TRAIN}", "toy train images"),
    ],
)
def test_a_zip_counts_as_a_folder_with_its_name(toy, tmp_path, archive, member, claim):
    twin = made.make(tmp_path / "twins", name="twin", seed=1)
    path = tmp_path / "looked" / archive
    path.parent.mkdir(parents=True)
    with zipfile.ZipFile(path, "w") as packed:
        packed.writestr(member, gzip.decompress(twin.bytes(twin.train_images)))
    (finding,) = audit_files([tmp_path / "looked"], [toy.spec, twin.spec]).findings
    assert (finding.claim, finding.state) == (claim, "wrong" if claim.startswith("toy") else "right")


def test_only_one_folder_in_one_archive_can_be_mixed(toy, tmp_path):
    twin = made.make(tmp_path / "twins", name="twin", seed=1)
    looked = tmp_path / "looked"
    looked.mkdir()
    for name, made_one in {"a": toy, "b": twin}.items():
        with zipfile.ZipFile(looked / f"{name}.zip", "w") as packed:
            packed.writestr(f"in/{TRAIN}.gz", made_one.bytes(made_one.train_images))
    report = audit_files([looked], [toy.spec, twin.spec])
    assert (len(report.findings), report.mixed, report.ok) == (2, (), True)
    with zipfile.ZipFile(looked / "b.zip", "a") as packed:
        packed.writestr("in/train-labels-idx1-ubyte.gz", toy.bytes(toy.train_labels))
    assert audit_files([looked], [toy.spec, twin.spec]).mixed == (
        f"{looked / 'b' / 'in'} mixes files of twin and of toy",
    )


ZEROS = 60_000_000  # bytes, behind the array of 30 images of 6x5


def longer():
    return idx.encode_header((30, 6, 5), "uint8") + bytes(ZEROS)


FEW = "59,999,100 bytes follow the array of 30x6x5 uint8; has the shape of toy train images"
BOMBS = {
    "deflated": (TRAIN, zipfile.ZIP_DEFLATED, longer, "wrong", FEW),
    "bzip2": (
        TRAIN,
        zipfile.ZIP_BZIP2,
        longer,
        "unreadable",
        "cannot be read: compressed with bzip2, which idxhub does not read",
    ),
    "gz": (
        *(f"{TRAIN}.gz", zipfile.ZIP_DEFLATED, lambda: gzip.compress(longer(), 1), "wrong"),
        "{size:,} bytes, where an array of 30x6x5 uint8 takes no more than 67,368; has the shape of toy train images",
    ),
    "gz, smaller": (
        *(f"{TRAIN}.gz", zipfile.ZIP_STORED, lambda: gzip.compress(longer()[:9_000_000]), "wrong"),
        "inflates to more than the 916 bytes expected; has the shape of toy train images",
    ),
    "gz, zeros behind it": (
        *(f"{TRAIN}.gz", zipfile.ZIP_DEFLATED, lambda: gzip.compress(longer()[:916]) + bytes(ZEROS), "wrong"),
        "{size:,} bytes, where an array of 30x6x5 uint8 takes no more than 67,368; has the shape of toy train images",
    ),
}


@pytest.mark.parametrize("bomb", BOMBS)
def test_a_small_zip_takes_little_memory_and_time(toy, tmp_path, bomb):
    name, method, content, state, says = BOMBS[bomb]
    data = content()
    with zipfile.ZipFile(tmp_path / "bomb.zip", "w", method) as packed:
        packed.writestr(name, data)
    size = len(data)
    del data
    tracemalloc.start()
    try:
        (finding,) = audit_files([tmp_path / "bomb.zip"], [toy.spec]).findings
        peak = tracemalloc.get_traced_memory()[1]
    finally:
        tracemalloc.stop()
    assert (finding.state, finding.found) == (state, says.format(size=size))
    assert finding.sha256 is None or bomb == "gz, smaller"
    assert peak < 3_000_000


def test_a_huge_directory_is_not_read(packed):
    path, spec = packed()
    with zipfile.ZipFile(path, "a") as archive:
        for number in range(12_000):
            archive.writestr(f"{number:060}", b"")
    (finding,) = audit_files([path], [spec]).findings
    assert finding.found == "a damaged .zip: its directory is larger than 1,048,576 bytes"


@pytest.mark.filterwarnings("ignore:Duplicate name")
def test_of_two_members_with_one_name_the_last_is_examined(toy, tmp_path):
    path = tmp_path / "two.zip"
    with zipfile.ZipFile(path, "w") as archive:
        for resource in (toy.spec.splits["test"].images, toy.train_images):
            archive.writestr(toy.train_images.filename, toy.bytes(resource))
    (finding,) = audit_files([path], [toy.spec]).findings
    assert (finding.state, finding.found) == ("right", "toy train images, official")


def test_an_encrypted_member_is_not_called_damaged(toy, tmp_path):
    path = tmp_path / "secret.zip"
    with zipfile.ZipFile(path, "w") as packed:
        packed.writestr(TRAIN, b"x" * 50)
    data = bytearray(path.read_bytes())
    data[6] |= 1
    data[data.index(b"PK\1\2") + 8] |= 1
    path.write_bytes(data)
    (finding,) = audit_files([path], [toy.spec]).findings
    assert (finding.state, finding.found) == ("unreadable", "cannot be read: encrypted")
