"""Row 21: a proxy is used where the environment names one, and its password is told to nobody."""

from __future__ import annotations

import importlib.util
import traceback

import pytest
import trustme
from support.processes import raised_in, without
from support.proxy import Proxy
from support.server import closed_port
from support.socks import Socks
from support.tls import secure

from idxhub import load
from idxhub.acquire.download import Downloader
from idxhub.errors import DownloadError

pytestmark = pytest.mark.row(21)
RIGHT, WRONG = "user:hunter2", "user:hunter3"


@pytest.fixture(scope="module")
def authority():
    return trustme.CA()


@pytest.fixture(params=["http", "https"])
def origin(request, server, toy, tmp_path, monkeypatch, authority):
    """A server with the files; the proxy passes requests on to the one, and tunnels to the other."""
    server.serve(toy.folder)
    if request.param == "http":
        yield server
        return
    authority.cert_pem.write_to_path(str(tmp_path / "authority.pem"))
    monkeypatch.setenv("REQUESTS_CA_BUNDLE", str(tmp_path / "authority.pem"))
    with secure(authority) as secured:
        secured.serve(toy.folder)
        yield secured


@pytest.fixture
def loaded(origin, toy):
    """The next healthy call."""
    return lambda: [load(toy.mirrored(origin.url), "train")]


@pytest.fixture
def through(monkeypatch):
    """Name a proxy as users do."""

    def name_it(url):
        monkeypatch.setenv("http_proxy", url)
        monkeypatch.setenv("https_proxy", url)

    return name_it


@pytest.mark.parametrize("credentials", [None, RIGHT])
def test_a_proxy_is_used(origin, toy, through, invariant, caplog, capfd, cache_dir, credentials):
    caplog.set_level("DEBUG")
    with Proxy(credentials) as proxy:
        through(proxy.url_for(credentials) if credentials else proxy.url)
        split = load(toy.mirrored(origin.url), "train")
        assert len(proxy.asked) >= 2
        assert origin.count() == 2
        invariant(healthy=lambda: [load(toy.mirrored(origin.url), "all")])
    written = "".join(path.read_text(encoding="latin-1") for path in cache_dir.rglob("*.json"))
    for seen in (caplog.text, *capfd.readouterr(), written, repr(split.info)):
        assert "hunter" not in seen


UNUSABLE = "the proxy's address cannot be used; see http"
# the kind of proxy that runs, the address that is set, and what the error says
REFUSED = {
    "no password": (Proxy, lambda proxy: proxy.url, "407"),
    "a wrong password": (Proxy, lambda proxy: proxy.url_for(WRONG), "407"),
    "dead": (Proxy, lambda _: f"http://{WRONG}@127.0.0.1:{closed_port()}", "the proxy: Connection refused"),
    "no such name": (Proxy, lambda _: f"http://{WRONG}@proxy.invalid:8080", "the proxy: "),
    "a port too high": (Proxy, lambda _: f"http://{WRONG}@127.0.0.1:99999", UNUSABLE),
    "a slash in the password": (Proxy, lambda _: f"http://{WRONG}/@127.0.0.1:8080", UNUSABLE),
    "a number sign in the password": (Proxy, lambda _: f"http://{WRONG}#@127.0.0.1:8080", UNUSABLE),
    "a password that Latin-1 lacks": (Proxy, lambda _: f"http://{WRONG}\u20ac@127.0.0.1:8080", UNUSABLE),
    "no host": (Proxy, lambda _: f"http://{WRONG}@", UNUSABLE),
    "another scheme": (Proxy, lambda _: f"ftp://{WRONG}@127.0.0.1:8080", UNUSABLE),
    "SOCKS, a wrong password": (Socks, lambda proxy: proxy.url_for(WRONG), "the proxy: SOCKS5AuthError"),
    "SOCKS, dead": (Socks, lambda _: f"socks5://{WRONG}@127.0.0.1:{closed_port()}", "the proxy: Connection refused"),
    "SOCKS, another version": (Socks, lambda _: f"socks6://{WRONG}@127.0.0.1:8080", UNUSABLE),
}


@pytest.mark.parametrize("how", REFUSED)
def test_a_proxy_that_does_not_work_is_named(origin, toy, through, loaded, invariant, caplog, capfd, request, how):
    caplog.set_level("DEBUG")
    kind, address, says = REFUSED[how]
    if kind is Socks:
        request.getfixturevalue("pysocks")
    with kind(RIGHT) as proxy:
        through(address(proxy))
        with pytest.raises(DownloadError) as caught:
            load(toy.mirrored(origin.url), "train")
        with Downloader(toy.train_images) as downloader, pytest.raises(DownloadError) as inner:
            downloader.download(f"{origin.url}/{toy.train_images.filename}")
        assert origin.count() == 0
        for seen in (shown(caught.value), shown(inner.value), caplog.text, *capfd.readouterr()):
            assert "hunter" not in seen
        through(proxy.url_for(RIGHT))
        invariant(caught.value, places=[f"{origin.url}/"], found=says, healthy=loaded)


def shown(error):
    return "".join((str(error), *traceback.format_exception(error)))


@pytest.fixture
def pysocks():
    if importlib.util.find_spec("socks") is None:
        without("PySocks")


def test_a_socks_proxy_is_used(origin, toy, through, loaded, invariant, pysocks):
    with Socks(RIGHT) as proxy:
        through(proxy.url_for(RIGHT))
        invariant(healthy=loaded)
        assert proxy.asked == [origin.url.partition("//")[2]] * 2
        assert origin.count() == 2


WITHOUT_PYSOCKS = """
    import sys
    sys.modules["socks"] = None  # as where it is not installed
    from idxhub import Plugins, load

    load(given, "train", plugins=Plugins([]))
"""


def test_the_package_that_socks_proxies_need_is_named(server, toy, through, invariant):
    through(f"socks5://{RIGHT}@127.0.0.1:8080")
    error = raised_in(WITHOUT_PYSOCKS, given=toy.mirrored(server.url))
    assert "hunter" not in shown(error)
    invariant(error, places=[f"{server.url}/"], found='python -m pip install "requests[socks]"')


def test_a_host_without_a_proxy_is_asked_directly(origin, toy, through, loaded, invariant, monkeypatch):
    monkeypatch.setenv("NO_PROXY", "example.org,127.0.0.1")
    with Proxy(RIGHT) as proxy:
        through(proxy.url)
        load(toy.mirrored(origin.url), "train")
        invariant(healthy=loaded)
        assert proxy.asked == []
