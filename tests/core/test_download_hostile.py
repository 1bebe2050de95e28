"""Servers that answer with nonsense, without end or at length: an error in time, short and printable."""

import contextlib
import importlib.util
import os
import time

import pytest
from support.processes import python, without
from support.proxy import Proxy
from support.server import ok, raw, redirect
from support.socks import Socks

from idxhub.acquire.download import Downloader
from idxhub.acquire.local import copy_size_limit
from idxhub.catalog.builtin.mnist import MNIST
from idxhub.errors import DownloadError

STRANGE = {
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
def test_strange_answers_are_failures_like_any_other_and_the_next_mirror_serves(
    download, find, server, large, resource, answer
):
    for path in ("/x", f"/bad/{resource.filename}"):
        server.route(path, STRANGE[answer])
    server.serve(large.folder, "/good")
    with pytest.raises(DownloadError) as caught:
        download()
    assert str(caught.value)
    assert find(f"{server.url}/bad", f"{server.url}/good").source.startswith(f"{server.url}/good")


def test_an_announced_length_beyond_the_limit_is_refused_unread(download, server, body, resource):
    answer = b"HTTP/1.1 200 OK\r\nContent-Length: " + b"9" * 30 + b"\r\n\r\n" + body + bytes(copy_size_limit(resource))
    server.route("/x", raw(answer))
    with pytest.raises(
        DownloadError, match=rf"^longer than the {copy_size_limit(resource):,} bytes that the file can have"
    ):
        download()


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
def test_what_a_server_says_is_printable_and_short_in_an_error(download, server, where, text):
    server.route("/x", TALKATIVE[where](text))
    with pytest.raises(DownloadError) as caught:
        download()
    assert str(caught.value).isprintable()
    assert len(str(caught.value)) <= 200


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
    with Downloader(resource, total=10.0) as downloader, pytest.raises(DownloadError, match="too many redirects"):
        downloader.download(f"{server.url}/x")
    assert server.count("/x") == 10


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
