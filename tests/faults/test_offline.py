"""No network: because somebody said so, and because there is none."""

import os
import pickle
import shutil
import subprocess
import sys
import textwrap
import time

import pytest
from support.processes import handed_back, python, without

from idxhub import Plugins, load
from idxhub.errors import DownloadError

LOAD = """
    import pickle, sys
    import idxhub

    spec, cache, warm = pickle.load(open(sys.argv[1], "rb"))
    try:
        split = idxhub.load(spec, "train", cache_dir=cache, plugins=idxhub.Plugins([]))
        assert warm, "loaded"
        print(split.images.sum(), split.labels.sum())
    except idxhub.errors.DownloadError as error:
        assert not warm, error
        print(pickle.dumps(error).hex())
"""
SWITCHES = {"IDXHUB_OFFLINE": {"IDXHUB_OFFLINE": "1"}, "download=False": {}}


@pytest.mark.row(39)
@pytest.mark.parametrize("switch", SWITCHES)
def test_offline_by_setting_and_cold(toy, server, cache_dir, invariant, monkeypatch, switch):
    server.serve(toy.folder)
    for name, value in SWITCHES[switch].items():
        monkeypatch.setenv(name, value)
    began = time.monotonic()
    with pytest.raises(DownloadError) as caught:
        load(
            toy.mirrored(server.url, "http://mirror.invalid"),
            cache_dir=cache_dir,
            plugins=Plugins([]),
            download=switch != "download=False",
        )
    assert time.monotonic() - began < 5
    assert server.count() == 0
    invariant(caught.value, places=[server.url, "http://mirror.invalid"], found=f"not tried: {switch}")


@pytest.mark.row(39)
@pytest.mark.parametrize("switch", SWITCHES)
def test_offline_by_setting_and_warm(toy, server, cache_dir, invariant, monkeypatch, switch):
    server.serve(toy.folder)
    options = {"cache_dir": cache_dir, "plugins": Plugins([])}
    load(toy.mirrored(server.url), "all", **options)
    for name, value in SWITCHES[switch].items():
        monkeypatch.setenv(name, value)
    asked = server.count()
    invariant(healthy=lambda: [load(toy.mirrored(server.url), download=switch != "download=False", **options)])
    assert server.count() == asked


@pytest.mark.row(39)
@pytest.mark.parametrize("warm", [False, True], ids=["cold", "warm"])
def test_no_network_at_all(toy, server, cache_dir, tmp_path, invariant, warm):
    """In a network namespace without so much as a loopback interface that is up."""
    unshare = shutil.which("unshare")
    if not unshare or subprocess.run([unshare, "-rn", "true"], capture_output=True, check=False).returncode:
        without("network namespaces (unshare -rn)")
    server.serve(toy.folder)
    spec = toy.mirrored(server.url, "http://mirror.invalid")
    if warm:
        load(spec, "train", cache_dir=cache_dir, plugins=Plugins([]))
    asked, told = server.count(), tmp_path / "told"
    told.write_bytes(pickle.dumps((spec, cache_dir, warm)))
    began = time.monotonic()
    done = subprocess.run(
        [unshare, "-rn", sys.executable, "-c", textwrap.dedent(LOAD), told], capture_output=True, text=True, check=False
    )
    assert done.returncode == 0, done.stderr
    assert time.monotonic() - began < 25
    assert server.count() == asked
    if warm:
        assert done.stdout.split() == [str(toy.array(toy.train_images).sum()), str(toy.array(toy.train_labels).sum())]
        invariant()
    else:
        unreachable(invariant, done, [server.url, "http://mirror.invalid"])


@pytest.mark.row(39)
def test_no_network_because_the_calls_fail(toy, cache_dir, tmp_path, invariant):
    """The same without namespaces: every socket refuses to connect, and no name resolves."""
    code = """
        import errno, socket

        def connect(self, address):
            raise OSError(errno.ENETUNREACH, "Network is unreachable")

        def getaddrinfo(host, *arguments, **options):
            if host == "127.0.0.1":
                return real(host, *arguments, **options)
            raise socket.gaierror(socket.EAI_AGAIN, "Temporary failure in name resolution")

        real, socket.getaddrinfo, socket.socket.connect = socket.getaddrinfo, getaddrinfo, connect
    """
    told = tmp_path / "told"
    told.write_bytes(pickle.dumps((toy.mirrored("http://127.0.0.1:9", "http://mirror.invalid"), cache_dir, False)))
    done = python(textwrap.dedent(code) + textwrap.dedent(LOAD), told, env=os.environ)
    unreachable(invariant, done, ["http://127.0.0.1:9", "http://mirror.invalid"])


def unreachable(invariant, done, places):
    """Each mirror is named, the one by its address and the other by its name, with the system's reason."""
    raised = handed_back(done)
    assert ["train-" in failure.where for failure in raised.failures] == [True, True]
    invariant(raised, places=places, found="Network is unreachable")
