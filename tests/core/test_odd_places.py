"""Places that are not what they are called, or cannot be looked into: each is passed over, or named in an error."""

from __future__ import annotations

import os
import pickle
import sys
from dataclasses import replace

import numpy as np
import pytest
from support.processes import python_as_nobody

from idxhub import Plugins, Resource, errors, load


@pytest.fixture
def get(toy):
    """Load the train split of `toy`; keywords change how."""
    return lambda spec=toy.spec, **how: load(spec, "train", **({"data_dir": toy.folder, "download": False} | how))


@pytest.mark.skipif(not hasattr(os, "mkfifo"), reason="needs named pipes")
@pytest.mark.parametrize("ending", [".npy", ".json", ".gz"])
def test_a_pipe_in_the_cache_is_not_waited_for(ending, get, toy, cache_dir):
    get()
    (folder,) = cache_dir.iterdir()
    path = folder / f"{toy.train_images.stem}{ending}"
    path.unlink(missing_ok=True)
    os.mkfifo(path)
    np.testing.assert_array_equal(get().images, toy.array(toy.train_images))


@pytest.mark.parametrize("where", ["x" * 300, "/".join(["y" * 200] * 30)], ids=["a long name", "a long path"])
def test_names_that_no_system_takes_are_passed_over(where, get, toy, monkeypatch):
    monkeypatch.setenv("IDXHUB_MIRRORS", where)
    assert len(get(replace(toy.spec, folders=(where,)))) == 30
    with pytest.raises(errors.DownloadError, match="does not exist"):
        get(data_dir=f"/{where}", cache_dir="elsewhere")


def test_a_folder_without_permission_is_passed_over(toy, open_dir):
    (open_dir / "closed").mkdir(mode=0o700)
    (open_dir / "cache").mkdir()
    (open_dir / "cache").chmod(0o777)
    for resource in toy.spec.resources:
        (open_dir / resource.filename).write_bytes(toy.bytes(resource))
    spec = replace(toy.spec, folders=(str(open_dir / "closed" / "below"), str(open_dir)))
    (open_dir / "spec").write_bytes(pickle.dumps(spec))
    code = """
        import pickle, sys
        spec = pickle.load(open(sys.argv[1] + "/spec", "rb"))
        print(len(idxhub.load(spec, "train", cache_dir=sys.argv[1] + "/cache", plugins=idxhub.Plugins([]))))
    """
    assert python_as_nobody(f"import idxhub\n{code.replace('        ', '')}", open_dir).stdout == "30\n"


def test_a_working_directory_that_is_gone(get, toy, tmp_path, monkeypatch, cache_dir):
    (tmp_path / "gone").mkdir()
    monkeypatch.chdir(tmp_path / "gone")
    (tmp_path / "gone").rmdir()
    assert len(get(replace(toy.spec, folders=("data", str(toy.folder))), data_dir=None, cache_dir=cache_dir)) == 30


def test_a_home_of_an_unknown_user_in_the_setting(get, monkeypatch):
    monkeypatch.setenv("IDXHUB_CACHE", "~nobody-of-this-name/cache")
    monkeypatch.chdir(os.environ["HOME"])
    assert len(get()) == 30


def test_a_folder_with_a_dollar_sign_in_its_name(get, toy, tmp_path):
    folder = tmp_path / "costs $5 or $HOME"
    os.rename(toy.folder, folder)
    assert len(get(replace(toy.spec, folders=(str(folder),)), data_dir=None)) == 30


@pytest.mark.skipif(sys.platform != "linux", reason="other systems have no such name")
def test_a_file_name_that_is_not_unicode(toy, tmp_path):
    name = os.fsdecode(b"\xff-images")
    os.rename(toy.path(toy.train_images), toy.folder / name)
    train = replace(toy.spec.splits["train"], images=Resource.from_file(toy.folder / name))
    spec = replace(toy.spec, splits={"train": train}, folders=(str(toy.folder),))
    for _ in range(2):  # from the file, and then from the cache
        np.testing.assert_array_equal(load(spec, "train").images, toy.array(toy.train_images))


def test_relative_folders_survive_a_change_of_directory(toy, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    split = load(toy.spec, "train", data_dir=toy.folder.name, cache_dir="here", plugins=Plugins([]))
    pickled = pickle.dumps(split)
    (tmp_path / "other").mkdir()
    monkeypatch.chdir(tmp_path / "other")
    assert len(pickled) < 4000  # by reference
    np.testing.assert_array_equal(pickle.loads(pickled).images, split.images)  # noqa: S301 -- pickled above
    assert len(split.whole("train")) == 30
    split.derived("x.other", lambda: [b"x"])
    assert list((tmp_path / "other").iterdir()) == []
