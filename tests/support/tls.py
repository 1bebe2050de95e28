"""Servers that speak HTTPS, with valid and with invalid certificates, by an authority of the test's own."""

from __future__ import annotations

import ssl
import tempfile
from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from ipaddress import ip_address
from pathlib import Path
from typing import Any

import trustme
from cryptography import x509
from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.hazmat.primitives.serialization import Encoding, NoEncryption, PrivateFormat
from cryptography.x509.oid import NameOID

from support.server import Server

HOST = "127.0.0.1"


def secure(authority: trustme.CA, *names: str, **options: Any) -> Server:
    """A server whose certificate is for `names`, by default for the host that it runs on."""
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    authority.issue_cert(*(names or (HOST,)), **options).configure_cert(context)
    return Server(context)


def self_signed() -> Server:
    """A server whose certificate for the right host is signed by its own key."""
    key = ec.generate_private_key(ec.SECP256R1())
    name = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, HOST)])
    now = datetime.now(UTC)
    certificate = (
        x509.CertificateBuilder(issuer_name=name, subject_name=name, public_key=key.public_key())
        .serial_number(x509.random_serial_number())
        .not_valid_before(now - timedelta(days=1))
        .not_valid_after(now + timedelta(days=1))
        .add_extension(x509.SubjectAlternativeName([x509.IPAddress(ip_address(HOST))]), critical=False)
        .sign(key, hashes.SHA256())
    )
    private = key.private_bytes(Encoding.PEM, PrivateFormat.PKCS8, NoEncryption())
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    with tempfile.TemporaryDirectory() as folder:  # ssl takes them from a file alone
        path = Path(folder, "pem")
        path.write_bytes(private + certificate.public_bytes(Encoding.PEM))
        context.load_cert_chain(path)
    return Server(context)


# servers made with an authority that the client trusts
UNSOUND: dict[str, Callable[[trustme.CA], Server]] = {
    "self-signed": lambda authority: self_signed(),
    "of an unknown authority": lambda authority: secure(trustme.CA()),
    "expired": lambda authority: secure(authority, not_after=datetime(2020, 1, 1, tzinfo=UTC)),
    "for another host": lambda authority: secure(authority, "example.org"),
}
