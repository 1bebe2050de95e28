"""Rows 31 and 36: an array that is damaged in a cache that cannot be written."""

from __future__ import annotations

import os
import pickle

import pytest
from support import made
from support.made import flipped
from support.processes import handed_back, importable, python_as_nobody, python_mounted

from idxhub import Plugins, load
from idxhub.cache.store import Cache

SERVED = """
    import pickle, sys, warnings
    from idxhub.data.split import Source, load_all

    toy, cache, mirror = pickle.load(open(sys.argv[1], "rb"))
    spec, folder = (toy.mirrored(mirror), None) if mirror else (toy.spec, str(toy.folder))
    sources = [Source(spec, name, folder, str(cache), bool(mirror), True) for name in ("train", "train", "train[:7]")]
    with warnings.catch_warnings(record=True) as seen:
        warnings.simplefilter("always")
        split, second, part = load_all(sources)
    (warning,) = seen
    for images in (split.images, second.images, part.images):
        assert (images == toy.array(toy.train_images)[: len(images)]).all()
    assert split.images.ctypes.data % 64 == second.images.ctypes.data % 64 == 0
    split.images[:] = 0
    assert second.images.any() and part.images.any()
    name = toy.train_images.filename
    assert split.info.records[0].source == (f"{mirror}/{name}" if mirror else str(toy.folder / name))
    assert not pickle.loads(pickle.dumps(split)).images.any()
    assert (pickle.loads(pickle.dumps(second)).images == toy.array(toy.train_images)).all()
    print(warning.message)
"""
REFUSED = """
    import pickle, sys
    from idxhub import Plugins, errors, load

    toy, cache, _ = pickle.load(open(sys.argv[1], "rb"))
    try:
        load(toy.spec, "train", cache_dir=cache, plugins=Plugins([]))
    except errors.CacheError as error:
        print(pickle.dumps(error).hex())
    else:
        sys.exit("it was served")
"""


def cut(data: bytes) -> bytes:
    return data[:-20]


@pytest.fixture(params=["read-only file system", "another user's cache"])
def read_only(request, open_dir, monkeypatch):
    """A cache whose train images are damaged, and a function that runs code where nobody may write in it."""
    monkeypatch.setenv("PYTHONPATH", importable())
    toy, cache_dir, told = made.make(open_dir / "published"), open_dir / "cache", open_dir / "told"
    load(toy.spec, "train", data_dir=toy.folder, cache_dir=cache_dir, plugins=Plugins([]))
    path = Cache(cache_dir, toy.spec).array_file(toy.kept(toy.train_images))

    def run(code, damage, mirror=None):
        path.write_bytes(damage(path.read_bytes()))
        told.write_bytes(pickle.dumps((toy, cache_dir, mirror)))
        if request.param == "read-only file system":
            return python_mounted(
                f"mount --bind '{cache_dir}' '{cache_dir}'; mount -o remount,ro,bind '{cache_dir}'", code, told
            )
        folders = [cache_dir, *cache_dir.iterdir()]
        for folder in folders:
            os.chmod(folder, 0o555)  # noqa: S103 -- read-only for all
        try:
            return python_as_nobody(code, told, imports="support.made, idxhub.acquire.download")
        finally:
            for folder in folders:
                os.chmod(folder, 0o755)  # noqa: S103 -- as it was

    cause = {"r": "Read-only file system", "a": "Permission denied"}[request.param[0]]
    return toy, cache_dir, path, run, cause


@pytest.mark.row(31, 36)
@pytest.mark.parametrize("source", ["a named folder", "a mirror"])
@pytest.mark.parametrize("damage", [flipped, cut])
def test_with_a_sound_source_the_data_are_served_from_memory(read_only, invariant, server, damage, source):
    toy, cache_dir, path, run, cause = read_only
    server.serve(toy.folder)
    said = run(SERVED, damage, server.url if source == "a mirror" else None).stdout
    assert said.startswith(f"{path} is damaged, and the cache cannot be written: {cause}; its data come from ")
    invariant(of=toy, cache=cache_dir, spoiled={path: path.read_bytes()})


@pytest.mark.row(31, 36)
@pytest.mark.parametrize("damage", [flipped, cut])
def test_without_a_source_the_error_says_that_it_is_damaged(read_only, invariant, damage):
    toy, cache_dir, path, run, cause = read_only
    raised = handed_back(run(REFUSED, damage))
    assert str(raised).startswith(
        f"{path} is damaged, and the cache cannot be written: {cause}; make the cache writable, "
    )
    assert f"{toy.train_images.filename} of toy was not found" in str(raised)
    invariant(raised, of=toy, cache=cache_dir, file=path.name, found=cause, spoiled={path: path.read_bytes()})


FILLING = """
    import pickle, sys
    from idxhub import errors
    from idxhub.acquire.build import build_array
    from idxhub.acquire.local import SearchSettings
    from idxhub.cache.store import Cache

    toy, cache, _ = pickle.load(open(sys.argv[1], "rb"))
    try:
        build_array(toy.kept(toy.train_images), Cache(cache, toy.spec), SearchSettings(toy.folder))
    except errors.CacheError as error:
        print(pickle.dumps(error).hex())
    else:
        sys.exit("it was filled")
"""


@pytest.mark.row(31, 36)
def test_commands_that_promise_to_fill_the_cache_fail(read_only, invariant):
    toy, cache_dir, path, run, cause = read_only
    raised = handed_back(run(FILLING, flipped))
    setting = "set IDXHUB_CACHE (or cache_dir=) to a folder that can be written"
    assert str(raised) == f"{path} is damaged, and the cache cannot be written: {cause}; {setting}"
    invariant(raised, of=toy, cache=cache_dir, file=path.name, found=cause, spoiled={path: path.read_bytes()})
