"""Servers that speak HTTPS, with certificates that hold or do not, by an authority of the test's own."""

from __future__ import annotations

import ssl
from collections.abc import Callable
from datetime import UTC, datetime
from typing import Any

import trustme

from support.server import Server

HOST = "127.0.0.1"


def secure(authority: trustme.CA, *names: str, **options: Any) -> Server:
    """A server whose certificate is for `names`, by default for the host that it runs on."""
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    authority.issue_cert(*(names or (HOST,)), **options).configure_cert(context)
    return Server(context)


# what to make of an authority that the client trusts
UNSOUND: dict[str, Callable[[trustme.CA], Server]] = {
    "self-signed": lambda authority: secure(trustme.CA()),
    "expired": lambda authority: secure(authority, not_after=datetime(2020, 1, 1, tzinfo=UTC)),
    "for another host": lambda authority: secure(authority, "example.org"),
}
