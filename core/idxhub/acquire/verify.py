"""Checking that the bytes of a file are the published ones. The digests decide, never the name.

The bytes that were hashed are returned, so that nothing is read a second time between the check and its use.
"""

from __future__ import annotations

import hashlib
from collections.abc import Iterable
from dataclasses import dataclass, field
from typing import Literal

from idxhub.catalog.recognise.by_digest import identify_bytes
from idxhub.catalog.resource import Resource
from idxhub.catalog.spec import DatasetSpec
from idxhub.errors import ChecksumError, Failure, IdxFormatError, printable
from idxhub.formats.compression import inflate, inflate_known, is_compressed, peek
from idxhub.formats.idx import MAX_HEADER_SIZE, read_header
from idxhub.threads import Threads

Form = Literal["published", "recompressed", "decompressed"]


@dataclass(frozen=True)
class VerifiedFile:
    """The decompressed and verified content of a resource.

    `source` is the path or URL that it was read from. `origin` is the URL that it was downloaded from, if `source` is a
    file in the cache. `form` says whether the file was the published one, or a copy that somebody recompressed or
    decompressed. `sha256` is the digest of the published file, and `file` its bytes; both are None if another form was
    read.
    """

    payload: bytes | memoryview
    source: str
    form: Form
    payload_sha256: str
    sha256: str | None = None
    origin: str | None = None
    file: bytes | None = field(default=None, repr=False)


def verify_bytes(resource: Resource, data: bytes, source: str, specs: Iterable[DatasetSpec] = ()) -> VerifiedFile:
    """Decompress a file's bytes and check them against the digests of a resource.

    Raises `ChecksumError` if they are wrong, and `IdxFormatError` if the published file cannot be decompressed. `specs`
    are the datasets that a wrong file may belong to instead.
    """
    payload: bytes | memoryview | None = None
    with Threads(1) as pool:  # hashlib and libdeflate release the GIL, so that both work at the same time
        has_published_size = resource.size in (None, len(data))
        published = pool.submit(_published_sha256, resource, data) if has_published_size else None
        try:
            if published is not None:
                payload = inflate_known(data, resource.payload_size)
            if payload is None or published is None or published.result() is None:
                payload = inflate(data, resource.payload_size)  # it refuses more, and says why
        except IdxFormatError as error:
            if published is not None and published.result():
                raise IdxFormatError(f"{source}: the digest is right, but {error}") from error
    if payload is not None:
        sha256 = None if published is None else published.result()
        if sha256 is not None:
            known = resource.payload_sha256 or hashlib.sha256(payload).hexdigest()
            return VerifiedFile(payload, source, "published", known, sha256, file=data)
        payload_sha256 = hashlib.sha256(payload).hexdigest()
        if payload_sha256 == resource.payload_sha256 or (
            resource.payload_sha256 is None and resource.payload_md5 == _md5(payload)
        ):
            form: Form = "recompressed" if is_compressed(data) else "decompressed"
            return VerifiedFile(payload, source, form, payload_sha256)
    raise ChecksumError(
        f"{resource.filename} is not the published file",
        [Failure(source, _diagnose(resource, data, specs))],
    )


def _diagnose(resource: Resource, data: bytes, specs: Iterable[DatasetSpec]) -> str:
    """A message that says what is wrong with a file."""
    if not data:
        return "is empty"
    known = identify_bytes(data, specs)
    if known is not None:
        return f"is another file: this is {known}"
    try:
        problem = _compare_content(resource, data)
    except IdxFormatError as error:
        problem = str(error)
    return f"{problem}; MD5 {_md5(data)}, expected {resource.md5}"


def _compare_content(resource: Resource, data: bytes) -> str:
    header = read_header(peek(data, MAX_HEADER_SIZE))
    if header.shape != resource.shape or header.dtype.name != resource.dtype:
        found = f"{header.dtype.name} of shape {printable(str(header.shape), 60)}"
        return f"holds {found}, expected {resource.dtype} of shape {resource.shape}"
    content = inflate(data, resource.payload_size)
    if len(content) != resource.payload_size:
        return f"cut short: holds {len(content):,} of {resource.payload_size:,} bytes"
    if resource.payload_sha256 is None and resource.payload_md5 is None:
        return "has the right shape, but no digest of its content is known"
    return "has the right shape, but other content"


def _published_sha256(resource: Resource, data: bytes) -> str | None:
    """The SHA-256 of the bytes, if they are the published file; otherwise None."""
    if _md5(data) != resource.md5:
        return None
    sha256 = hashlib.sha256(data).hexdigest()
    return sha256 if resource.sha256 in (None, sha256) else None


def _md5(data: bytes | memoryview) -> str:
    return hashlib.md5(data, usedforsecurity=False).hexdigest()
