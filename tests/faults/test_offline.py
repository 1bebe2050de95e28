"""Row 39: no network, by setting or because there is none."""

import shutil
import subprocess
import textwrap
import time

import pytest
from support.processes import python, raised_in, without

from idxhub import Plugins, load
from idxhub.errors import DownloadError

LOAD = """
    import idxhub

    spec, cache = given
    split = idxhub.load(spec, "train", cache_dir=cache, plugins=idxhub.Plugins([]))
    print(split.images.sum(), split.labels.sum())
"""


@pytest.mark.row(39)
@pytest.mark.parametrize("warm", [False, True], ids=["cold", "warm"])
@pytest.mark.parametrize("switch", ["IDXHUB_OFFLINE", "download=False"])
def test_offline_by_setting(toy, server, cache_dir, invariant, monkeypatch, switch, warm):
    server.serve(toy.folder)
    spec, options = toy.mirrored(server.url, "http://mirror.invalid"), {"plugins": Plugins([]), "cache_dir": cache_dir}
    if warm:
        load(spec, "all", **options)
    asked, began = server.count(), time.monotonic()
    if switch == "IDXHUB_OFFLINE":
        monkeypatch.setenv("IDXHUB_OFFLINE", "1")
    else:
        options["download"] = False
    if warm:
        invariant(healthy=lambda: [load(spec, **options)])
    else:
        with pytest.raises(DownloadError, match="IDXHUB_MIRRORS") as caught:
            load(spec, **options)
        invariant(caught.value, places=spec.mirrors, found=f"not tried: {switch}")
    assert time.monotonic() - began < 5
    assert server.count() == asked


@pytest.mark.row(39)
@pytest.mark.parametrize("warm", [False, True], ids=["cold", "warm"])
def test_no_network_at_all(toy, server, cache_dir, invariant, warm):
    """In a network namespace in which not even the loopback interface is up."""
    unshare = shutil.which("unshare")
    if not unshare or subprocess.run([unshare, "-rn", "true"], capture_output=True, check=False).returncode:
        without("network namespaces (unshare -rn)")
    server.serve(toy.folder)
    spec = toy.mirrored(server.url, "http://mirror.invalid")
    if warm:
        load(spec, "train", cache_dir=cache_dir, plugins=Plugins([]))
    asked, began = server.count(), time.monotonic()
    if warm:
        sums = [str(toy.array(files).sum()) for files in (toy.train_images, toy.train_labels)]
        assert python(LOAD, given=(spec, cache_dir), start=[unshare, "-rn"]).stdout.split() == sums
        invariant()
    else:
        unreachable(invariant, raised_in(LOAD, given=(spec, cache_dir), start=[unshare, "-rn"]), spec.mirrors)
    assert time.monotonic() - began < 25
    assert server.count() == asked


@pytest.mark.row(39)
def test_no_network_because_the_calls_fail(toy, cache_dir, invariant):
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
    spec = toy.mirrored("http://127.0.0.1:9", "http://mirror.invalid")
    raised = raised_in(textwrap.dedent(code) + textwrap.dedent(LOAD), given=(spec, cache_dir))
    unreachable(invariant, raised, spec.mirrors)


def unreachable(invariant, raised, places):
    """Each mirror is named, the one by its address and the other by its name, with the system's reason."""
    assert isinstance(raised, DownloadError)
    assert ["train-" in failure.where for failure in raised.failures] == [True, True]
    invariant(raised, places=places, found="Network is unreachable")
