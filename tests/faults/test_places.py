"""Caches whose path is not what it should be, and links planted in them."""

import os
from pathlib import Path

import pytest
from support.processes import python, raised_in, without

from idxhub import Plugins, load
from idxhub.cache.store import Cache
from idxhub.errors import CacheError


@pytest.fixture
def fill(toy):
    """Load everything into a cache."""
    return lambda cache: load(toy.spec, "all", data_dir=toy.folder, cache_dir=cache, plugins=Plugins([]))


def a_file(here: Cache, elsewhere: Path) -> Path:
    here.root.write_bytes(b"mine")
    return here.root


def a_link_to_nowhere(here: Cache, elsewhere: Path) -> Path:
    here.root.symlink_to(elsewhere / "no" / "where")
    return here.root


def a_link_to_itself(here: Cache, elsewhere: Path) -> Path:
    here.root.symlink_to(here.root)
    return here.root


def a_link_for_the_datasets_folder(here: Cache, elsewhere: Path) -> Path:
    """What is written would land in somebody's folder."""
    (elsewhere / "somebodys").mkdir()
    here.root.mkdir()
    here.folder.symlink_to(elsewhere / "somebodys")
    return here.folder


def a_file_for_the_datasets_folder(here: Cache, elsewhere: Path) -> Path:
    here.root.mkdir()
    here.folder.write_bytes(b"mine")
    return here.folder


def a_folder_at_an_array(here: Cache, elsewhere: Path) -> Path:
    path = here.array_file(here.spec.splits["train"].images)
    path.mkdir(parents=True)
    return path


def a_folder_at_a_record(here: Cache, elsewhere: Path) -> Path:
    path = here.record_file(here.spec.splits["train"].images)
    path.mkdir(parents=True)
    return path


PLANTED = {
    a_file: "Not a directory",
    a_link_to_nowhere: "is a link to nothing; remove what is in its place",
    a_link_to_itself: "is a link to nothing",
    a_link_for_the_datasets_folder: "its folder is a link",
    a_file_for_the_datasets_folder: "Not a directory",
    a_folder_at_an_array: "Is a directory; remove what is in its place",
    a_folder_at_a_record: "Is a directory; remove what is in its place",
}


@pytest.mark.row(33, 34)
@pytest.mark.parametrize(("plant", "says"), PLANTED.items(), ids=[plant.__name__ for plant in PLANTED])
def test_something_else_is_at_the_path(toy, fill, cache_dir, tmp_path, invariant, plant, says):
    cache_dir.parent.mkdir()
    there = plant(Cache(cache_dir, toy.spec), tmp_path)
    with pytest.raises(CacheError, match=says) as caught:
        fill(cache_dir)
    assert not (tmp_path / "no").exists()
    assert not any((tmp_path / "somebodys").glob("*"))
    if there.is_symlink():
        there.unlink()
    elif there.is_dir():
        there.rmdir()
    else:
        assert there.read_bytes() == b"mine"
        there.unlink()
    invariant(caught.value, file=str(there), found="IDXHUB_CACHE")


LINKED = {
    "array": lambda here, images: here.array_file(images),
    "record": lambda here, images: here.record_file(images),
    "kept file": lambda here, images: here.file(images),
    "mark": lambda here, images: here.folder / "CACHEDIR.TAG",
    "lock": lambda here, images: here.lock_file(images),
}


@pytest.mark.row(34)
@pytest.mark.parametrize("target", ["there", "not there", "a folder"])
@pytest.mark.parametrize("which", LINKED)
def test_a_link_planted_in_the_cache(toy, cache_dir, server, tmp_path, invariant, which, target):
    aim = tmp_path / "aim"
    if target == "there":
        aim.write_bytes(b"precious")
        os.utime(aim, (1, 1))
    elif target == "a folder":
        aim.mkdir()
    here = Cache(cache_dir, toy.spec)
    planted = LINKED[which](here, toy.train_images)
    here.folder.mkdir(parents=True)
    planted.symlink_to(aim)
    server.serve(toy.folder)
    raised = None
    try:
        load(toy.mirrored(server.url), "all", cache_dir=cache_dir, plugins=Plugins([]))
    except CacheError as error:  # a link to a folder counts as the folder
        assert target == "a folder"
        raised = error
        planted.unlink()
    if target == "there":
        assert aim.read_bytes() == b"precious"
        assert aim.stat().st_mtime == 1
    elif target == "a folder":
        assert list(aim.iterdir()) == []
    else:
        assert not aim.exists()
    assert which == "lock" or not planted.is_symlink()
    invariant(raised)


@pytest.mark.row(34)
def test_a_link_planted_at_a_temp_path(toy, fill, cache_dir, tmp_path, invariant, monkeypatch):
    here, aim = Cache(cache_dir, toy.spec), tmp_path / "aim"
    aim.write_bytes(b"precious")
    planted = here.folder / f".{toy.train_images.stem}.npy.{os.getpid()}-00000000.tmp"
    here.folder.mkdir(parents=True)
    planted.symlink_to(aim)
    with monkeypatch.context() as patched:
        patched.setattr(os, "urandom", bytes)  # by chance nobody meets this name
        with pytest.raises(CacheError, match="File exists") as caught:
            fill(cache_dir)
    assert aim.read_bytes() == b"precious"
    assert planted.is_symlink()
    invariant(caught.value)


@pytest.mark.row(38)
@pytest.mark.parametrize("user", ["one with an entry", "one without"])
def test_no_home(toy, tmp_path, invariant, user):
    """Without HOME the user's entry names the folder; without an entry too, the error says that none is known."""
    if os.name != "posix":
        without("entries of users (POSIX)")
    code = """
        import os, pwd
        from idxhub import Plugins, load

        spec, folder, home = given
        for name in ("HOME", "USERPROFILE", "IDXHUB_CACHE"):
            os.environ.pop(name, None)
        entry = pwd.struct_passwd(("me", "x", os.getuid(), os.getgid(), "", str(home), "/bin/sh"))

        def getpwuid(uid):
            if home is None:
                raise KeyError(uid)
            return entry

        pwd.getpwuid = getpwuid
        split = load(spec, "train", data_dir=folder, plugins=Plugins([]))
        print(split.images.sum(), split.labels.sum())
    """
    home = tmp_path / "home"
    if user == "one without":
        raised = raised_in(code, given=(toy.spec, toy.folder, None))
        invariant(raised, file="the cache", expected="IDXHUB_CACHE", found="no folder for the cache is known")
    else:
        done = python(code, given=(toy.spec, toy.folder, home))
        assert done.stdout.split() == [str(toy.array(files).sum()) for files in (toy.train_images, toy.train_labels)]
        (array, *_) = home.rglob(f"{toy.train_images.stem}.npy")
        invariant(cache=array.parents[1])


PATHS = {
    "300 characters": "/".join(["x" * 99] * 3),
    "spaces and a percent sign": "a folder 100% of mine",
    "a dollar sign": "$HOME",
    "a line feed": "two\nlines",
    "not ASCII": "d\u00e9j\u00e0 vu \u6570\u636e",
    "not UTF-8": os.fsdecode(b"caf\xe9 \xff"),
}


@pytest.mark.row(38)
@pytest.mark.parametrize("where", PATHS)
def test_unusual_paths_work(fill, tmp_path, invariant, where):
    cache = tmp_path / PATHS[where]
    try:
        cache.mkdir(parents=True)
    except OSError:
        without("a file system that takes such names")
    cache.rmdir()
    fill(cache)
    invariant(cache=cache)


@pytest.mark.row(38)
@pytest.mark.parametrize("where", ["y" * 300, "/".join(["y" * 200] * 30)], ids=["a name", "a path"])
def test_a_path_that_no_system_accepts(fill, tmp_path, invariant, where):
    with pytest.raises(CacheError) as caught:
        fill(tmp_path / where)
    invariant(caught.value, file=str(tmp_path / where), expected="IDXHUB_CACHE", found="too long")
