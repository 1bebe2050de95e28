"""Downloading, over a real server that does what servers do. More of it is in tests/faults/test_network.py."""

import gzip
import threading
import time
from email.utils import formatdate

import numpy as np
import pytest
from support.server import (
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

from idxhub import Resource, idx
from idxhub.acquire import connection
from idxhub.errors import DownloadError, IdxHubError

WELL = {
    "whole": ok,
    "a little late": lambda body: slow(ok(body), 0.2),
    "in small pieces": lambda body: trickle(body, 0.0, step=20_000),
    "called a page": lambda body: ok(body, content_type="text/html"),
}


@pytest.mark.parametrize("how", WELL)
def test_a_whole_body_is_returned(download, server, body, how):
    server.route("/x", WELL[how](body))
    assert download() == body
    assert server.count() == 1


def test_the_request_asks_for_the_file_as_it_is(download, server, body):
    server.route("/x", ok(body))
    download()
    (request,) = server.requests
    assert request.headers["Accept-Encoding"] == "identity"
    assert request.headers["User-Agent"].startswith("idxhub/")


@pytest.mark.parametrize("code", [301, 302, 303, 307, 308])
def test_redirects_are_followed(download, server, body, code):
    server.route("/x", redirect("/elsewhere/y", code))
    server.route("/elsewhere/y", ok(body))
    assert download() == body


REFUSALS = {code: status(code) for code in (204, 304, 400, 401, 410, 451, 501)} | {206: status(206, bytes(10))}


@pytest.mark.parametrize("code", REFUSALS)
def test_an_answer_without_the_file_is_not_asked_for_again(download, server, code):
    server.route("/x", REFUSALS[code])
    with pytest.raises(DownloadError, match=rf"^HTTP {code}"):
        download()
    assert server.count() == 1


PASSING = {
    "a closed connection": raw(b""),
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
def test_a_temporary_failure_is_tried_again_up_to_three_times(download, server, body, failure):
    server.route("/x", PASSING[failure], PASSING[failure], ok(body))
    assert download() == body
    server.route("/x", PASSING[failure])
    with pytest.raises(DownloadError, match="3 times"):
        download()
    assert server.count() == 6


def test_a_server_that_asks_to_wait_a_day_is_not_waited_for(download, server):
    server.route("/x", status(503, retry_after=formatdate(time.time() + 86_400, usegmt=True)))
    with pytest.raises(DownloadError, match=r"^HTTP 503; the server asks to wait"):
        download()
    assert server.count() == 1


def test_a_wait_beyond_the_deadline_is_not_begun(download, server):
    server.route("/x", status(503, retry_after="20"))
    with pytest.raises(DownloadError, match="asks to wait 20 s"):
        download(total=5)


WAITING = {
    "for an answer": (silent(), {"connection.READ_TIMEOUT": 0.5}, 5),
    "for leave to ask again": (status(503, retry_after="1"), {"download.MAX_ATTEMPTS": 2}, 5),
    "for more of the body": (stall(bytes(100), 50), {"connection.READ_TIMEOUT": 0.5}, 5),
}


@pytest.mark.parametrize("what", WAITING)
def test_signs_of_life_come_while_it_waits(download, server, monkeypatch, what):
    answer, limits, least = WAITING[what]
    monkeypatch.setattr(connection, "POLL_INTERVAL", 0.1)
    for name, value in limits.items():
        monkeypatch.setattr(f"idxhub.acquire.{name}", value)
    server.route("/x", answer)
    signs = []
    with pytest.raises(DownloadError):
        download(heartbeat=lambda: signs.append(1))
    assert len(signs) >= least


def test_a_stopped_download_requests_nothing(download, find, server, body):
    server.route("/x", ok(body))
    stop = threading.Event()
    stop.set()
    with pytest.raises(DownloadError, match=r"^stopped$"):
        download(stop=stop)
    with pytest.raises(DownloadError, match="stopped") as caught:
        find(server.url, "http://mirror.invalid", stop=stop)
    assert len(caught.value.failures) == 1
    assert server.count() == 0


def test_one_connection_serves_several_mirrors_and_is_closed(download, server, body):
    server.route("/x", ok(body))
    before = threading.active_count()
    download()
    deadline = time.monotonic() + 5
    while threading.active_count() > before:  # the server's thread of that connection
        assert time.monotonic() < deadline
        time.sleep(0.01)


def test_signs_of_life_come_as_bytes_arrive(download, server, body):
    server.route("/x", ok(body))
    signs = []
    download(heartbeat=lambda: signs.append(1))
    assert signs


def test_unusable_mirrors_raise_an_error_of_idxhub(find, server):
    with pytest.raises(IdxHubError):
        find(server.url, "https://127.0.0.1:1", "http://[bad", "http://")


def test_a_mirror_that_has_recompressed_the_file_serves(find, server, tmp_path):
    stored = gzip.compress(idx.encode(np.zeros((30, 6, 5), np.uint8)), compresslevel=0, mtime=0)
    smaller = gzip.compress(gzip.decompress(stored), mtime=0)
    assert len(smaller) < len(stored)
    path = tmp_path / "train-images-idx3-ubyte.gz"
    path.write_bytes(stored)
    published = Resource.from_file(path)
    server.route(f"/{published.filename}", ok(smaller))
    found = find(server.url, resource=published)
    assert found.form == "recompressed"
    assert len(server.requests) == 1
