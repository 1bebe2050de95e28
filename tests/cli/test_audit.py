"""`idxhub audit`: its table, its JSON, its exit status, and what it puts into the cache."""

import gzip
import json
import os
import shutil
import zipfile

import numpy as np
import platformdirs
import pytest
from support.command import SAMPLE
from support.processes import python_as_nobody

import idxhub

TEST_LABELS = "t10k-labels-idx1-ubyte.gz"


@pytest.fixture
def run(run, monkeypatch, tmp_path):
    """Run `idxhub audit` offline in a folder of its own."""
    monkeypatch.chdir(tmp_path)
    return lambda *arguments: run("audit", *arguments)


@pytest.fixture
def folder(tmp_path):
    """The sample's files in a folder that is called after it."""
    (published,) = idxhub.Plugins([]).dataset(SAMPLE).folders
    return shutil.copytree(published, tmp_path / "data" / SAMPLE)


def test_a_sound_folder(run, folder):
    result = run("data")
    assert result.exit_code == 0
    lines = result.stdout.splitlines()
    assert lines[0].split("  ")[0] == "FILE"
    assert lines[1] == str(folder)
    assert [line.rpartition("  ")[2] for line in lines[2:6]] == [
        f"Fashion-MNIST, a sample: {part}, official"
        for part in ("test images", "test labels", "train images", "train labels")
    ]
    assert lines[6:] == ["4 IDX files: 4 right; 0 others ignored"]
    assert max(map(len, lines[2:6])) < 120


def test_wrong_files_are_marked_and_counted(run, folder):
    (folder / TEST_LABELS).write_text("<html></html>")
    shutil.copy(folder / "train-labels-idx1-ubyte.gz", folder / "t10k-images-idx3-ubyte.gz")
    (folder / "mine.idx").write_bytes(idxhub.idx.encode(np.zeros((2, 3), np.uint8)))
    (folder / "x.npy").write_bytes(b"x")
    result = run("data")
    assert result.exit_code == 1
    assert "WRONG: an HTML page\n" in result.stdout
    assert "WRONG: Fashion-MNIST, a sample: train labels, official\n" in result.stdout
    assert "  mine.idx                    -  " in result.stdout
    assert result.stdout.endswith("5 IDX files: 2 right, 2 wrong, 1 unknown; 1 other ignored\n")


def test_real_files_of_two_datasets_in_one_folder(run, full_data_dir, mnist_dir, tmp_path):
    (tmp_path / "mixed").mkdir()
    shutil.copy(full_data_dir / "t10k-images-idx3-ubyte.gz", tmp_path / "mixed")
    shutil.copy(mnist_dir / TEST_LABELS, tmp_path / "mixed")
    result = run("mixed")
    assert result.exit_code == 1
    assert result.stdout.endswith(
        f"WRONG: {tmp_path / 'mixed'} mixes files of Fashion-MNIST and of MNIST\n"
        "2 IDX files: 2 right; 1 folder mixed; 0 others ignored\n"
    )


def test_a_file_of_no_spec_is_recognised(run, mnist_dir, tmp_path):
    first = mnist_dir.parent / "fashion-mnist-v1-labels" / TEST_LABELS
    if not first.exists():
        pytest.skip("needs the first release's labels beside MNIST's folder")
    (tmp_path / "mixed").mkdir()
    shutil.copy(first, tmp_path / "mixed")
    shutil.copy(mnist_dir / "t10k-images-idx3-ubyte.gz", tmp_path / "mixed")
    data = json.loads(run("mixed", "--json").stdout)
    title = "Fashion-MNIST of 2017-08-26, before duplicates were removed"
    (labels,) = (row for row in data["files"] if row["dataset"] is None)
    assert labels["found"] == f"{title}: test labels, as published"
    assert (labels["is"], labels["form"]) == ({"title": title, "part": "test labels"}, "published")
    assert data["mixed"] == [f'{tmp_path / "mixed"} mixes files of MNIST and of "{title}"']


def test_as_data(run, folder):
    (folder / TEST_LABELS).write_bytes(b"")
    result = run("data", "--json")
    assert result.exit_code == 1
    data = json.loads(result.stdout)
    assert (data["paths"], data["left_alone"], data["mixed"], data["ok"]) == (["data"], 0, [], False)
    assert "adopted" not in data
    images, labels = data["files"][:2]
    resource = idxhub.Plugins([]).dataset(SAMPLE).splits["test"].images
    assert images == {
        "path": str(folder / resource.filename),
        "member": None,
        "folder": False,
        "claim": "Fashion-MNIST, a sample: test images",
        "found": "Fashion-MNIST, a sample: test images, official",
        "state": "right",
        "is": {"title": "Fashion-MNIST, a sample", "part": "test images"},
        "dataset": SAMPLE,
        "form": "published",
        "sha256": resource.sha256,
        "content_sha256": resource.payload_sha256,
    }
    assert (labels["state"], labels["found"], labels["sha256"]) == ("wrong", "empty", None)


def test_adopting(run, folder, cache_dir):
    content = gzip.decompress((folder / TEST_LABELS).read_bytes())
    (folder / TEST_LABELS).unlink()
    (folder / "mangled").write_bytes(gzip.compress(content, 1))
    (folder / "train-labels-idx1-ubyte.gz").write_bytes(b"")
    result = run("data", "--adopt")
    assert result.exit_code == 1
    table = result.stdout.partition("INTO THE CACHE")[2]
    assert table.count("  cached  ") == 2
    assert f"test labels   cached, recompressed  {folder / 'mangled'}\n" in table
    assert table.endswith(f"in {cache_dir}\n")
    shutil.rmtree(folder)
    loaded = idxhub.load(SAMPLE, "test", download=False)
    assert [record.form for record in loaded.info.records] == ["published", "recompressed"]
    again = run("data", "--adopt", "--json")
    assert json.loads(again.stdout)["adopted"] == []


def test_adopting_out_of_an_archive(run, folder, tmp_path):
    """Members as published, and one that was decompressed before."""
    with zipfile.ZipFile(tmp_path / "all.zip", "w", zipfile.ZIP_DEFLATED) as archive:
        first, *others = sorted(folder.iterdir())
        archive.writestr(f"in/{first.stem}", gzip.decompress(first.read_bytes()))
        for path in others:
            archive.write(path, f"in/{path.name}")
    result = run(tmp_path / "all.zip", "--adopt", "--json")
    assert result.exit_code == 0
    rows = json.loads(result.stdout)["adopted"]
    assert [row["state"] for row in rows] == ["cached, decompressed", *["cached"] * 3]
    for row, path in zip(rows, sorted(folder.iterdir()), strict=True):
        assert str(tmp_path / "all.zip") in row["source"]
        assert path.stem in row["source"]
    want = idxhub.load(SAMPLE, "test", data_dir=folder, cache_dir=tmp_path / "other")
    shutil.rmtree(folder)
    assert (idxhub.load(SAMPLE, "test", download=False).images == want.images).all()


def test_an_archive_that_is_damaged_after_the_audit(run, folder, tmp_path, monkeypatch):
    from idxhub.cli import audit  # noqa: PLC0415 -- the test replaces a name in it

    path = tmp_path / "all.zip"
    with zipfile.ZipFile(path, "w") as archive:
        archive.write(folder / TEST_LABELS, TEST_LABELS)
    audit_files = audit.audit_files

    def damage_afterwards(*arguments):
        report = audit_files(*arguments)
        path.write_bytes(path.read_bytes()[:100])
        return report

    monkeypatch.setattr(audit, "audit_files", damage_afterwards)
    result = run(path, "--adopt", "--json")
    assert result.exit_code == 1
    (row,) = json.loads(result.stdout)["adopted"]
    assert row["state"] == "not cached"
    assert row["failure"] == f"{path}#{TEST_LABELS}: is not a sound .zip: File is not a zip file"


@pytest.mark.parametrize("change", [lambda data: data + b"junk", lambda data: data[:-4], lambda data: data + data])
def test_a_damaged_file_of_the_right_content_is_not_adopted(run, folder, cache_dir, change):
    path = folder / TEST_LABELS
    path.write_bytes(change(path.read_bytes()))
    result = run("data", "--adopt", "--json")
    assert result.exit_code == 1
    data = json.loads(result.stdout)
    (wrong,) = (row for row in data["files"] if row["state"] == "wrong")
    assert wrong["found"].endswith("; its content is Fashion-MNIST, a sample: test labels")
    assert len(data["adopted"]) == 3
    assert not [row for row in data["adopted"] if "failure" in row]
    assert not list(cache_dir.rglob("t10k-labels*"))


def test_what_is_in_the_cache_is_not_adopted_twice(run, folder):
    assert run("data", "--adopt").exit_code == 0
    rows = json.loads(run("data", "--adopt", "--json").stdout)["adopted"]
    assert [row["state"] for row in rows] == ["in the cache already"] * 4
    assert rows[0]["source"] == str(folder / "t10k-images-idx3-ubyte.gz")


def test_adopting_nothing(run, folder):
    for path in folder.iterdir():
        path.write_bytes(b"")
    result = run("data", "--adopt")
    assert result.exit_code == 1
    assert result.stdout.endswith("nothing to put into the cache\n")


def test_a_copy_that_changes_after_the_audit_is_not_adopted(run, folder, monkeypatch):
    from idxhub.cli import audit  # noqa: PLC0415 -- the test replaces a name in it

    monkeypatch.setattr(audit.LocalCopy, "read", lambda copy, resource: b"changed")
    result = run("data", "--adopt")
    assert result.exit_code == 1
    assert result.stdout.count("  not cached  ") == 4
    assert "is not the published file" in result.stdout


def test_adopting_into_a_cache_that_cannot_be_written(run, folder, monkeypatch, tmp_path):
    (tmp_path / "file").write_text("")
    monkeypatch.setenv("IDXHUB_CACHE", str(tmp_path / "file"))
    result = run("data", "--adopt")
    assert result.exit_code == 1
    assert "\n4 IDX files: 4 right; 0 others ignored\n" in result.stdout
    assert result.stdout.count("not cached  -\n") == 4
    assert "NOT CACHED: cannot use the cache at " in result.stdout
    assert "set IDXHUB_CACHE to a folder" in result.stdout  # without the argument of Python's functions
    assert "Traceback" not in result.output
    data = json.loads(run("data", "--adopt", "--json").stdout)
    assert data["ok"]
    assert all(row["failure"].startswith("cannot use the cache at ") for row in data["adopted"])


def test_the_best_copy_is_taken_over(run, folder, tmp_path):
    """Not the first one, but one that is as published and has the right name."""
    content = gzip.decompress((folder / TEST_LABELS).read_bytes())
    shutil.copy(folder / TEST_LABELS, folder / "a-train-labels-idx1-ubyte.gz")
    (folder / "a").write_bytes(content)
    rows = json.loads(run("data", "--adopt", "--json").stdout)["adopted"]
    (row,) = (row for row in rows if row["file"].endswith("test labels"))
    assert row["source"] == str(folder / TEST_LABELS)


def test_a_cache_that_fails_for_one_file_fails_for_that_one(run, folder, cache_dir):
    (cache_dir / f"{SAMPLE}-{idxhub.Plugins([]).dataset(SAMPLE).fingerprint}" / "train-labels-idx1-ubyte.npy").mkdir(
        parents=True
    )
    result = run("data", "--adopt", "--json")
    assert result.exit_code == 1
    rows = json.loads(result.stdout)["adopted"]
    assert [row["state"] for row in rows] == [*["cached"] * 3, "not cached"]
    assert "train-labels-idx1-ubyte.npy: Is a directory; remove what is in its place" in rows[3]["failure"]


def test_a_given_folder_that_cannot_be_read_is_reported_with_the_others(open_dir):
    """It is a problem found, not wrong usage. Below a given folder it is not a problem."""
    (open_dir / "open").mkdir()
    (open_dir / "open" / TEST_LABELS).write_bytes(idxhub.idx.encode(np.zeros((2, 3), np.uint8))[:-1])
    (open_dir / "shut").mkdir(mode=0)
    code = """
        import json, os, sys
        from click.testing import CliRunner
        from idxhub.cli import commands

        os.environ["IDXHUB_CACHE"] = "/nowhere"
        os.environ |= {"KERAS_HOME": f"{sys.argv[1]}/shut/keras", "HOME": f"{sys.argv[1]}/home"}
        os.chdir(sys.argv[1])
        for paths in (["shut", "open"], ["shut"], ["."], []):
            done = CliRunner().invoke(commands, ["audit", *paths])
            print(json.dumps([done.exit_code, done.output]))
    """
    imports = "click.testing, email.parser, email.message, email.policy, idxhub.cli"
    lines = python_as_nobody(code, open_dir, imports=imports).stdout.splitlines()
    (both, said), (alone, only), (around, _), (usual, listed) = map(json.loads, lines)
    assert (both, alone, around, usual) == (1, 1, 1, 0)
    assert "fashion-mnist/  -              cannot be read: Permission denied\n" in listed
    assert listed.endswith("0 IDX files; 1 folder unreadable; 0 others ignored\n")
    assert "shut/" in said
    assert said.endswith("1 IDX file: 1 wrong; 1 folder unreadable; 0 others ignored\n")
    assert only.endswith("0 IDX files; 1 folder unreadable; 0 others ignored\n")


def test_without_a_path_the_usual_folders_are_examined(run, nowhere, folder, tmp_path, monkeypatch):
    result = run()
    assert result.exit_code == 0
    looked_in, _, last = result.stdout.removesuffix("\n").rpartition("\n")
    assert looked_in.startswith(("looked in\n  ", "none of the folders"))
    assert last == "0 IDX files; 0 others ignored"
    (tmp_path / "data" / "fashion").mkdir()
    assert run().stdout == f"looked in\n  {tmp_path / 'data' / 'fashion'}\n0 IDX files; 0 others ignored\n"
    monkeypatch.setenv("KERAS_HOME", f"/{'x' * 300}")
    assert "File name too long" in run().stdout
    shutil.copytree(folder, tmp_path / "keras" / "datasets" / "fashion-mnist")
    monkeypatch.setenv("KERAS_HOME", str(tmp_path / "keras"))
    result = run("--json")
    assert result.exit_code == 1
    assert [row["state"] for row in json.loads(result.stdout)["files"]] == ["wrong"] * 4  # the sample, not the full one


@pytest.mark.parametrize("name", [SAMPLE, "fashion-mnist"])
def test_idxhubs_own_cache_is_not_wrong(run, nowhere, request, cache_dir, name):
    real = {} if name == SAMPLE else {"data_dir": request.getfixturevalue("full_data_dir")}
    idxhub.load(name, "all", **real)
    written = sum(path.is_file() for path in cache_dir.rglob("*"))
    assert written > 12  # an array, its record and its lock, four times
    result = run()
    assert result.exit_code == 0, result.stdout
    assert result.stdout.endswith(f"0 IDX files; {written} others ignored\n")


def test_a_user_without_a_home(run, folder, monkeypatch):
    """The folder of the cache is not known: an error only if the cache is searched or written."""
    monkeypatch.delenv("IDXHUB_CACHE")

    def nowhere(*_):
        raise RuntimeError("Could not determine home directory.")

    monkeypatch.setattr(platformdirs, "user_cache_path", nowhere)
    assert run("data").exit_code == 0
    assert json.loads(run("data", "--json").stdout)["ok"]
    result = run()
    assert result.exit_code == 1
    assert "no folder for the cache is known" in result.stderr
    result = run("data", "--adopt")
    assert result.exit_code == 1
    assert "4 IDX files: 4 right" in result.stdout
    assert result.stdout.count("NOT CACHED: no folder for the cache is known") == 1


def test_control_characters_in_names_are_not_printed(run, folder):
    shutil.copy(folder / TEST_LABELS, folder / "a\x1b[31m\nb")
    shutil.copy(folder / TEST_LABELS, os.fsencode(folder) + b"/\xff")
    result = run("data")
    assert result.exit_code == 0
    assert "  a\ufffd[31m\ufffdb  " in result.stdout
    first, *_, last = json.loads(run("data", "--json").stdout)["files"]
    assert (first["path"], last["path"]) == (f"{folder}/a\x1b[31m\nb", f"{folder}/\udcff")


def test_a_path_that_does_not_exist(run):
    result = run("nowhere")
    assert result.exit_code == 2
    assert "Path 'nowhere' does not exist" in result.stderr
