"""Which published file a file is, by its digests alone.

The files of the catalog are known from their specs. The tables here have digests of other files. Those marked + were
computed from the files. The others are as pinned by MXNet Gluon (the first release of Fashion-MNIST), or are the id of
a blob in a git repository (wm-bupt/oracle-mnist, commit b6cb263).
"""

from __future__ import annotations

import contextlib
import hashlib
from collections.abc import Iterable, Iterator
from dataclasses import dataclass

from idxhub.catalog.recognise.published_file import PublishedFile, files_of_specs
from idxhub.catalog.resource import Resource
from idxhub.catalog.spec import DatasetSpec
from idxhub.errors import IdxFormatError
from idxhub.formats.compression import Opener, Readable, inflate_blocks, is_compressed, peek
from idxhub.formats.idx import MAX_HEADER_SIZE, read_header

_FIRST_RELEASE = "Fashion-MNIST of 2017-08-26, before duplicates were removed"

# digest -> (dataset, part), in lower-case hex: an MD5 has 32 digits, a SHA-1 and the id of a git blob have 40
_OTHER_FILES = {
    "c25fcebcfee76fc70679a885c08e7783": (_FIRST_RELEASE, "train labels"),  # +
    "db06173b3df7891d78edf9cae5fe8f8a": (_FIRST_RELEASE, "test labels"),  # +
    "0cf37b0d40ed5169c6b3aba31069a9770ac9043d": (_FIRST_RELEASE, "train images"),
    "626ed6a7c06dd17c0eec72fa3be1740f146a2863": (_FIRST_RELEASE, "test images"),
    "1f6e37653511386c87fc954b27b0770ccdd19b02": ("Oracle-MNIST", "train images"),
    "f4000f1efcebacefeae504294fbc21c8": ("Oracle-MNIST", "train labels"),  # +
    "1daa75f0d88ab972b1bf7457bd29829b": ("Oracle-MNIST", "test images"),  # +
    "b23de57e6dd33d560734122f02e4d520": ("Oracle-MNIST", "test labels"),  # +
    "1c42a8f34c1dc2650a74dd83ed34a9c9": ("QMNIST", "test labels, the classes alone"),  # +
}
# the same for the decompressed content
_OTHER_CONTENTS = {
    "2ddd6a368b6f6176236d9ceeb813541d": (_FIRST_RELEASE, "train labels"),  # +
    "e02ce863a33cd8338b795da3a1142d3a": (_FIRST_RELEASE, "test labels"),  # +
    "3d89b29be162a8131a2375139af64126": ("Oracle-MNIST", "train labels"),  # +
    "f30cc454cbd0a7163afb917145301521": ("Oracle-MNIST", "test images"),  # +
    "9c3e67e5fd4d3ead90af0b92b45ea430": ("Oracle-MNIST", "test labels"),  # +
    "15e8c8ed218c37aafd4c6faa40f93566": ("QMNIST", "test labels, the classes alone"),  # +
}
_LARGEST_OTHER_CONTENT = 1 << 26  # bytes; every content in the table is smaller
_BLOCK = 1 << 18  # bytes of a file that are read at once


@dataclass(frozen=True)
class Recognised:
    """Which published `file` a file is, and in which `form`: "published", "recompressed" or "decompressed"."""

    file: PublishedFile
    form: str

    def __str__(self) -> str:
        return str(self.file) if self.form == "published" else f"{self.file}, {self.form}"


class Digests:
    """The digests of a file of `size` bytes and of its decompressed content, updated block by block."""

    def __init__(self, size: int, *, compressed: bool) -> None:
        self.compressed = compressed
        self._md5 = hashlib.md5(usedforsecurity=False)
        self._sha1 = hashlib.sha1(usedforsecurity=False)
        self._sha256 = hashlib.sha256()
        # https://git-scm.com/book/en/v2/Git-Internals-Git-Objects
        self._git_blob = hashlib.sha1(b"blob %d\0" % size, usedforsecurity=False)
        self._content_md5 = hashlib.md5(usedforsecurity=False) if compressed else self._md5
        self._content_sha256 = hashlib.sha256() if compressed else self._sha256

    def update_file(self, block: bytes) -> None:
        """Add the next block of the file."""
        for digest in (self._md5, self._sha1, self._sha256, self._git_blob):
            digest.update(block)

    def update_content(self, block: bytes | memoryview) -> None:
        """Add the next block of the decompressed content. Does nothing if the file is not compressed."""
        if self.compressed:
            self._content_md5.update(block)
            self._content_sha256.update(block)

    @property
    def file_ids(self) -> tuple[str, str, str]:
        """The file's MD5, SHA-1 and git blob id."""
        return self._md5.hexdigest(), self._sha1.hexdigest(), self._git_blob.hexdigest()

    @property
    def md5(self) -> str:
        """The file's MD5."""
        return self._md5.hexdigest()

    @property
    def sha256(self) -> str:
        """The file's SHA-256."""
        return self._sha256.hexdigest()

    @property
    def content_md5(self) -> str:
        """The content's MD5."""
        return self._content_md5.hexdigest()

    @property
    def content_sha256(self) -> str:
        """The content's SHA-256."""
        return self._content_sha256.hexdigest()


class DigestIndex:
    """The files of some specs, and those in the tables here, by digest."""

    def __init__(self, specs: Iterable[DatasetSpec] = ()) -> None:
        self._of_specs = tuple(files_of_specs(specs))
        self._files = {digest: PublishedFile(*words) for digest, words in _OTHER_FILES.items()}
        self._contents = {digest: PublishedFile(*words) for digest, words in _OTHER_CONTENTS.items()}
        for file, resource in self._resources():
            self._files[resource.md5] = file
            for digest in (resource.payload_sha256, resource.payload_md5):
                if digest is not None:
                    self._contents[digest] = file

    def recognise(self, digests: Digests) -> Recognised | None:
        """Which file has these digests; None if no known file has them."""
        file = next(filter(None, map(self._files.get, digests.file_ids)), None)
        if file is not None and (file.resource is None or file.resource.sha256 in (None, digests.sha256)):
            return Recognised(file, "published")
        file = self._contents.get(digests.content_sha256) or self._contents.get(digests.content_md5)
        if file is not None:
            return Recognised(file, "recompressed" if digests.compressed else "decompressed")
        return None

    def add_content(self, digests: Digests, file: PublishedFile) -> None:
        """Learn the digest of a file's content from a published copy, if the spec does not have it."""
        self._contents.setdefault(digests.content_sha256, file)

    def files_of_shape(self, shape: tuple[int, ...], dtype: str) -> list[PublishedFile]:
        """The files of the specs that contain an array of this shape and type."""
        return [file for file, resource in self._resources() if (resource.shape, resource.dtype) == (shape, dtype)]

    @property
    def largest_content(self) -> int:
        """The size in bytes of the largest content that can be recognised."""
        return max([_LARGEST_OTHER_CONTENT, *(resource.payload_size for _, resource in self._resources())])

    def _resources(self) -> Iterator[tuple[PublishedFile, Resource]]:
        return ((file, file.resource) for file in self._of_specs if file.resource is not None)


def read_digests(open_file: Opener, size: int, limit: int) -> Digests:
    """Compute the digests of a file of `size` bytes and, if it has at most `limit` bytes, of its decompressed content.

    `open_file` opens the file for reading from its beginning, and is called twice. All digests are those of the bytes
    that the second reading gives, even if another program changes the file.
    """
    with open_file() as file:
        start = file.read(_BLOCK)
    digests = Digests(size, compressed=is_compressed(start))
    with open_file() as file:
        hashed = _HashedFile(file, digests)
        if digests.compressed:
            with contextlib.suppress(IdxFormatError):  # the file can still be recognised by its own digests
                header = read_header(peek(start, MAX_HEADER_SIZE))
                for content in inflate_blocks(hashed, min(header.payload_size, limit)):
                    digests.update_content(content)
        while hashed.read(_BLOCK):
            pass
    return digests


class _HashedFile:
    """An open file, each block of which is added to the digests when it is read."""

    def __init__(self, file: Readable, digests: Digests) -> None:
        self._file, self._digests = file, digests

    def read(self, count: int, /) -> bytes:
        """Read at most `count` bytes."""
        block = self._file.read(count)
        self._digests.update_file(block)
        return block
