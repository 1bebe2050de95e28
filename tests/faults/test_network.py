"""Rows 1 to 18 and 22: what a network and a mirror do, seen by who asks for a dataset."""

from __future__ import annotations

import gzip
import zlib
from collections import Counter
from collections.abc import Callable
from dataclasses import dataclass, field, replace
from typing import Any

import pytest
import urllib3
from support.made import Made
from support.server import (
    Answer,
    Server,
    chunked,
    closed_port,
    endless,
    ok,
    page,
    redirect,
    short,
    silent,
    stall,
    status,
    trickle,
    unsized,
)

from idxhub import Resource, Split, idx, load
from idxhub.acquire import download
from idxhub.cache.store import Cache
from idxhub.catalog.builtin.fashion_mnist import FASHION_MNIST
from idxhub.errors import ChecksumError, DownloadError, IdxHubError


@pytest.fixture
def toy(large):
    return large


@pytest.fixture(autouse=True)
def hasty(monkeypatch):
    """Retries that nobody asked to wait for come at once."""
    monkeypatch.setattr(download, "BACKOFF_FACTOR", 0.01)


@dataclass(frozen=True)
class Fault:
    """What one mirror does, each time: how it answers for a file's bytes, what the error says of it, and how often it
    is asked for a file before the next mirror is tried. `url` is for a mirror that does not exist; `limits` are
    deadlines. `expected` is what the error says was expected, if anything; `limit` is how many bytes of such a body
    are read if it has more. A whole body that is another file is a `ChecksumError`.
    """

    row: int
    answer: Callable[[bytes], Answer] | None
    says: str
    asked: int = 1
    url: str = ""
    limits: dict[str, float] = field(default_factory=dict)
    expected: Callable[[Resource, bytes], str] = lambda *_: ""
    limit: Callable[[bytes], int] | None = None
    error: type[IdxHubError] = DownloadError

    def mirror(self, server: Server, toy: Made, monkeypatch: pytest.MonkeyPatch) -> str:
        """Set it up; its URL."""
        for name, value in self.limits.items():
            monkeypatch.setattr(f"idxhub.acquire.{name}", value)
        if self.answer is None:
            return self.url.format(closed=closed_port())
        for resource in toy.spec.resources:
            server.route(f"/bad/{resource.filename}", self.answer(toy.bytes(resource)))
        return f"{server.url}/bad"


def half(body: bytes) -> int:
    return len(body) // 2


def inflated_size(body: bytes) -> int:
    return len(gzip.decompress(body))


def md5(resource: Resource, _: bytes) -> str:
    return f"expected {resource.md5}"


def copy_limit(body: bytes) -> int:
    return 2 * inflated_size(body) + 65_536


def at_most(limit: Callable[[bytes], int]) -> Callable[[Resource, bytes], str]:
    return lambda _, body: f"the {limit(body):,} bytes that the file can have"


NO_DAY = f"Mon, {'9' * 20} Jan 2020 00:00:00 GMT"
NO_YEAR = f"Mon, 01 Jan {'9' * 20} 00:00:00 GMT"
FAULTS = {
    "refused": Fault(1, None, "refused", url="http://127.0.0.1:{closed}"),
    "no such name": Fault(
        2, None, "ame", url="http://mirror.invalid"
    ),  # "Name or service", "Temporary failure in name"
    "404": Fault(3, lambda _: status(404), "HTTP 404"),
    "403": Fault(3, lambda _: status(403), "HTTP 403"),
    "429 for too long": Fault(4, lambda _: status(429, retry_after="3600"), "HTTP 429; the server asks to wait 3600 s"),
    "429 for a second too long": Fault(
        4, lambda _: status(429, retry_after="31"), "HTTP 429; the server asks to wait 31 s"
    ),
    "503 for too long": Fault(4, lambda _: status(503, retry_after="9" * 400), "HTTP 503; the server asks to wait"),
    "429 for ever": Fault(4, lambda _: status(429, retry_after="0"), "HTTP 429, 3 times", asked=3),
    "503 until no day": Fault(4, lambda _: status(503, retry_after=NO_DAY), "HTTP 503; the server asks to wait"),
    "503 in no year": Fault(4, lambda _: status(503, retry_after=NO_YEAR), "HTTP 503, 3 times", asked=3),
    "500 for ever": Fault(5, lambda _: status(500), "HTTP 500, 3 times", asked=3),
    "page": Fault(6, lambda _: page(), "answered with an HTML page"),
    "page in capitals": Fault(6, lambda _: ok(b" \n<HTML><head>"), "answered with an HTML page"),
    "page by its type": Fault(6, lambda _: ok(b"Log in", content_type="text/html"), "answered with an HTML page"),
    "page, long": Fault(6, lambda _: ok(b"<!doctype html>" + bytes(10**6)), "answered with an HTML page"),
    "page, no length": Fault(6, lambda _: unsized(b"<!DOCTYPE html>"), "answered with an HTML page"),
    "other content": Fault(
        7, lambda body: ok(other(body)), "has the right shape, but other content", expected=md5, error=ChecksumError
    ),
    "short": Fault(8, lambda body: short(body, half(body)), "the connection was lost after", asked=3),
    "short by a reset": Fault(8, lambda body: short(body, half(body), reset=True), "connection was lost", asked=3),
    "short, and says so": Fault(8, lambda body: ok(body[:-10]), "cut short", expected=md5, error=ChecksumError),
    "one byte more": Fault(9, lambda body: ok(body + b"x"), "other bytes follow", expected=md5, error=ChecksumError),
    "more than twice the content": Fault(
        *(9, lambda body: ok(body + bytes(copy_limit(body))), "longer than the"),
        expected=at_most(copy_limit),
        limit=copy_limit,
    ),
    "payload, one byte more": Fault(
        *(9, lambda body: ok(gzip.decompress(body) + b"x"), "longer than the"),
        expected=at_most(inflated_size),
        limit=inflated_size,
    ),
    "chunks cut": Fault(
        11, lambda body: chunked(body, step=50, cut=1), "the connection was lost after 50 bytes", asked=3
    ),
    "endless": Fault(12, endless, "longer than the", expected=at_most(copy_limit), limit=copy_limit),
    "endless zeros": Fault(
        *(12, lambda body: endless(bytes(inflated_size(body))), "longer than the"),
        expected=at_most(inflated_size),
        limit=inflated_size,
    ),
    "silent": Fault(15, lambda _: silent(), "no answer within", limits={"connection.READ_TIMEOUT": 0.4}),
    "stalls": Fault(
        16, lambda body: stall(body, half(body)), "no more bytes arrived for", limits={"connection.READ_TIMEOUT": 0.4}
    ),
    "a byte at a time": Fault(17, lambda body: trickle(body, 0.02), "too slow", limits={"download.TOTAL_TIMEOUT": 1.0}),
    "loop": Fault(18, lambda _: redirect("/loop"), "too many redirects"),
}


def other(body: bytes) -> bytes:
    """The same shape, with one other pixel or label."""
    data = bytearray(gzip.decompress(body))
    data[-1] ^= 1
    return gzip.compress(bytes(data), mtime=0)


def stored(body: bytes) -> bytes:
    """The same content in a .gz that is larger than the published one, and than the content."""
    content, packed = gzip.decompress(body), zlib.compressobj(0, wbits=31)
    pieces = [content[start : start + 100] for start in range(0, len(content), 100)]
    larger = b"".join(packed.compress(piece) + packed.flush(zlib.Z_FULL_FLUSH) for piece in pieces) + packed.flush()
    assert len(larger) > max(len(content), len(body))
    return larger


def rows(table: dict[str, Any]) -> Any:
    """The table's rows as parameters, each with its mark."""
    return [pytest.param(each, id=name, marks=pytest.mark.row(each.row)) for name, each in table.items()]


def right(split: Split, toy: Made) -> bool:
    return split.images.tobytes() == toy.array(toy.train_images).tobytes()


@pytest.fixture
def taken_in(monkeypatch):
    """How many bytes of each body were read, by the path that they came from."""
    sizes: Counter[str] = Counter()
    read1 = urllib3.HTTPResponse.read1

    def reading(response, *arguments, **options):
        block = read1(response, *arguments, **options)
        sizes[response.url] += len(block)
        return block

    monkeypatch.setattr(urllib3.HTTPResponse, "read1", reading)
    return sizes


@pytest.mark.parametrize("fault", rows(FAULTS))
def test_the_next_mirror_is_used(fault, toy, server, monkeypatch, invariant, taken_in):
    server.serve(toy.folder, "/good")
    server.route("/loop", redirect("/loop"))
    split = load(toy.mirrored(fault.mirror(server, toy, monkeypatch), f"{server.url}/good"), "train")
    assert right(split, toy)
    assert all(record.source.startswith(f"{server.url}/good/") for record in split.info.records)
    for resource in (toy.train_images, toy.train_labels):
        assert server.count(f"/bad/{resource.filename}") == (fault.asked if fault.answer else 0)
        assert server.count(f"/good/{resource.filename}") == 1
        body = toy.bytes(resource)
        assert taken_in[f"/good/{resource.filename}"] == len(body)
        if fault.limit is not None:
            assert taken_in[f"/bad/{resource.filename}"] == fault.limit(body) + 1
    # of an endless body, what lies in the sockets' buffers is all that was sent beyond
    assert server.bytes_sent < 32 << 20
    invariant()


@pytest.mark.parametrize("fault", rows(FAULTS))
def test_a_single_bad_mirror_is_named_and_the_next_call_succeeds(fault, toy, server, monkeypatch, invariant):
    server.route("/loop", redirect("/loop"))
    with monkeypatch.context() as patched:
        url = fault.mirror(server, toy, patched)
        with pytest.raises(fault.error) as caught:
            load(toy.mirrored(url), "train")
    assert any(fault.says in failure.why for failure in caught.value.failures)
    (resource,) = (each for each in toy.spec.resources if each.filename in str(caught.value))
    server.serve(toy.folder, "/bad")
    mirrored = toy.mirrored(f"{server.url}/bad")
    invariant(
        caught.value,
        file=resource.filename,
        places=[f"{url}/{resource.filename}"],
        expected=fault.expected(resource, toy.bytes(resource)),
        found=fault.says,
        healthy=lambda: [load(mirrored, "train")],
    )


@dataclass(frozen=True)
class Passing:
    """What a mirror does before, or while, it serves: the answers before the last one, and the last one."""

    row: int
    before: Callable[[bytes], list[Answer]] = lambda _: []
    then: Callable[[bytes], Answer] = ok
    form: str = "published"


PASSING = {
    "429, wait": Passing(4, lambda _: [status(429, retry_after="1")]),
    "503, wait": Passing(4, lambda _: [status(503, retry_after="1")]),
    "500 twice": Passing(5, lambda _: [status(500)] * 2),
    "short twice": Passing(8, lambda body: [short(body, half(body)), short(body, 0, reset=True)]),
    "recompressed, larger": Passing(9, then=lambda body: ok(stored(body)), form="recompressed"),
    "recompressed, larger, no length": Passing(9, then=lambda body: unsized(stored(body)), form="recompressed"),
    "zeros behind it": Passing(9, then=lambda body: ok(body + bytes(1000)), form="recompressed"),
    "chunked": Passing(10, then=chunked),
    "chunked, small": Passing(10, then=lambda body: chunked(body, step=79)),
    "neither chunks nor length": Passing(10, then=unsized),
    "chunks cut twice": Passing(11, lambda body: [chunked(body, step=50, cut=1)] * 2),
    "called gzip": Passing(13, then=lambda body: ok(body, content_encoding="gzip")),
    "called x-gzip": Passing(
        13, then=lambda body: ok(body, content_encoding="x-gzip", content_type="application/x-tar")
    ),
    "called deflate": Passing(13, then=lambda body: ok(body, content_encoding="deflate")),
    "decompressed": Passing(14, then=lambda body: ok(gzip.decompress(body)), form="decompressed"),
    "decompressed, chunked": Passing(14, then=lambda body: chunked(gzip.decompress(body)), form="decompressed"),
}


@pytest.mark.parametrize("case", rows(PASSING))
def test_temporary_faults_are_retried_and_right_data_are_accepted(case, toy, server, cache_dir, invariant):
    for resource in toy.spec.resources:
        body = toy.bytes(resource)
        server.route(f"/{resource.filename}", *case.before(body), case.then(body))
    spec = toy.mirrored(server.url)
    split = load(spec, "train")
    assert right(split, toy)
    assert {record.form for record in split.info.records} == {case.form}
    for resource in (toy.train_images, toy.train_labels):
        assert server.count(f"/{resource.filename}") == 1 + len(case.before(b"x" * 99))
        # kept are the published bytes, and nothing else under their name
        assert Cache(cache_dir, spec).file(resource).exists() == (case.form == "published")
    if case.row == 4:
        first, second = (each.at for each in server.requests if each.path.endswith(toy.train_images.filename))
        assert 0.95 < second - first < 5
    invariant()


@pytest.mark.row(7)
def test_mnist_under_fashion_mnists_names_is_called_mnist(full_data_dir, mnist_dir, server, invariant):
    test = FASHION_MNIST.splits["test"]
    for name, folder in (("mnist", mnist_dir), ("good", full_data_dir)):
        for resource in (test.images, test.labels):
            server.route(f"/{name}/{resource.filename}", ok((folder / resource.filename).read_bytes()))
    bad, good = (replace(FASHION_MNIST, folders=(), mirrors=(f"{server.url}/{name}",)) for name in ("mnist", "good"))
    arrays = {
        resource.stem: idx.decode(gzip.decompress((full_data_dir / resource.filename).read_bytes()))
        for resource in FASHION_MNIST.resources
    }
    with pytest.raises(ChecksumError) as caught:
        load(bad, "test")
    invariant(
        caught.value,
        of=Made(full_data_dir, good, arrays),
        places=[f"{server.url}/mnist/t10k-"],
        found="this is MNIST test ",
        healthy=lambda: [load(replace(good, mirrors=(*bad.mirrors, *good.mirrors)), "test")],
    )


@pytest.mark.row(22)
def test_every_mirror_is_listed_with_its_reason(toy, server, monkeypatch, invariant):
    resource, urls = toy.train_images, {}
    server.route("/loop", redirect("/loop"))
    with monkeypatch.context() as patched:
        for number, (name, fault) in enumerate(FAULTS.items()):
            urls[name] = fault.mirror(server, toy, patched)
            if fault.answer:
                urls[name] = f"{server.url}/{number}"
                server.route(f"/{number}/{resource.filename}", fault.answer(toy.bytes(resource)))
                # the labels are found: if they failed, the search for the images would end
                server.route(f"/{number}/{toy.train_labels.filename}", ok(toy.bytes(toy.train_labels)))
        with pytest.raises(ChecksumError) as caught:  # one of them has a file, and a wrong one
            load(toy.mirrored(*urls.values()), "train")
    failures = caught.value.failures
    assert [failure.where for failure in failures] == [f"{url}/{resource.filename}" for url in urls.values()]
    for failure, (name, fault) in zip(failures, FAULTS.items(), strict=True):
        assert fault.says in failure.why, name
        assert "\n" not in failure.why
        assert "0x" not in failure.why
    server.serve(toy.folder, "/good")
    good = toy.mirrored(f"{server.url}/good")
    invariant(caught.value, places=urls.values(), healthy=lambda: [load(good, "train")])
