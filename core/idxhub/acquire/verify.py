"""Checking that a file is the published one, or has its content. The digests decide, never the name.

The bytes that were hashed are used, so that nothing is read a second time between the check and its use. A small file
is verified in memory. A large one is passed on block by block while it is verified, and whoever receives it publishes
nothing before the last block.
"""

from __future__ import annotations

import collections
import contextlib
import functools
import hashlib
import io
from collections.abc import Callable, Iterable, Iterator
from concurrent.futures import Future
from dataclasses import dataclass, field
from typing import Any, Literal

from idxhub.acquire.local import copy_size_limit
from idxhub.catalog.recognise.by_digest import DigestIndex, read_digests
from idxhub.catalog.resource import Resource
from idxhub.catalog.spec import DatasetSpec
from idxhub.errors import ChecksumError, Failure, IdxFormatError, printable
from idxhub.formats.compression import (
    GZIP_MAGIC,
    Opener,
    Readable,
    content_blocks,
    inflate,
    inflate_known,
    is_compressed,
    peek,
)
from idxhub.formats.idx import MAX_HEADER_SIZE, read_header
from idxhub.threads import Threads

Form = Literal["published", "recompressed", "decompressed"]
# Takes the decompressed content of a file in blocks. Taking the last one raises an error unless the digests are right;
# until then, nothing is verified. Raises `IdxFormatError` if the content is not what the receiver expects.
Receiver = Callable[[Iterable[bytes | memoryview]], None]

_READ = 1 << 20  # bytes of a file that are read and hashed at once
_PENDING = 8  # blocks that may wait for the thread that hashes them


@dataclass(frozen=True)
class VerifiedFile:
    """A verified file. `content` is its decompressed content; None if the file was verified as a stream.

    `source` is the path or URL that it was read from. `origin` is the URL that it was downloaded from, if `source` is a
    file in the cache. `form` says whether the file was the published one, or a copy that somebody recompressed or
    decompressed. `payload_sha256` is the digest of the content, from the resource if it has one, otherwise computed.
    `sha256` is the digest of the published file, and `file` its bytes; both are None if another form was read, and
    `file` is None if the file was verified as a stream.
    """

    content: bytes | memoryview | None = field(repr=False)
    source: str
    form: Form
    payload_sha256: str
    sha256: str | None = None
    origin: str | None = None
    file: bytes | None = field(default=None, repr=False)

    @property
    def payload(self) -> bytes | memoryview:
        """The decompressed content."""
        if self.content is None:
            raise AssertionError("the file was verified as a stream")
        return self.content

    def pass_to(self, receive: Receiver) -> None:
        """Pass the content to a receiver. Raises `IdxFormatError` if it is not what the receiver expects."""
        try:
            receive([self.payload])
        except IdxFormatError as error:
            raise _despite_digest(self.source, error) from error


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
                raise _despite_digest(source, error) from error
            payload = None  # libdeflate may have overlooked what `inflate` has found: bytes that follow the content
    if payload is not None:
        sha256 = None if published is None else published.result()
        if sha256 is not None:
            known = resource.payload_sha256 or hashlib.sha256(payload).hexdigest()
            return VerifiedFile(payload, source, "published", known, sha256, file=data)
        payload_sha256 = hashlib.sha256(payload).hexdigest()
        if _is_right_content(resource, payload_sha256, functools.partial(_md5, payload)):
            return VerifiedFile(payload, source, _other_form(is_compressed(data)), payload_sha256)
    open_file = functools.partial(io.BytesIO, data)
    raise _wrong_file(resource, source, _diagnose(resource, open_file, len(data), _md5(data), specs))


def verify_stream(
    resource: Resource,
    open_file: Opener,
    source: str,
    receive: Receiver,
    *,
    specs: Iterable[DatasetSpec] = (),
    heartbeat: Callable[[], None] = lambda: None,
) -> VerifiedFile:
    """Decompress a file, check it against the digests of a resource, and pass its content on, all block by block.

    `heartbeat` is called for each block, also of a wrong file, which is read again to say what it is. Raises the errors
    of `verify_bytes`, those of reading, `heartbeat` and `receive`, and `OSError` beyond `copy_size_limit`.
    """
    open_file = functools.partial(_open_watched, open_file, copy_size_limit(resource), heartbeat)
    error: IdxFormatError | None = None
    with Threads(1) as pool, open_file() as file:
        stream = _Stream(resource, file, _Hasher(pool), heartbeat)
        try:
            receive(stream.blocks)
        except IdxFormatError as raised:
            error = raised
        except _WrongDigestError:
            pass
        form = stream.finish()
    if form is None:
        problem = _diagnose(resource, open_file, stream.size, stream.md5.hexdigest(), specs)
        raise _wrong_file(resource, source, problem)
    if error is not None:
        raise _despite_digest(source, error) from error
    payload_sha256 = resource.payload_sha256 or stream.payload_sha256.hexdigest()
    return VerifiedFile(None, source, form, payload_sha256, stream.sha256.hexdigest() if form == "published" else None)


@contextlib.contextmanager
def _open_watched(open_file: Opener, limit: int, heartbeat: Callable[[], None]) -> Iterator[Readable]:
    with open_file() as file:
        yield _WatchedFile(file, limit, heartbeat)


class _WatchedFile:
    """An open file that calls `heartbeat` for each read, and of which no more than `limit` bytes are read."""

    def __init__(self, file: Readable, limit: int, heartbeat: Callable[[], None]) -> None:
        self._file, self._limit, self._heartbeat = file, limit, heartbeat
        self._size = 0

    def read(self, count: int, /) -> bytes:
        """Read at most `count` bytes. Raises `OSError` if the file has grown beyond the limit."""
        self._heartbeat()
        block = self._file.read(count)
        self._size += len(block)
        if self._size > self._limit:
            raise OSError(None, f"it is larger than {self._limit:,} bytes, so it is not this file")
        return block


class _WrongDigestError(Exception):
    """The file was read to its end, and its digests are wrong."""


class _Hasher:
    """Updates digests in a thread, and lets only a few blocks wait for it."""

    def __init__(self, pool: Threads) -> None:
        self._pool = pool
        self._pending = collections.deque[Future[None]]()

    def update(self, block: bytes, *digests: Any) -> None:
        """Add a block to each of the digests."""
        if len(self._pending) == _PENDING:
            self._pending.popleft().result()
        previous = self._pending[-1] if self._pending else None
        self._pending.append(self._pool.submit(_update, previous, block, digests))

    def finish(self) -> None:
        """Wait until all blocks were added."""
        while self._pending:
            self._pending.popleft().result()


def _update(previous: Future[None] | None, block: bytes, digests: Iterable[Any]) -> None:
    if previous is not None:  # while Python shuts down, `submit` works in its own thread, and the pool's may be behind
        previous.result()
    for digest in digests:
        digest.update(block)


class _Stream:
    """The content of an open file in `blocks`, and the digests of the file and of its content.

    The last block is followed by `_WrongDigestError` unless the digests are right.
    """

    def __init__(self, resource: Resource, file: Readable, hasher: _Hasher, heartbeat: Callable[[], None]) -> None:
        self._resource, self._file, self._hasher, self._heartbeat = resource, file, hasher, heartbeat
        self.md5, self.sha256 = hashlib.md5(usedforsecurity=False), hashlib.sha256()
        self.payload_sha256 = hashlib.sha256()
        self._payload_md5 = hashlib.md5(usedforsecurity=False)
        self.size = 0
        self._is_damaged = False  # the content cannot be decompressed, or bytes follow it
        self._first_member_size: int | None = None  # bytes of its content
        self._begin, self._block = 0, b""  # of the block that was read last, how much was passed on
        self._refill()
        self._compressed, self._is_gzip = is_compressed(self._block), self._block.startswith(GZIP_MAGIC)
        self.blocks = self._make_blocks()

    def read(self, count: int, /) -> bytes:
        """The next bytes of the file, for the inflater."""
        if self._begin == len(self._block):
            self._refill()
        block = self._block[self._begin : self._begin + count]
        self._begin += len(block)
        return block

    def finish(self) -> Form | None:
        """Read the rest of the file, and say which form of the resource it is; None if it is wrong."""
        with contextlib.suppress(IdxFormatError, _WrongDigestError):
            collections.deque(self.blocks, maxlen=0)
        self._read_to_end()
        return self._form()

    def _make_blocks(self) -> Iterator[bytes]:
        resource = self._resource
        digests = [self.payload_sha256, *([] if resource.payload_md5 is None else [self._payload_md5])]
        try:
            for block in content_blocks(
                self, resource.payload_size, compressed=self._compressed, on_member_end=self._end_member
            ):
                self._heartbeat()
                self._hasher.update(block, *digests)
                yield block
        except IdxFormatError:
            self._is_damaged = True
            if not self._is_gzip or self._first_member_size != resource.payload_size:
                raise
            # what follows the content is of no account if this is the published file, as for `inflate_known`
            self._read_to_end()
        if self._form() is None:
            raise _WrongDigestError

    def _end_member(self, size: int) -> None:
        if self._first_member_size is None:
            self._first_member_size = size

    def _read_to_end(self) -> None:
        while self._block:
            self._refill()

    def _refill(self) -> None:
        self._begin, self._block = 0, self._file.read(_READ)
        self.size += len(self._block)
        self._hasher.update(self._block, self.md5, self.sha256)

    def _form(self) -> Form | None:
        self._hasher.finish()
        resource = self._resource
        if _is_published(resource, self.size, self.md5.hexdigest(), self.sha256.hexdigest()):
            return "published"
        payload_sha256 = self.payload_sha256.hexdigest()
        if not self._is_damaged and _is_right_content(resource, payload_sha256, self._payload_md5.hexdigest):
            return _other_form(self._compressed)
        return None


def _is_right_content(resource: Resource, payload_sha256: str, payload_md5: Callable[[], str]) -> bool:
    """Whether the content has the digest of the resource's; its MD5 counts if the SHA-256 is not known."""
    if resource.payload_sha256 is not None:
        return payload_sha256 == resource.payload_sha256
    return resource.payload_md5 is not None and resource.payload_md5 == payload_md5()


def _other_form(compressed: bool) -> Form:
    return "recompressed" if compressed else "decompressed"


def _despite_digest(source: str, error: IdxFormatError) -> IdxFormatError:
    return IdxFormatError(f"{source}: the digest is right, but {error}")


def _wrong_file(resource: Resource, source: str, problem: str) -> ChecksumError:
    return ChecksumError(f"{resource.filename} is not the published file", [Failure(source, problem)])


def _diagnose(resource: Resource, open_file: Opener, size: int, md5: str, specs: Iterable[DatasetSpec]) -> str:
    """A message that says what is wrong with a file, which is opened and read again for it."""
    if not size:
        return "is empty"
    index = DigestIndex(specs)
    digests = read_digests(open_file, size, index.largest_content)
    if digests.md5 != md5:  # another program may still write the file
        return f"changed while it was read; MD5 {md5}, expected {resource.md5}"
    recognised = index.recognise(digests)
    if recognised is not None:
        return f"is another file: this is {recognised}"
    try:
        problem = _compare_content(resource, open_file)
    except IdxFormatError as error:
        problem = str(error)
    return f"{problem}; MD5 {md5}, expected {resource.md5}"


def _compare_content(resource: Resource, open_file: Opener) -> str:
    with open_file() as file:
        start = file.read(_READ)
    header = read_header(peek(start, MAX_HEADER_SIZE))
    if header.shape != resource.shape or header.dtype.name != resource.dtype:
        found = f"{header.dtype.name} of shape {printable(str(header.shape), 60)}"
        return f"holds {found}, expected {resource.dtype} of shape {resource.shape}"
    with open_file() as file:
        size = sum(map(len, content_blocks(file, resource.payload_size, compressed=is_compressed(start))))
    if size != resource.payload_size:
        return f"cut short: holds {size:,} of {resource.payload_size:,} bytes"
    if resource.payload_sha256 is None and resource.payload_md5 is None:
        return "has the right shape, but no digest of its content is known"
    return "has the right shape, but other content"


def _published_sha256(resource: Resource, data: bytes) -> str | None:
    """The SHA-256 of the bytes, if they are the published file; otherwise None."""
    if _md5(data) != resource.md5:
        return None
    sha256 = hashlib.sha256(data).hexdigest()
    return sha256 if _is_published(resource, len(data), resource.md5, sha256) else None


def _is_published(resource: Resource, size: int, md5: str, sha256: str) -> bool:
    return resource.size in (None, size) and md5 == resource.md5 and resource.sha256 in (None, sha256)


def _md5(data: bytes | memoryview) -> str:
    return hashlib.md5(data, usedforsecurity=False).hexdigest()
