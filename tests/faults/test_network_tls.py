"""Rows 19 and 20: https is what keeps a stranger out, so it is never traded for http."""

from __future__ import annotations

import pytest
import trustme
from support.server import redirect
from support.tls import UNSOUND, secure

from idxhub import load
from idxhub.errors import DownloadError


@pytest.fixture(scope="module")
def authority():
    return trustme.CA()


@pytest.fixture(autouse=True)
def trusted(authority, tmp_path, monkeypatch):
    path = tmp_path / "authority.pem"
    authority.cert_pem.write_to_path(str(path))
    monkeypatch.setenv("REQUESTS_CA_BUNDLE", str(path))


def redirected(server, toy, to):
    """Let every file of `toy` be somewhere else."""
    for resource in toy.spec.resources:
        server.route(f"/{resource.filename}", redirect(f"{to}/{resource.filename}"))


@pytest.fixture
def refused(authority, toy, invariant):
    """That a mirror is refused with these words, and that the call succeeds with a second mirror; the exception."""

    def check(bad, found):
        with secure(authority) as good:
            good.serve(toy.folder)
            with pytest.raises(DownloadError) as caught:
                load(toy.mirrored(bad), "train")
            healthy = lambda: [load(toy.mirrored(bad, good.url), "train")]  # noqa: E731 -- made when it is asked for
            invariant(caught.value, places=[f"{bad}/"], found=found, healthy=healthy)
        return caught.value

    return check


@pytest.mark.row(19)
@pytest.mark.parametrize("scheme", ["http", "HTTP"])
def test_https_to_http_is_refused(authority, server, toy, refused, scheme):
    server.serve(toy.folder)
    with secure(authority) as first:
        redirected(first, toy, server.url.replace("http", scheme))
        refused(first.url, "redirected from https to http; refused")
    assert server.count() == 0


@pytest.mark.row(19)
def test_other_redirects_are_followed(authority, server, toy, invariant):
    with secure(authority) as second, secure(authority) as third:
        redirected(server, toy, second.url)
        redirected(second, toy, third.url)
        third.serve(toy.folder)
        invariant(healthy=lambda: [load(toy.mirrored(server.url), "train")])
        assert third.count() == 2


# OpenSSL's words, so that each fault is known to be the one that it is called
SAYS = {
    "self-signed": "self-signed certificate",
    "of an unknown authority": "unable to get local issuer certificate",
    "expired": "certificate has expired",
    "for another host": "IP address mismatch",
}


@pytest.mark.row(20)
@pytest.mark.parametrize("fault", UNSOUND)
def test_invalid_certificates_are_refused(authority, toy, refused, fault):
    with UNSOUND[fault](authority) as bad:
        bad.serve(toy.folder)
        for failure in refused(bad.url, "certificate").failures:
            assert SAYS[fault] in failure.why.replace("self signed", "self-signed")  # before OpenSSL 3
        assert bad.count() == 0


@pytest.mark.row(20)
def test_http_is_not_tried_instead_of_https(server, toy, refused):
    server.serve(toy.folder)
    refused(server.url.replace("http:", "https:"), "SSL")  # where plain HTTP is spoken
    assert server.count() == 0
