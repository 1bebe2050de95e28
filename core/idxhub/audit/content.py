"""The content of one file: its digests, the header of its array, and what is damaged.

A file is read block by block, and never further than an array with its header can reach. A file that is not IDX is
read no further than its first block.
"""

from __future__ import annotations

import hashlib
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

from idxhub.catalog.recognise.by_digest import Digests
from idxhub.catalog.recognise.published_file import PublishedFile
from idxhub.errors import IdxFormatError
from idxhub.formats.compression import Readable, inflate_blocks, is_compressed, peek
from idxhub.formats.idx import MAX_HEADER_SIZE, Header, is_html, read_header
from idxhub.paths import open_regular_file

BLOCK_SIZE = 1 << 18  # bytes
MAX_CONTENT = 1 << 32  # bytes; a larger file is not read, unless a known one is as large
_PEEK_SIZE = 1 << 12  # bytes; enough for a header, and to see whether the file is compressed


@dataclass(frozen=True)
class Content:
    """What is in a file.

    `length` is the number of bytes of its decompressed content that could be read. `damage` and `unreadable` say why
    the file is not valid, or why it was not read. `is_read_to_end` says that `digests` are those of the whole file.
    `archive` is set if the file is a published archive, and `record` is the dataset's name in idxhub's own record.
    """

    digests: Digests | None = None
    header: Header | None = None
    length: int = 0
    damage: str = ""
    unreadable: str = ""
    is_read_to_end: bool = False
    archive: PublishedFile | None = None
    record: str = ""

    @property
    def shape(self) -> str:
        """The array's shape and type in words, as the header says."""
        header = self.header
        return "" if header is None else f"{'x'.join(f'{n:,}' for n in header.shape)} {header.dtype.name}"


def read_content(file: Readable, size: int, *, is_claimed: bool, max_content: int = MAX_CONTENT) -> Content | None:
    """Read an open file of `size` bytes, unless its content would be larger than `max_content`.

    Returns None if it is not an IDX file and its name does not claim that it is one.
    """
    head = file.read(_PEEK_SIZE)
    if is_claimed or is_compressed(head):
        head += file.read(BLOCK_SIZE - _PEEK_SIZE)
    try:
        header = read_header(peek(head, MAX_HEADER_SIZE))
    except IdxFormatError as error:
        return Content(damage=_describe_head(head, size, str(error))) if is_claimed else None
    compressed = is_compressed(head)
    if not is_claimed and not compressed and size != header.payload_size:
        return None  # its first bytes look like a header by chance
    damage = _describe_size(header, size, compressed=compressed)
    reach = max(size, header.payload_size) if compressed else min(size, header.payload_size)
    if reach > max_content or (compressed and damage):
        return Content(header=header, damage=damage)
    digests = Digests(size, compressed=compressed)
    reader = _HashingReader(head, file, digests)
    length = 0
    try:
        for block in inflate_blocks(reader, header.payload_size) if compressed else read_blocks(reader, reach):
            digests.update_content(block)
            length += len(block)
    except IdxFormatError as error:
        damage = str(error)
        for _ in read_blocks(reader, size):  # the rest of the file, for its digests
            pass
    if not damage and length < header.payload_size:
        damage = f"cut short at byte {length:,} of {header.payload_size:,}"
    return Content(digests, header, length, damage, is_read_to_end=reader.count == size)


class _HashingReader:
    """An open file whose `head` was read already. Every block is added to the digests, and its bytes are counted."""

    def __init__(self, head: bytes, file: Readable, digests: Digests) -> None:
        self._head, self._file, self._digests = head, file, digests
        self.count = 0

    def read(self, count: int, /) -> bytes:
        if self._head:
            block, self._head = self._head[:count], self._head[count:]
        else:
            block = self._file.read(count)
        self._digests.update_file(block)
        self.count += len(block)
        return block


def read_blocks(file: Readable, limit: int) -> Iterator[bytes]:
    """The next bytes of a file in blocks, up to `limit`."""
    while limit > 0 and (block := file.read(min(BLOCK_SIZE, limit))):
        yield block
        limit -= len(block)


def sha256_of_beginning(path: Path, length: int) -> str:
    """The SHA-256 of the first `length` bytes of a file's decompressed content."""
    digest = hashlib.sha256()
    with open_regular_file(path) as file:
        compressed = is_compressed(file.read(BLOCK_SIZE))
        file.seek(0)
        for block in inflate_blocks(file, MAX_CONTENT) if compressed else read_blocks(file, length):
            digest.update(block[:length])
            length -= len(block)
            if length <= 0:
                break
    return digest.hexdigest()


def _describe_size(header: Header, size: int, *, compressed: bool) -> str:
    """What is wrong with a file, as far as its size in bytes tells; empty if nothing is."""
    expected, shape = header.payload_size, Content(header=header).shape
    if not compressed:
        if size > expected:
            return f"{size - expected:,} bytes follow the array of {shape}"
        return f"cut short at byte {size:,} of {expected:,}" if size < expected else ""
    limit = 2 * expected + 65_536  # the same as in the search for files: bad compression can make a file larger
    return f"{size:,} bytes, where an array of {shape} takes no more than {limit:,}" if size > limit else ""


def _describe_head(head: bytes, size: int, error: str) -> str:
    """What is wrong with a file that does not begin with a valid header."""
    if not head:
        return "empty"
    try:
        start = peek(head, MAX_HEADER_SIZE)
    except IdxFormatError:
        return error
    if is_html(start):
        return "an HTML page"
    if is_compressed(head) and len(start) < 4 and size == len(head):
        return f"cut short at byte {size:,}, before its content begins"
    return error
