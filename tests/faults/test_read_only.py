"""Rows 31, 32 and 36: a cache that cannot be written, with sound arrays in it and with a damaged one."""

from __future__ import annotations

import os

import pytest
from support import made
from support.made import flipped
from support.processes import python_as_nobody, python_mounted, raised_in

from idxhub import Plugins, load
from idxhub.cache.store import Cache

WARM_AND_COLD = """
    from idxhub import Plugins, load

    toy, cache, _ = given
    options = {"cache_dir": cache, "plugins": Plugins([])}
    split = load(toy.spec, "train", **options)
    assert (split.images == toy.array(toy.train_images)).all()
    split.images[:] = 0
    assert not split.images.any()
    load(toy.spec, "test", data_dir=toy.folder, **options)
"""
SERVED = """
    import warnings
    from idxhub.data.load import Source
    from idxhub.data.split import load_splits

    toy, cache, mirror = given
    spec, folder = (toy.mirrored(mirror), None) if mirror else (toy.spec, str(toy.folder))
    sources = [Source(spec, name, folder, str(cache), bool(mirror), True) for name in ("train", "train", "train[:7]")]
    with warnings.catch_warnings(record=True) as seen:
        warnings.simplefilter("always")
        split, second, part = load_splits(sources)
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
    from idxhub import Plugins, load

    toy, cache, _ = given
    load(toy.spec, "train", cache_dir=cache, plugins=Plugins([]))
"""
FILLING = """
    from idxhub.acquire.build import build_array
    from idxhub.acquire.local import SearchSettings
    from idxhub.cache.store import Cache

    toy, cache, _ = given
    build_array(toy.kept(toy.train_images), Cache(cache, toy.spec), SearchSettings(toy.folder))
"""


def cut(data: bytes) -> bytes:
    return data[:-20]


@pytest.fixture(params=["Read-only file system", "Permission denied"], ids=["read-only mount", "another user"])
def read_only(request, open_dir):
    """A dataset, its cache with the train split, why nobody can write there, and a function that starts children."""
    toy, cache = made.make(open_dir / "published"), open_dir / "cache"
    load(toy.spec, "train", data_dir=toy.folder, cache_dir=cache, plugins=Plugins([]))

    def run(code, mirror=None):
        given = (toy, cache, mirror)
        if request.param == "Read-only file system":
            mount = f"mount --bind '{cache}' '{cache}'; mount -o remount,ro,bind '{cache}'"
            return python_mounted(mount, code, given=given)
        folders = [cache, *cache.iterdir()]
        for folder in folders:
            os.chmod(folder, 0o555)  # noqa: S103 -- read-only for all
        try:
            return python_as_nobody(code, given=given, imports="idxhub.acquire.download")
        finally:
            for folder in folders:
                os.chmod(folder, 0o755)  # noqa: S103 -- as it was

    return toy, cache, request.param, run


@pytest.fixture
def damaged(read_only):
    """The same, and a function that damages the array of the train images and returns its path."""
    toy, cache, *_ = read_only

    def do_it(damage):
        path = Cache(cache, toy.spec).array_file(toy.kept(toy.train_images))
        path.write_bytes(damage(path.read_bytes()))
        return path

    return *read_only, do_it


@pytest.mark.row(31, 32)
def test_warm_data_are_served_and_cold_data_are_an_error(read_only, invariant):
    toy, cache, cause, run = read_only
    files = [path for path in cache.rglob("*") if path.is_file()]
    before = {path: (path.stat().st_mtime_ns, path.read_bytes()) for path in files}
    raised = raised_in(WARM_AND_COLD, run=run)
    assert {path: (path.stat().st_mtime_ns, path.read_bytes()) for path in files} == before
    assert [path for path in cache.rglob("*") if path.is_file()] == files
    invariant(raised, of=toy, cache=cache, file=str(cache), expected="IDXHUB_CACHE", found=cause)


@pytest.mark.row(31, 36)
@pytest.mark.parametrize("source", ["a named folder", "a mirror"])
@pytest.mark.parametrize("damage", [flipped, cut])
def test_with_a_sound_source_the_data_are_served_from_memory(damaged, invariant, server, damage, source):
    toy, cache_dir, cause, run, damage_array = damaged
    path = damage_array(damage)
    server.serve(toy.folder)
    said = run(SERVED, server.url if source == "a mirror" else None).stdout
    assert said.startswith(f"{path} is damaged, and the cache cannot be written: {cause}; its data are read from ")
    invariant(of=toy, cache=cache_dir, spoiled={path: path.read_bytes()})


@pytest.mark.row(31, 36)
@pytest.mark.parametrize("damage", [flipped, cut])
def test_without_a_source_the_error_says_that_it_is_damaged(damaged, invariant, damage):
    toy, cache_dir, cause, run, damage_array = damaged
    path = damage_array(damage)
    raised = raised_in(REFUSED, run=run)
    assert str(raised).startswith(
        f"{path} is damaged, and the cache cannot be written: {cause}; make the cache writable, "
    )
    assert f"{toy.train_images.filename} of toy was not found" in str(raised)
    invariant(raised, of=toy, cache=cache_dir, file=path.name, found=cause, spoiled={path: path.read_bytes()})


@pytest.mark.row(31, 36)
def test_commands_that_promise_to_fill_the_cache_fail(damaged, invariant):
    toy, cache_dir, cause, run, damage_array = damaged
    path = damage_array(flipped)
    raised = raised_in(FILLING, run=run)
    setting = "set IDXHUB_CACHE (or cache_dir=) to a folder that can be written"
    assert str(raised) == f"{path} is damaged, and the cache cannot be written: {cause}; {setting}"
    invariant(raised, of=toy, cache=cache_dir, file=path.name, found=cause, spoiled={path: path.read_bytes()})
