"""Downloading, over a real server that does what servers do. More of it is in tests/faults/test_network.py."""

import contextlib
import gzip
import importlib.util
import os
import threading
import time
from email.utils import formatdate

import numpy as np
import pytest
import urllib3
from support import made
from support.processes import python, without
from support.proxy import Proxy
from support.server import (
    endless,
    ok,
    raw,
    redirect,
    short,
    silent,
    slow,
    stall,
    status,
    trickle,
    unsized,
)
from support.socks import Socks

from idxhub import Resource, idx
from idxhub.acquire import connection, download
from idxhub.acquire.download import Downloader
from idxhub.acquire.find import find_file
from idxhub.acquire.local import SearchSettings, copy_size_limit
from idxhub.cache.store import Cache
from idxhub.catalog.builtin.mnist import MNIST
from idxhub.errors import ChecksumError, DownloadError, IdxHubError


@pytest.fixture
def toy(tmp_path):
    """Large enough for a body to arrive in several pieces."""
    return made.make(tmp_path / "published", sizes={"train": 500, "test": 20}, shape=(28, 28))


@pytest.fixture
def resource(toy):
    return toy.train_images


@pytest.fixture
def body(toy, resource):
    return toy.bytes(resource)


@pytest.fixture
def get(resource, server, monkeypatch):
    """Download /x from the server; retries do not pause."""
    monkeypatch.setattr(download, "BACKOFF_FACTOR", 0.01)

    def get_it(url=None, **options):
        with Downloader(resource, **options) as downloader:
            return downloader.download(url or f"{server.url}/x")

    return get_it


@pytest.fixture
def find_it(toy, cache_dir, monkeypatch):
    """Find the train images with these mirrors."""
    monkeypatch.setattr(download, "BACKOFF_FACTOR", 0.01)

    def find_with(*mirrors, resource=toy.train_images, stop=None):
        spec = toy.mirrored(*mirrors)
        return find_file(spec, resource, Cache(cache_dir, spec), SearchSettings(), specs=[toy.spec], stop=stop)

    return find_with


WELL = {
    "whole": ok,
    "a little late": lambda body: slow(ok(body), 0.2),
    "in small pieces": lambda body: trickle(body, 0.0, step=20_000),
    "called a page": lambda body: ok(body, content_type="text/html"),
}


@pytest.mark.parametrize("how", WELL)
def test_bodies_that_are_well(get, server, body, how):
    server.route("/x", WELL[how](body))
    assert get() == body
    assert server.count() == 1


def test_what_is_asked_for(get, server, body):
    server.route("/x", ok(body))
    get()
    (request,) = server.requests
    assert request.headers["Accept-Encoding"] == "identity"
    assert request.headers["User-Agent"].startswith("idxhub/")


@pytest.mark.parametrize("code", [301, 302, 303, 307, 308])
def test_redirects_are_followed(get, server, body, code):
    server.route("/x", redirect("/elsewhere/y", code))
    server.route("/elsewhere/y", ok(body))
    assert get() == body


@pytest.mark.parametrize("code", [400, 401, 410, 451, 501])
def test_a_refusal_is_not_repeated(get, server, code):
    server.route("/x", status(code))
    with pytest.raises(DownloadError, match=rf"^HTTP {code}"):
        get()
    assert server.count() == 1


@pytest.mark.parametrize("code", [204, 206, 304])
def test_an_answer_without_the_file(get, server, code, body):
    server.route("/x", status(code, b"" if code != 206 else body[:10]))
    with pytest.raises(DownloadError, match=rf"^HTTP {code}"):
        get()


PASSING = {
    **{str(code): status(code) for code in (429, 502, 503, 504)},
    "wait 0": status(503, retry_after="0"),
    "wait until now": status(503, retry_after="Mon, 02 Jan 2006 15:04:05 GMT"),
    "wait for nonsense": status(503, retry_after="soon"),
    "wait for a strange number": status(503, retry_after="\u00b2"),
    "wait since before time": status(503, retry_after="Mon, 01 Jan 0001 00:00:00 -0000"),
    "empty": short(bytes(1000), 0),
    "no body at all": ok(b""),
    "no length and cut": unsized(b"\x1f\x8b" + bytes(100)),
}


@pytest.mark.parametrize("failure", PASSING)
def test_what_passes_is_tried_again(get, server, body, failure):
    server.route("/x", PASSING[failure], PASSING[failure], ok(body))
    assert get() == body
    assert server.count() == 3


@pytest.mark.parametrize("failure", PASSING)
def test_but_not_for_ever(get, server, failure):
    server.route("/x", PASSING[failure])
    with pytest.raises(DownloadError, match="3 times"):
        get()
    assert server.count() == 3


def test_a_server_that_names_a_day_to_come_is_left(get, server):
    server.route("/x", status(503, retry_after=formatdate(time.time() + 86_400, usegmt=True)))
    with pytest.raises(DownloadError, match=r"^HTTP 503; asks to wait"):
        get()
    assert server.count() == 1


def test_a_wait_beyond_the_deadline_is_not_begun(get, server):
    server.route("/x", status(503, retry_after="20"))
    with pytest.raises(DownloadError, match="asks to wait 20 s"):
        get(total=5)


WAITING = {
    "for an answer": (silent(), {"connection.READ_TIMEOUT": 0.5}, 5),
    "for leave to ask again": (status(503, retry_after="1"), {"download.MAX_ATTEMPTS": 2}, 5),
    "for more of the body": (stall(bytes(100), 50), {"connection.READ_TIMEOUT": 0.5}, 5),
}


@pytest.mark.parametrize("what", WAITING)
def test_signs_of_life_come_while_it_waits(get, server, monkeypatch, what):
    answer, limits, least = WAITING[what]
    monkeypatch.setattr(connection, "POLL_INTERVAL", 0.1)
    for name, value in limits.items():
        monkeypatch.setattr(f"idxhub.acquire.{name}", value)
    server.route("/x", answer)
    signs = []
    with pytest.raises(DownloadError):
        get(heartbeat=lambda: signs.append(1))
    assert len(signs) >= least


def test_what_is_stopped_asks_nobody(get, find_it, server, body):
    server.route("/x", ok(body))
    stop = threading.Event()
    stop.set()
    with pytest.raises(DownloadError, match=r"^stopped$"):
        get(stop=stop)
    with pytest.raises(DownloadError, match="stopped") as caught:
        find_it(server.url, "http://mirror.invalid", stop=stop)
    assert len(caught.value.failures) == 1
    assert server.count() == 0


def test_a_length_beyond_all_bounds(get, server, body, resource):
    answer = b"HTTP/1.1 200 OK\r\nContent-Length: " + b"9" * 30 + b"\r\n\r\n" + body + bytes(copy_size_limit(resource))
    server.route("/x", raw(answer))
    with pytest.raises(DownloadError, match=rf"^more than the {copy_size_limit(resource):,} bytes that it can have"):
        get()


def test_at_most_one_byte_more_is_kept(resource, server, body, monkeypatch):
    server.route("/x", endless(body))
    sizes = []
    read1 = urllib3.HTTPResponse.read1

    def reading(response, count, **options):
        block = read1(response, count, **options)
        sizes.append(len(block))
        return block

    monkeypatch.setattr(urllib3.HTTPResponse, "read1", reading)
    with Downloader(resource) as downloader, pytest.raises(DownloadError, match="more than the"):
        downloader.download(f"{server.url}/x")
    assert sum(sizes) == copy_size_limit(resource) + 1


STRANGE = {
    "nothing": raw(b""),
    "garbage": raw(b"\0\xff" * 100),
    "another protocol": raw(b"SSH-2.0-OpenSSH_9.6\r\n"),
    "a bad status": raw(b"HTTP/1.1 abc OK\r\n\r\n"),
    "a negative length": raw(b"HTTP/1.1 200 OK\r\nContent-Length: -5\r\n\r\nx"),
    "a length in words": raw(b"HTTP/1.1 200 OK\r\nContent-Length: many\r\n\r\nx"),
    "two lengths": raw(b"HTTP/1.1 200 OK\r\nContent-Length: 5\r\nContent-Length: 6\r\n\r\nabcdef"),
    "bad chunks": raw(b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\nzz\r\nabc"),
    "a chunk that ends early": raw(b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\nff\r\nabc"),
    "a header too long": raw(b"HTTP/1.1 200 OK\r\nX: " + b"y" * 70_000 + b"\r\n\r\n"),
    "too many headers": raw(b"HTTP/1.1 200 OK\r\n" + b"X: y\r\n" * 200 + b"\r\n"),
    "to nowhere": redirect(""),
    "to a bad address": redirect("http://[bad"),
    "to a bad port": redirect("http://127.0.0.1:99999999/"),
    "to no host": redirect("http://"),
    "to a long host": redirect("http://" + "x" * 300 + "/"),
    "to a dotted host": redirect("http://a..b/"),
    "to a file": redirect("file:///etc/passwd"),
    "to ftp": redirect("ftp://127.0.0.1/x"),
    "to bytes that are no text": raw(b"HTTP/1.1 302 Found\r\nLocation: /\xff\xfe\r\nContent-Length: 0\r\n\r\n"),
    "to an unreachable port": redirect("http://127.0.0.1:1/"),
}


@pytest.mark.parametrize("answer", STRANGE)
def test_strange_answers_are_failures_like_any_other(get, server, answer):
    server.route("/x", STRANGE[answer])
    with pytest.raises(DownloadError) as caught:
        get()
    assert str(caught.value)


LONG, ESCAPE = b"x" * 60_000, b"\x1b[31m\x07\x9b"
TALKATIVE = {
    "a reason": lambda text: raw(b"HTTP/1.1 404 " + text + b"\r\nContent-Length: 0\r\n\r\n"),
    "a status line": lambda text: raw(text + b"\r\n\r\n"),
    "a protocol": lambda text: raw(b"HTTP/" + text + b" 200 OK\r\n\r\n"),
    "a length": lambda text: raw(b"HTTP/1.1 200 OK\r\nContent-Length: " + text + b"\r\n\r\n"),
    "a location": lambda text: raw(b"HTTP/1.1 302 Found\r\nLocation: http://" + text + b"/\r\n\r\n"),
    "a scheme": lambda text: raw(b"HTTP/1.1 302 Found\r\nLocation: " + text + b"://x/\r\n\r\n"),
    "a wait": lambda text: raw(b"HTTP/1.1 503 Later\r\nRetry-After: 9" + text + b"\r\n\r\n"),
    "a chunk's size": lambda text: raw(b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n" + text + b"\r\n"),
    "a header": lambda text: raw(b"HTTP/1.1 200 OK\r\n" + text + b"\r\n" + text + b": x\r\n\r\n"),
    "a type": lambda text: ok(b"", content_type=text.decode("latin-1")),
}


@pytest.mark.parametrize(
    "text", [LONG, ESCAPE * 3, b"9" * 50_000, b"\xff\xfe"], ids=["long", "escapes", "digits", "bytes"]
)
@pytest.mark.parametrize("where", TALKATIVE)
def test_what_a_server_says_is_printable_and_short_in_an_error(get, server, where, text):
    server.route("/x", TALKATIVE[where](text))
    with pytest.raises(DownloadError) as caught:
        get()
    assert str(caught.value).isprintable()
    assert len(str(caught.value)) <= 200


@pytest.mark.parametrize("answer", STRANGE)
def test_and_the_next_mirror_serves(find_it, server, toy, resource, answer):
    server.route(f"/bad/{resource.filename}", STRANGE[answer])
    server.serve(toy.folder, "/good")
    assert find_it(f"{server.url}/bad", f"{server.url}/good").source.startswith(f"{server.url}/good")


def test_a_kept_file_that_is_wrong_counts_as_a_checksum_error(find_it, toy, cache_dir, server):
    kept = Cache(cache_dir, toy.spec).file(toy.train_images)
    kept.parent.mkdir(parents=True)
    kept.write_bytes(b"wrong")
    with pytest.raises(ChecksumError):
        find_it(server.url)


def test_one_connection_serves_several_mirrors_and_is_closed(get, server, body):
    server.route("/x", ok(body))
    before = threading.active_count()
    get()
    deadline = time.monotonic() + 5
    while threading.active_count() > before:  # the server's thread of that connection
        assert time.monotonic() < deadline
        time.sleep(0.01)


def test_signs_of_life_come_as_bytes_arrive(get, server, body):
    server.route("/x", ok(body))
    signs = []
    get(heartbeat=lambda: signs.append(1))
    assert signs


def test_a_total_failure_is_one_of_ours(find_it, server):
    with pytest.raises(IdxHubError):
        find_it(server.url, "https://127.0.0.1:1", "http://[bad", "http://")


def test_a_mirror_that_has_recompressed_the_file_serves(find_it, server, tmp_path):
    stored = gzip.compress(idx.encode(np.zeros((30, 6, 5), np.uint8)), compresslevel=0, mtime=0)
    smaller = gzip.compress(gzip.decompress(stored), mtime=0)
    assert len(smaller) < len(stored)
    path = tmp_path / "train-images-idx3-ubyte.gz"
    path.write_bytes(stored)
    published = Resource.from_file(path)
    server.route(f"/{published.filename}", ok(smaller))
    found = find_it(server.url, resource=published)
    assert found.form == "recompressed"
    assert len(server.requests) == 1


# Whatever a server does, and in whichever part of its answer, the attempt ends in time


def _for_ever(*parts: bytes, pause: float = 0.01):
    """Send the first part, then the last one again and again."""

    def answer(handler):
        handler.wfile.write(b"".join(parts[:-1]))
        while True:
            handler.wfile.write(parts[-1])
            handler.wfile.flush()
            time.sleep(pause)

    return answer


CHUNKED = b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n5\r\nabcde\r\n"
ENDLESS = {
    "a header": _for_ever(b"HTTP/1.1 200 OK\r\nX: ", b"a"),
    "continuing": _for_ever(b"HTTP/1.1 100 Continue\r\n\r\n"),
    "a chunk's size": _for_ever(CHUNKED, b"5;", b"y"),
    "trailers": _for_ever(CHUNKED, b"0\r\n", b"X: y\r\n"),
}


@pytest.mark.parametrize("proxy", [None, Proxy, Socks])
@pytest.mark.parametrize("answer", ENDLESS)
def test_no_part_of_an_answer_outlasts_the_deadline(answer, proxy, server, resource, monkeypatch):
    server.route("/x", ENDLESS[answer])
    with contextlib.ExitStack() as stack:
        if proxy is Socks and importlib.util.find_spec("socks") is None:
            without("PySocks")
        if proxy is not None:
            monkeypatch.setenv("http_proxy", stack.enter_context(proxy("a:b")).url_for("a:b"))
        downloader = stack.enter_context(Downloader(resource, total=1.0))
        began = time.monotonic()
        with pytest.raises(DownloadError, match=r"too slow: \d bytes in 1 s"):
            downloader.download(f"{server.url}/x")
        assert time.monotonic() - began < 3


def test_the_body_of_a_redirect_is_not_read(server, resource):
    server.route("/x", _for_ever(b"HTTP/1.1 302 Found\r\nLocation: /x\r\n\r\n", bytes(1 << 20), pause=0))
    with Downloader(resource, total=10.0) as downloader, pytest.raises(DownloadError, match="redirects without end"):
        downloader.download(f"{server.url}/x")
    assert server.count("/x") == 10


def test_a_connection_that_is_reset_before_the_answer_is_tried_again(get, server, body, monkeypatch):
    monkeypatch.setattr(download, "BACKOFF_FACTOR", 0.01)
    server.route("/x", raw(b""), raw(b""), ok(body))
    assert get() == body


STOPPED = """
    import os, signal, threading, time
    signal.signal(signal.SIGINT, signal.default_int_handler)
    from idxhub import get_dataset
    threading.Timer(1.0, os.kill, (os.getpid(), signal.SIGINT)).start()
    began = time.monotonic()
    try:
        get_dataset("mnist", split=("train", "test"))
    except KeyboardInterrupt:
        print("interrupted" if time.monotonic() - began < 4 else "late")
"""


def test_ctrl_c_ends_a_download(server, cache_dir):
    for resource in MNIST.resources:
        server.route(f"/{resource.filename}", _for_ever(b"HTTP/1.1 200 OK\r\n\r\n", b"\x1f\x8b", pause=0.2))
    began = time.monotonic()
    done = python(STOPPED, env=os.environ | {"IDXHUB_MIRRORS": server.url})
    assert done.stdout == "interrupted\n"
    assert time.monotonic() - began < 10
    assert not list(cache_dir.rglob("*.tmp"))
