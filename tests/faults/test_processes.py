"""Several processes, threads and forks use one cache at the same time. Some die or hang while others wait for them."""

import contextlib
import gzip
import hashlib
import os
import select
import signal
import subprocess
import threading
import time
from dataclasses import replace

import numpy as np
import pytest
from support import made
from support.made import Made
from support.processes import in_threads, python, running, without
from support.server import ok, silent, slow, stall, status

from idxhub import Plugins, load
from idxhub.acquire import build
from idxhub.catalog.builtin.fashion_mnist import FASHION_MNIST

PROCESSES = 16
FETCH = """
    import hashlib, sys
    from idxhub import Plugins, load
    from idxhub.acquire import connection, download
    from idxhub.cache import atomic as storage
    import idxhub.acquire.build, filelock  # the slow part of starting

    spec, cache, locks, storage._HEARTBEAT_TIMEOUT, connection.READ_TIMEOUT = given
    if locks == "nothing":  # as on some NFS servers: several processes can hold the same lock
        import fcntl

        fcntl.flock = lambda descriptor, operation: None
    elif locks == "refuse":  # as on NFS servers without locks
        import errno, fcntl

        def flock(descriptor, operation):
            raise OSError(errno.ENOLCK, "No locks available")

        fcntl.flock = flock
    print("ready", flush=True)
    sys.stdin.readline()
    digest = hashlib.sha256()
    for name in spec.splits:
        split = load(spec, name, cache_dir=cache, plugins=Plugins([]))
        digest.update(split.images.tobytes() + split.labels.tobytes())
    print(digest.hexdigest(), flush=True)
"""


@pytest.fixture(params=["made", "real"])
def dataset(request, toy):
    """The toy dataset, and Fashion-MNIST if its four files are on this machine."""
    if request.param == "made":
        return toy
    folder, arrays = request.getfixturevalue("full_data_dir"), {}
    for resource in FASHION_MNIST.resources:
        data = gzip.decompress((folder / resource.filename).read_bytes())
        arrays[resource.stem] = np.frombuffer(data, np.uint8)[-np.prod(resource.shape) :].reshape(resource.shape)
    return Made(folder, replace(FASHION_MNIST, folders=()), arrays)


@pytest.fixture
def tell(cache_dir, server):
    """A function that returns the arguments of FETCH; the test's server is the only mirror."""

    def tell_it(toy, locks="usual", patience=60.0, *, mirrors=("",), read_timeout=30.0):
        return toy.mirrored(*(server.url + mirror for mirror in mirrors)), cache_dir, locks, patience, read_timeout

    return tell_it


def digest_of(toy):
    digest = hashlib.sha256()
    for files in toy.spec.splits.values():
        digest.update(toy.array(files.images).tobytes() + toy.array(files.labels).astype(np.int64).tobytes())
    return digest.hexdigest()


def all_at_once(told, count=PROCESSES):
    """Start `count` processes, let them load the data at the same time, and return the digest that each prints."""
    with contextlib.ExitStack() as stack:
        children = [stack.enter_context(running(FETCH, given=told)) for _ in range(count)]
        for child in children:
            assert child.stdout.readline() == "ready\n"
        for child in children:
            go(child)
        return [child.stdout.readline().strip() for child in children]


def go(child):
    child.stdin.write("go\n")
    child.stdin.flush()


@pytest.mark.row(23)
def test_sixteen_processes_on_a_cold_cache(dataset, server, tell, invariant):
    """The server gets one request for each file and sends no byte twice: 30,878,645 bytes for the real files."""
    for resource in dataset.spec.resources:
        server.route(f"/{resource.filename}", slow(ok(dataset.bytes(resource)), 0.2))
    assert all_at_once(tell(dataset)) == [digest_of(dataset)] * PROCESSES
    assert sorted(request.path for request in server.requests) == sorted(
        f"/{resource.filename}" for resource in dataset.spec.resources
    )
    tell_figures(server)
    assert server.bytes_sent == sum(len(dataset.bytes(resource)) for resource in dataset.spec.resources)
    assert dataset.spec.name != "fashion-mnist" or server.bytes_sent == 30_878_645
    invariant(of=dataset)


@pytest.mark.row(23)
def test_the_lock_is_kept_while_mirrors_do_not_answer(toy, server, tell, invariant):
    """The process that holds the lock waits longer than the others' limit: for an answer, then for a Retry-After."""
    for resource in toy.spec.resources:
        server.route(f"/silent/{resource.filename}", silent())
        server.route(f"/busy/{resource.filename}", status(503, retry_after="3"), status(404))
        server.route(f"/good/{resource.filename}", ok(toy.bytes(resource)))
    told = tell(toy, patience=2.0, mirrors=("/silent", "/busy", "/good"), read_timeout=3.0)
    assert all_at_once(told, 6) == [digest_of(toy)] * 6
    for mirror, asked in {"silent": 1, "busy": 2, "good": 1}.items():
        for resource in toy.spec.resources:
            assert server.count(f"/{mirror}/{resource.filename}") == asked
    invariant()


@pytest.mark.row(24)
def test_sixteen_processes_where_locks_do_nothing(dataset, server, tell, invariant):
    """At most a download of each file for each process; every one gets the right arrays, and the cache is right."""
    without_locks(dataset, server, tell, "nothing", PROCESSES)
    invariant(of=dataset)


@pytest.mark.row(24)
def test_four_processes_where_locks_are_refused(toy, server, tell, invariant):
    without_locks(toy, server, tell, "refuse", 4)
    invariant()


def without_locks(dataset, server, tell, locks, count):
    if os.name != "posix":
        without("flock (POSIX)")
    for resource in dataset.spec.resources:
        server.route(f"/{resource.filename}", slow(ok(dataset.bytes(resource)), 0.2))
    assert all_at_once(tell(dataset, locks), count) == [digest_of(dataset)] * count
    tell_figures(server)
    assert 4 < server.count() <= 4 * count  # more than once each, or the locks did something


def tell_figures(server):
    print(f"{server.count()} GETs, {server.bytes_sent:,} bytes of bodies")  # noqa: T201 -- with pytest's -s or -rP


@pytest.mark.row(25)
@pytest.mark.parametrize("number", ["SIGKILL", "SIGSTOP"])
def test_the_lock_holder_is_killed_or_stopped(toy, server, tell, invariant, number):
    """While it downloads; those who wait for its lock do the work themselves."""
    server.serve(toy.folder)
    for resource in (toy.train_images, toy.train_labels):
        body = toy.bytes(resource)
        server.route(f"/{resource.filename}", stall(body, len(body) // 2), ok(body))
    told = tell(toy, patience=1.5)
    with contextlib.ExitStack() as stack:
        holder, *others = [stack.enter_context(running(FETCH, given=told)) for _ in range(4)]
        for child in (holder, *others):
            assert child.stdout.readline() == "ready\n"
        go(holder)
        wait_until(lambda: server.count() == 2)  # two files at a time
        for child in others:
            go(child)
        answered, _, _ = select.select([child.stdout for child in others], [], [], 0.5)
        assert (answered, server.count()) == ([], 2), "they do not wait for the one that holds the lock"
        holder.send_signal(getattr(signal, number))
        assert [child.stdout.readline().strip() for child in others] == [digest_of(toy)] * 3
    if number == "SIGKILL":
        assert server.count() == 6  # two requests failed
    invariant()


STOPPED = """
    import signal
    import idxhub, idxhub.acquire.download

    # started in the background, a shell has them ignored
    signal.signal(signal.SIGINT, signal.default_int_handler)
    signal.signal(signal.SIGTERM, signal.SIG_DFL)
    idxhub.load(given, "train", plugins=idxhub.Plugins([]))
"""


@pytest.mark.row(27)
@pytest.mark.parametrize("fault", ["stalls", "silent", "busy"])
@pytest.mark.parametrize("packed", [False, True], ids=["files", "an archive"])
@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM], ids=str)
def test_a_signal_while_waiting_for_a_mirror(toy, server, tmp_path, cache_dir, invariant, number, packed, fault):
    """The process ends at once, and the mirrors that are left are not asked."""
    of = made.packed(toy, tmp_path / "packed") if packed else toy
    for path in map(of.path, of.published):
        body = path.read_bytes()
        answers = {"stalls": stall(body, len(body) // 2), "silent": silent(), "busy": status(503, retry_after="20")}
        server.route(f"/bad/{path.name}", answers[fault])
    spec = of.mirrored(f"{server.url}/bad", f"{server.url}/good")
    with running(STOPPED, given=spec, stderr=subprocess.DEVNULL) as child:
        wait_until(lambda: server.count() == (1 if packed else 2) and (not packed or any(cache_dir.rglob("*.tmp"))))
        time.sleep(0.1)  # until the answer is there
        began = time.monotonic()
        child.send_signal(number)
        assert child.wait(30) == -number
        assert time.monotonic() - began < 2
    assert not any(request.path.startswith("/good") for request in server.requests)
    assert not any(cache_dir.rglob("*.tmp"))
    if packed:
        assert {path.suffix for path in cache_dir.rglob("*") if path.is_file()} == {".lock", ".TAG"}
    else:
        invariant()


def wait_until(true):
    for _ in range(1000):
        if true():
            return
        threading.Event().wait(0.01)
    pytest.fail("it did not happen within 10 s")


@pytest.mark.row(40)
def test_a_fork_after_a_load(toy, server, cache_dir, tell, invariant):
    """The child loads again without a download, and what it writes into its arrays stays there."""
    if not hasattr(os, "fork"):
        without("a system that forks")
    server.serve(toy.folder)
    python(
        """
        import os
        from idxhub import Plugins, load

        spec, cache, *_ = given
        before = load(spec, "train", cache_dir=cache, plugins=Plugins([]))
        same = before.images.copy(), before.labels.copy()
        child = os.fork()
        if not child:
            try:
                after = load(spec, "train", cache_dir=cache, plugins=Plugins([]))
                for split in (before, after):
                    assert (split.images == same[0]).all() and (split.labels == same[1]).all()
                    split.images[:] = 0
                    split.labels[:] = 0
            except BaseException:
                os._exit(1)
            os._exit(0)
        assert os.waitpid(child, 0)[1] == 0
        again = load(spec, "train", cache_dir=cache, plugins=Plugins([]))
        for split in (before, again):
            assert (split.images == same[0]).all() and (split.labels == same[1]).all()
        """,
        given=tell(toy),
    )
    assert server.count() == 2
    invariant()


@pytest.mark.row(40)
def test_sixteen_threads_at_once(toy, server, cache_dir, invariant, monkeypatch):
    found, really_find = [], build.find_file

    def counted(spec, resource, *arguments, **options):
        found.append(resource.stem)
        return really_find(spec, resource, *arguments, **options)

    monkeypatch.setattr(build, "find_file", counted)
    for resource in toy.spec.resources:
        server.route(f"/{resource.filename}", slow(ok(toy.bytes(resource)), 0.1))
    spec, sums, barrier = toy.mirrored(server.url), [], threading.Barrier(16)

    def work():
        barrier.wait()
        sums.append(int(load(spec, "train", cache_dir=cache_dir, plugins=Plugins([])).images.sum()))

    in_threads([work] * 16)
    assert sums == [int(toy.array(toy.train_images).sum())] * 16
    assert server.count() == 2
    assert sorted(found) == [toy.train_images.stem, toy.train_labels.stem]
    invariant()
