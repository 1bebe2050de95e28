"""Disks that are full, that fail, or that may not be written."""

import errno
import os
import shutil
import stat

import pytest
from support import calls, made
from support.processes import python_as_nobody, python_mounted, python_traced, raised_in, without

from idxhub import Plugins, load
from idxhub.cache.store import Cache
from idxhub.errors import CacheError


@pytest.fixture
def fill(toy, cache_dir, server):
    """Load everything from a mirror into the cache."""
    server.serve(toy.folder)
    return lambda of=toy: load(of.mirrored(server.url), "all", cache_dir=cache_dir, plugins=Plugins([]))


@pytest.fixture(params=["files", "an archive"])
def dataset(request, toy, tmp_path, server):
    """Files published one by one, and in a .zip."""
    if request.param == "files":
        return toy
    packed = made.packed(toy, tmp_path / "packed")
    server.serve(packed.folder)
    return packed


@pytest.mark.parametrize("call", ["mkdir", "open", "write", "fsync", "replace"])
@pytest.mark.parametrize(
    ("error", "says"),
    [
        pytest.param(errno.ENOSPC, "bytes free; make room, or set IDXHUB_CACHE", marks=pytest.mark.row(29), id="full"),
        pytest.param(errno.EIO, "set IDXHUB_CACHE", marks=pytest.mark.row(30), id="broken"),
    ],
)
def test_a_disk_that_fails_after_some_calls(fill, dataset, cache_dir, invariant, call, error, says):
    """From the first such call on, from the second one, and so on to the last."""
    passed = calls.boundaries(lambda: fill(dataset))
    count = sum((each.call, each.moment) == (call, "before") for each in passed)
    refused = 0
    for number in range(1, count + 1):
        shutil.rmtree(cache_dir, ignore_errors=True)
        raised, failed = None, []
        try:
            with calls.wrapped(calls.fail(error, call, number, failed)):
                fill(dataset)
        except CacheError as problem:
            raised = problem
            refused += 1
        # locks are done without, and a folder may be there already; nothing else that fails is passed over
        assert call in {"mkdir", "open"} or bool(failed) == (raised is not None)
        assert not list(cache_dir.rglob("*.tmp"))
        invariant(raised, of=dataset, **({"expected": os.strerror(error), "found": says} if raised else {}))
    # two threads meet a call more or a call less from one time to the next
    assert refused >= (1 if call in {"mkdir", "open"} else count // 2)


@pytest.mark.row(30)
@pytest.mark.parametrize("error", ["EIO", "ENOLCK", "EDQUOT"])
def test_locks_that_fail_after_some_calls(fill, dataset, cache_dir, invariant, error):
    """Taking them or letting go of them: the load is right, since locks are an economy."""
    count = sum((each.call, each.moment) == ("flock", "before") for each in calls.boundaries(lambda: fill(dataset)))
    assert count >= 8
    for number in range(1, count + 1):
        shutil.rmtree(cache_dir)
        with calls.wrapped(calls.fail(getattr(errno, error), "flock", number)):
            fill(dataset)
        invariant(of=dataset)


FAILURES = [
    pytest.param("ENOSPC", marks=pytest.mark.row(29), id="full"),
    pytest.param("EIO", marks=pytest.mark.row(30), id="broken"),
]


@pytest.mark.parametrize("error", FAILURES)
@pytest.mark.parametrize("call", ["open", "write", "fsync", "replace"])
def test_the_old_file_stays(fill, toy, cache_dir, invariant, call, error):
    """A record that is gone makes the array be written again; while that fails, what is there stays."""
    fill()
    here = Cache(cache_dir, toy.spec)
    for resource in toy.spec.resources:
        here.record_file(resource).unlink()
    before = {path: (path.stat().st_ino, path.read_bytes()) for path in here.folder.iterdir()}
    number = getattr(errno, error)
    with calls.wrapped(calls.fail(number, call)), pytest.raises(CacheError, match=os.strerror(number)) as caught:
        fill()
    assert {path: (path.stat().st_ino, path.read_bytes()) for path in here.folder.iterdir()} == before
    invariant(caught.value)


SIZED = """
    import re, subprocess, sys
    import idxhub
    from support import invariant

    toy, cache = given
    said = []
    for size in ("64k", "300k", "700k"):  # not the first array, not all of them, not the last one
        subprocess.run(["mount", "-o", f"remount,size={size}", cache], check=True)
        try:
            idxhub.load(toy.spec, "all", data_dir=toy.folder, cache_dir=cache, plugins=idxhub.Plugins([]))
        except idxhub.errors.CacheError as error:
            said.append(error)
            print(error)
            free = int(re.search(r"([0-9,]+) bytes free; make room", str(error))[1].replace(",", ""))
            assert free <= int(size[:-1]) * 1024, "that is another file system's"
        else:
            sys.exit("there was room")
        invariant.nothing_wrong_in(cache, toy)
        assert not list(cache.rglob("*.tmp"))
    subprocess.run(["mount", "-o", "remount,size=10m", cache], check=True)
    invariant.check(toy, cache, said[-1])
"""


@pytest.mark.row(29)
def test_a_file_system_that_is_full(tmp_path, invariant):
    toy = made.make(tmp_path / "large", sizes={"train": 500, "test": 500}, shape=(28, 28))
    full = tmp_path / "full"
    full.mkdir()
    said = python_mounted(f"mount -t tmpfs -o size=64k none '{full}'", SIZED, given=(toy, full)).stdout
    assert said.count("No space left on device") == 3
    assert said.count("bytes free; make room, or set IDXHUB_CACHE") == 3
    invariant(of=toy)


@pytest.mark.row(29)
def test_a_limit_on_the_size_of_files(large, tmp_path, invariant):
    try:
        import resource  # noqa: F401, PLC0415 -- POSIX alone has it
    except ImportError:
        without("resource limits (POSIX)")
    cache = tmp_path / "cache"
    raised = raised_in(
        """
        import resource
        from idxhub import Plugins, load

        resource.setrlimit(resource.RLIMIT_FSIZE, (65_536, 65_536))
        toy, cache = given
        load(toy.spec, "all", data_dir=toy.folder, cache_dir=cache, plugins=Plugins([]))
        """,
        given=(large, cache),
    )
    invariant(
        raised,
        of=large,
        cache=cache,
        file=str(cache),
        found="File too large; raise the limit of the process on the size of a file (ulimit -f), or set IDXHUB_CACHE",
    )


TRACED = """
    import os, sys
    import idxhub

    toy, cache = given
    try:
        idxhub.load(toy.spec, "train", data_dir=toy.folder, cache_dir=cache, plugins=idxhub.Plugins([]))
    except idxhub.errors.CacheError as error:  # told by the status: a message could not be written
        os._exit(40 + (error.__cause__.errno == int(sys.argv[1])))
"""


@pytest.mark.parametrize("error", FAILURES)
@pytest.mark.parametrize("call", ["write", "fsync", "rename"])
def test_the_kernel_returns_the_error(toy, cache_dir, invariant, call, error):
    done = python_traced(f"{call}:error={error}", TRACED, getattr(errno, error), given=(toy, cache_dir))
    assert done.returncode == 41, done.stderr
    assert not list(cache_dir.rglob("*.tmp"))
    invariant()


@pytest.mark.row(35)
@pytest.mark.parametrize("umask", [0o002, 0o022])
def test_a_second_user_reads_what_the_first_has_made(open_dir, invariant, umask):
    toy, cache = made.make(open_dir / "published"), open_dir / "cache"
    before = os.umask(umask)
    try:
        load(toy.spec, "train", data_dir=toy.folder, cache_dir=cache, plugins=Plugins([]))
    finally:
        os.umask(before)
    for path in cache.rglob("*"):
        if path.suffix != ".lock":
            assert stat.S_IMODE(path.stat().st_mode) == (0o777 if path.is_dir() else 0o666) & ~umask, path.name
    code = """
        from idxhub import Plugins, load

        toy, cache = given
        split = load(toy.spec, "train", cache_dir=cache, plugins=Plugins([]))
        assert (split.images == toy.array(toy.train_images)).all()
    """
    python_as_nobody(code, given=(toy, cache), another=True)
    invariant(of=toy, cache=cache)


@pytest.mark.row(44)
@pytest.mark.parametrize("ending", ["npy", "json", "gz"])
def test_a_world_writable_cache_is_verified_as_always(toy, fill, cache_dir, invariant, ending):
    """What somebody else has changed in it is noticed: no mode is taken for a proof."""
    fill()
    here = Cache(cache_dir, toy.spec)
    os.chmod(here.folder, 0o777)  # noqa: S103 -- the case under test
    path = here.folder / f"{toy.train_images.stem}.{ending}"
    changed = path.read_bytes()[:-20] + bytes(20)
    path.write_bytes(changed)
    os.chmod(path, 0o666)  # noqa: S103 -- as the folder
    invariant(spoiled={path: changed}, healthy=lambda: [fill()])
