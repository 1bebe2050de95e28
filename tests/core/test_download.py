"""Downloading, over a real server that does what servers do."""

import contextlib
import gzip
import os
import pickle
import ssl
import subprocess
import sys
import textwrap
import threading
import time
from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace
from datetime import UTC, datetime
from email.utils import formatdate

import filelock
import numpy as np
import pytest
import trustme
from support import made
from support.processes import python, running, without
from support.server import (
    Server,
    chunked,
    closed_port,
    endless,
    ok,
    page,
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

from idxhub import Plugins, Resource, download, idx, load, making
from idxhub.builtin import FASHION_MNIST
from idxhub.cache import Cache
from idxhub.download import Downloads
from idxhub.errors import ChecksumError, DownloadError, IdxHubError
from idxhub.fetch import Places, find


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
    monkeypatch.setattr(download, "_PAUSE", 0.01)

    def get_it(url=None, **options):
        with Downloads(resource, **options) as downloads:
            return downloads.get(url or f"{server.url}/x")

    return get_it


@pytest.fixture
def find_it(toy, cache_dir, monkeypatch):
    """Find the train images with these mirrors."""
    monkeypatch.setattr(download, "_PAUSE", 0.01)

    def find_with(*mirrors, resource=toy.train_images):
        spec = toy.mirrored(*mirrors)
        return find(spec, resource, Cache(cache_dir, spec), Places(), specs=[toy.spec])

    return find_with


WELL = {
    "whole": ok,
    "chunked": chunked,
    "chunked, byte by byte": lambda body: chunked(body[:50] + body[50:], step=7919),
    "no length": unsized,
    "a little late": lambda body: slow(ok(body), 0.2),
    "in small pieces": lambda body: trickle(body, 0.0, step=20_000),
    "called compressed": lambda body: ok(body, content_encoding="gzip"),
    "called compressed, chunked": lambda body: ok(body, content_encoding="x-gzip", content_type="application/x-tar"),
    "called a page": lambda body: ok(body, content_type="text/html"),
    "as published, called deflate": lambda body: ok(body, content_encoding="deflate"),
    "decompressed by the server": lambda body: ok(gzip.decompress(body)),
    "decompressed by the server, chunked": lambda body: chunked(gzip.decompress(body)),
}


@pytest.mark.parametrize("how", WELL)
def test_bodies_that_are_well(get, server, body, how):
    server.route("/x", WELL[how](body))
    assert get() == (gzip.decompress(body) if "decompressed" in how else body)
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


@pytest.mark.parametrize("code", [400, 401, 403, 404, 410, 451, 501])
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
    **{str(code): status(code) for code in (429, 500, 502, 503, 504)},
    "wait 0": status(503, retry_after="0"),
    "wait until now": status(503, retry_after="Mon, 02 Jan 2006 15:04:05 GMT"),
    "wait for nonsense": status(503, retry_after="soon"),
    "wait for a strange number": status(503, retry_after="\u00b2"),
    "wait since before time": status(503, retry_after="Mon, 01 Jan 0001 00:00:00 -0000"),
    "cut": short(bytes(1000), 10),
    "cut by a reset": short(bytes(1000), 10, reset=True),
    "empty": short(bytes(1000), 0),
    "no body at all": ok(b""),
    "chunked and cut": chunked(b"\x1f\x8b" * 5000, cut=2),
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


@pytest.mark.parametrize("code", [429, 503])
def test_retry_after_is_obeyed(get, server, body, code):
    server.route("/x", status(code, retry_after="1"), ok(body))
    assert get() == body
    first, second = server.requests
    assert 0.95 < second.at - first.at < 4


@pytest.mark.parametrize("wait", ["3600", "9" * 400, "in a day"])
def test_a_server_that_asks_for_too_long_is_left(get, server, wait):
    wait = formatdate(time.time() + 86_400, usegmt=True) if wait == "in a day" else wait
    server.route("/x", status(503, retry_after=wait))
    with pytest.raises(DownloadError, match=r"^HTTP 503; asks to wait"):
        get()
    assert server.count() == 1


def test_a_wait_beyond_the_deadline_is_not_begun(get, server):
    server.route("/x", status(503, retry_after="20"))
    with pytest.raises(DownloadError, match="asks to wait 20 s"):
        get(total=5)


@pytest.mark.parametrize(
    "answer",
    [
        page(),
        page("  \n<HTML><head>"),
        ok(b"Please log in", content_type="text/html"),
        ok(b"<!doctype html>" + b"x" * 1_000_000),
        unsized(b"<!DOCTYPE html><html></html>"),
    ],
)
def test_a_page_is_called_a_page(get, server, answer):
    server.route("/x", answer)
    with pytest.raises(DownloadError, match=r"^answered with an HTML page"):
        get()
    assert server.count() == 1


@pytest.mark.parametrize("start", ["the file", "zeros"])
@pytest.mark.parametrize("kind", ["endless", "one byte more", "length beyond all bounds"])
def test_a_body_too_long_stops(get, server, body, resource, start, kind):
    content = body if start == "the file" else bytes(resource.payload_size)
    server.route(
        "/x",
        {
            "endless": endless(content),
            "one byte more": ok(content + b"x"),
            "length beyond all bounds": raw(
                b"HTTP/1.1 200 OK\r\nContent-Length: " + b"9" * 30 + b"\r\n\r\n" + content + b"x"
            ),
        }[kind],
    )
    with pytest.raises(DownloadError, match=rf"^more than the {len(content):,} bytes expected"):
        get()
    # what lies in the sockets' buffers by then is all that was sent beyond
    assert server.bytes_sent < len(content) + (16 << 20)
    assert server.count() == 1


def test_at_most_one_byte_more_is_kept(resource, server, body, monkeypatch):
    server.route("/x", endless(body))
    sizes = []
    monkeypatch.setattr(download, "_unexpected", lambda response, got, limit: sizes.append(len(got)) or "too long")
    with Downloads(resource) as downloads, pytest.raises(DownloadError, match="too long"):
        downloads.get(f"{server.url}/x")
    assert sizes == [len(body) + 1]


def timed(action) -> float:
    began = time.monotonic()
    with pytest.raises(DownloadError) as caught:
        action()
    timed.reason = str(caught.value)
    return time.monotonic() - began


def test_a_server_that_never_answers(get, server, monkeypatch):
    monkeypatch.setattr(download, "READ_TIMEOUT", 0.4)
    server.route("/x", silent())
    assert 0.3 < timed(get) < 3
    assert timed.reason.startswith("no answer within")


def test_a_server_that_stalls(get, server, body, monkeypatch):
    monkeypatch.setattr(download, "READ_TIMEOUT", 0.4)
    server.route("/x", stall(body, 5000))
    assert 0.3 < timed(get) < 3
    assert timed.reason.startswith("nothing more for")
    assert timed.reason.endswith("after 5,000 bytes")


def test_a_trickle_ends_at_the_total_deadline(get, server, body):
    server.route("/x", trickle(body, 0.02))
    assert 0.9 < timed(lambda: get(total=1.0)) < 3
    assert timed.reason.startswith("too slow")


def test_redirects_without_end(get, server):
    server.route("/x", redirect("/y"))
    server.route("/y", redirect("/x"))
    with pytest.raises(DownloadError, match=r"^redirects without end"):
        get()


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


@pytest.mark.parametrize("answer", STRANGE)
def test_and_the_next_mirror_serves(find_it, server, toy, resource, answer):
    server.route(f"/bad/{resource.filename}", STRANGE[answer])
    server.serve(toy.folder, "/good")
    assert find_it(f"{server.url}/bad", f"{server.url}/good").source.startswith(f"{server.url}/good")


def bad_mirrors(body):
    return {
        "404": (status(404), "HTTP 404"),
        "403": (status(403), "HTTP 403"),
        "500": (status(500), "HTTP 500, 3 times"),
        "busy": (status(503, retry_after="999"), "HTTP 503; asks to wait 999 s"),
        "page": (page(), "answered with an HTML page"),
        "cut": (short(body, 5000), "connection lost after 5,000 bytes, 3 times"),
        "reset": (short(body, 5000, reset=True), "connection lost"),
        "chunked-cut": (chunked(body, cut=3), "connection lost after 3,000 bytes, 3 times"),
        "shorter": (ok(body[:-10]), "cut short"),
        "longer": (endless(body), "more than the"),
        "flipped": (ok(body[:-20] + bytes([body[-20] ^ 1]) + body[-19:]), "damaged compressed data"),
        "other": (ok(b"PK\3\4" + bytes(1000)), "not IDX"),
        "loop": (redirect("/loop/"), "redirects without end"),
        "hangs-up": (raw(b""), ""),
    }


def test_every_bad_mirror_is_passed_over_and_listed(find_it, server, toy, resource, body):
    mirrors = bad_mirrors(body)
    for name, (answer, _) in mirrors.items():
        server.route(f"/{name}/{resource.filename}", answer)
    server.route("/loop/", redirect("/loop/"))
    refused, unknown = f"http://127.0.0.1:{closed_port()}", "http://mirror.invalid"
    urls = [*(f"{server.url}/{name}" for name in mirrors), refused, unknown]

    with pytest.raises(DownloadError) as caught:
        find_it(*urls)

    failures = caught.value.failures
    assert [failure.where for failure in failures] == [f"{url}/{resource.filename}" for url in urls]
    for failure, (_, why) in zip(failures, mirrors.values(), strict=False):
        assert failure.why.startswith(why), failure
        assert failure.where in str(caught.value)
    assert all(failure.why and "\n" not in failure.why and "0x" not in failure.why for failure in failures)

    server.serve(toy.folder, "/good")
    assert find_it(*urls, f"{server.url}/good").form == "published"


def test_a_wrong_file_from_a_mirror_is_called_what_it_is(find_it, server, toy, resource):
    server.route(f"/{resource.filename}", ok(toy.bytes(toy.spec.splits["test"].images)))
    with pytest.raises(DownloadError):
        find_it(server.url)


def test_a_kept_file_that_is_wrong_counts_as_a_checksum_error(find_it, toy, cache_dir, server):
    kept = Cache(cache_dir, toy.spec).file(toy.train_images)
    kept.parent.mkdir(parents=True)
    kept.write_bytes(b"wrong")
    with pytest.raises(ChecksumError):
        find_it(server.url)


def test_decompressed_by_the_server_is_accepted_by_its_payload(find_it, server, resource, body, cache_dir, toy):
    server.route(f"/{resource.filename}", ok(gzip.decompress(body)))
    assert find_it(server.url).form == "decompressed"
    assert not Cache(cache_dir, toy.spec).file(resource).exists()  # only the published file is kept


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
    get(alive=lambda: signs.append(1))
    assert signs


# TLS


@pytest.fixture(scope="module")
def authority():
    return trustme.CA()


@pytest.fixture
def trusted(authority, tmp_path, monkeypatch):
    path = tmp_path / "authority.pem"
    authority.cert_pem.write_to_path(str(path))
    monkeypatch.setenv("REQUESTS_CA_BUNDLE", str(path))


def secure(authority, *names, **options):
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    authority.issue_cert(*names, **options).configure_cert(context)
    return Server(context)


def test_https(get, authority, trusted, body):
    with secure(authority, "127.0.0.1") as server:
        server.route("/x", ok(body))
        assert get(f"{server.url}/x") == body


@pytest.mark.parametrize("target", ["http://127.0.0.1:{port}/x", "HTTP://127.0.0.1:{port}/x"])
def test_https_to_http_is_refused(get, authority, trusted, server, body, target):
    server.route("/x", ok(body))
    with secure(authority, "127.0.0.1") as first:
        first.route("/x", redirect(target.format(port=server.url.rpartition(":")[2])))
        with pytest.raises(DownloadError, match="from https to http; refused"):
            get(f"{first.url}/x")
    assert server.count() == 0


def test_http_to_https_and_https_to_https_are_followed(get, authority, trusted, server, body):
    with secure(authority, "127.0.0.1") as second:
        server.route("/x", redirect(f"{second.url}/y"))
        second.route("/y", redirect("/z"))
        second.route("/z", ok(body))
        assert get() == body


@pytest.mark.parametrize("fault", ["unknown authority", "another host", "expired"])
def test_certificates_that_do_not_hold_are_refused(get, authority, trusted, body, fault, monkeypatch):
    if fault == "unknown authority":
        server = secure(trustme.CA(), "127.0.0.1")
    elif fault == "another host":
        server = secure(authority, "example.org")
    else:
        server = secure(authority, "127.0.0.1", not_after=datetime(2020, 1, 1, tzinfo=UTC))
    with server:
        server.route("/x", ok(body))
        with pytest.raises(DownloadError, match=r"(?i)certificate"):
            get(f"{server.url}/x")
        assert server.count() == 0


# Many at once


FETCH = """
    import pickle, sys
    from idxhub import Plugins, load
    import idxhub.download  # the slow part of starting

    spec = pickle.load(open(sys.argv[1], "rb"))
    print("ready", flush=True)
    sys.stdin.readline()
    split = load(spec, "all", plugins=Plugins([]))
    print(int(split.images.sum()), int(split.labels.sum()), flush=True)
"""


def test_eight_processes_on_a_cold_cache_download_each_file_once(toy, server, tmp_path):

    for resource in toy.spec.resources:
        server.route(f"/{resource.filename}", slow(ok(toy.bytes(resource)), 0.2))
    told = tmp_path / "told"
    told.write_bytes(pickle.dumps(toy.mirrored(server.url)))
    with contextlib.ExitStack() as stack:
        children = [stack.enter_context(running(FETCH, told)) for _ in range(8)]
        for child in children:
            assert child.stdout.readline() == "ready\n"
        for child in children:
            child.stdin.write("go\n")
            child.stdin.flush()
        answers = {child.stdout.readline() for child in children}
    images = sum(int(toy.array(split.images).sum()) for split in toy.spec.splits.values())
    labels = sum(int(toy.array(split.labels).sum()) for split in toy.spec.splits.values())
    assert answers == {f"{images} {labels}\n"}
    assert {path: server.count(path) for path in {request.path for request in server.requests}} == {
        f"/{resource.filename}": 1 for resource in toy.spec.resources
    }


def test_sixteen_threads_at_once(toy, server, monkeypatch):
    found, really_find = [], making.find

    def counted(spec, resource, *arguments, **options):
        found.append(resource.stem)
        return really_find(spec, resource, *arguments, **options)

    monkeypatch.setattr(making, "find", counted)
    for resource in toy.spec.resources:
        server.route(f"/{resource.filename}", slow(ok(toy.bytes(resource)), 0.1))
    spec, sums = toy.mirrored(server.url), []

    def work():
        sums.append(int(load(spec, "train", plugins=Plugins([])).images.sum()))

    threads = [threading.Thread(target=work) for _ in range(16)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert sums == [int(toy.array(toy.train_images).sum())] * 16
    assert server.count() == 2
    assert sorted(found) == [toy.train_images.stem, toy.train_labels.stem]


def test_without_locks_all_download_and_all_are_right(toy, server, monkeypatch):

    server.serve(toy.folder)
    # as on some NFS: the lock is always to be had
    monkeypatch.setattr(filelock.FileLock, "acquire", lambda self, *arguments, **options: None)
    monkeypatch.setattr(filelock.FileLock, "release", lambda self, *arguments, **options: None)
    spec = toy.mirrored(server.url)
    with ThreadPoolExecutor(8) as pool:
        loaded = [pool.submit(load, spec, "train", plugins=Plugins([])) for _ in range(8)]
    for split in (each.result() for each in loaded):
        np.testing.assert_array_equal(split.images, toy.array(toy.train_images))


# What is seen on a terminal


DOWNLOAD = """
    import pickle, sys
    from idxhub import Plugins, load

    load(pickle.load(open(sys.argv[1], "rb")), "train", plugins=Plugins([]))
"""


@pytest.fixture
def told(toy, server, tmp_path):

    for resource in toy.spec.resources:
        server.route(f"/{resource.filename}", trickle(toy.bytes(resource), 0.02, step=40_000))
    path = tmp_path / "told"
    path.write_bytes(pickle.dumps(toy.mirrored(server.url)))
    return path


def test_silent_where_nobody_looks(told):
    done = python(DOWNLOAD, told)
    assert (done.stdout, done.stderr) == ("", "")


def test_a_progress_bar_on_a_terminal(told, resource):
    try:
        import pty  # noqa: PLC0415 -- POSIX alone has these
        import termios  # noqa: PLC0415
    except ImportError:
        without("a pseudo-terminal (POSIX)")

    ours, theirs = pty.openpty()
    termios.tcsetwinsize(theirs, (24, 80))
    with subprocess.Popen([sys.executable, "-c", textwrap.dedent(DOWNLOAD), str(told)], stderr=theirs) as child:
        os.close(theirs)
        seen = b""
        with os.fdopen(ours, "rb", buffering=0) as terminal:
            try:
                while block := terminal.read(1000):
                    seen += block
            except OSError:  # Linux's word for the end of a terminal
                pass
        assert child.wait(30) == 0
    assert resource.filename in seen.decode()
    assert "%" in seen.decode()


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


@pytest.mark.parametrize("answer", ENDLESS)
def test_no_part_of_an_answer_outlasts_the_deadline(answer, server, resource):
    server.route("/x", ENDLESS[answer])
    began = time.monotonic()
    with Downloads(resource, total=1.0) as downloads, pytest.raises(DownloadError, match=r"too slow: \d bytes in 1 s"):
        downloads.get(f"{server.url}/x")
    assert time.monotonic() - began < 3


def test_the_body_of_a_redirect_is_not_read(server, resource):
    server.route("/x", _for_ever(b"HTTP/1.1 302 Found\r\nLocation: /x\r\n\r\n", bytes(1 << 20), pause=0))
    with Downloads(resource, total=10.0) as downloads, pytest.raises(DownloadError, match="redirects without end"):
        downloads.get(f"{server.url}/x")
    assert server.count("/x") == 10


def test_a_connection_that_is_reset_before_the_answer_is_tried_again(get, server, body, monkeypatch):
    monkeypatch.setattr(download, "_PAUSE", 0.01)
    server.route("/x", raw(b""), raw(b""), ok(body))
    assert get() == body


STOPPED = """
    import os, signal, threading, time
    signal.signal(signal.SIGINT, signal.default_int_handler)
    from idxhub import get_dataset
    threading.Timer(1.0, os.kill, (os.getpid(), signal.SIGINT)).start()
    began = time.monotonic()
    try:
        get_dataset("fashion-mnist", split=("train", "test"))
    except KeyboardInterrupt:
        print("interrupted" if time.monotonic() - began < 4 else "late")
"""


def test_ctrl_c_ends_a_download(server, cache_dir):
    for resource in FASHION_MNIST.resources:
        server.route(f"/{resource.filename}", _for_ever(b"HTTP/1.1 200 OK\r\n\r\n", b"\x1f\x8b", pause=0.2))
    began = time.monotonic()
    done = python(STOPPED, env=os.environ | {"IDXHUB_MIRRORS": server.url})
    assert done.stdout == "interrupted\n"
    assert time.monotonic() - began < 10
    assert not list(cache_dir.rglob("*.tmp"))


def test_a_password_in_a_mirrors_address_is_neither_shown_nor_kept(find_it, server, toy, resource, cache_dir):
    server.serve(toy.folder)
    secret = server.url.replace("http://", "http://user:hunter2@")
    assert "hunter2" not in find_it(secret).source
    with pytest.raises(IdxHubError) as caught:
        find_it(f"{secret}/nowhere", resource=replace(resource, md5="0" * 32, sha256=None, payload_sha256=None))
    assert "hunter2" not in str(caught.value)
    assert "127.0.0.1" in str(caught.value)
