"""What lies in some folders, file by file: the name and what it says, the content's digests, and what is damaged.

Nothing is believed by name, and nothing is extracted. Files are read block by block: of what is no IDX file the first
few KiB, or, if it is compressed, the first block; and none further than an array of its header can reach.
"""

from __future__ import annotations

import hashlib
import os
import stat
import zipfile
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from pathlib import Path, PurePosixPath

from idxhub.cache.layout import is_own, recorded
from idxhub.catalog.recognise.by_digest import Digests
from idxhub.catalog.recognise.by_name import Claim, NameIndex
from idxhub.catalog.recognise.published_file import PublishedFile
from idxhub.errors import IdxFormatError
from idxhub.formats.compression import Readable, inflate_blocks, is_compressed, peek
from idxhub.formats.idx import MAX_HEADER_SIZE, Header, is_html, read_header
from idxhub.formats.zip_member import ZIP_ERRORS, format_zip_error, open_zip, why_unreadable
from idxhub.paths import open_regular_file

_BLOCK = 1 << 18  # bytes
_START = 1 << 12  # bytes: a header, and whether it is compressed
_LARGEST = 1 << 32  # bytes; what is longer than this, and than any known file, is not read
_ZIP_MAGIC = b"PK"


@dataclass(frozen=True)
class Content:
    """What a file is made of: `length`, in bytes, is its content's, as far as that is sound.

    `whole` says that the file was read to its end, which `digests` are of then. `archive` is the published one that
    the file is, and `record` what idxhub's own record calls it.
    """

    digests: Digests | None = None
    header: Header | None = None
    length: int = 0
    damage: str = ""
    unreadable: str = ""
    whole: bool = False
    archive: PublishedFile | None = None
    record: str = ""

    @property
    def shape(self) -> str:
        """In words, what the header says."""
        header = self.header
        return "" if header is None else f"{'x'.join(f'{n:,}' for n in header.shape)} {header.dtype.name}"


@dataclass(frozen=True)
class Seen:
    """A file, or a `member` of a .zip; without `content` it is no concern of ours."""

    path: Path
    member: str | None
    claim: Claim
    content: Content | None
    is_folder: bool = False

    @property
    def folder(self) -> Path:
        """Where it lies; a .zip is a folder."""
        return self.path.parent if self.member is None else _inside(self.path, self.member).parent


def look(paths: Iterable[Path], names: NameIndex, published: Iterable[PublishedFile], largest: int) -> Iterator[Seen]:
    """Files, and all that lies in folders, each once; below the paths given, links to folders are not followed.

    `published` are the archives to know, `largest` the bytes of the longest content to know.
    """
    reader = _Reader(names, tuple(published), max(largest, _LARGEST))
    for path, root, reason in _files(paths):
        if reason:
            yield Seen(path, None, Claim(), Content(unreadable=reason), is_folder=True)
        else:
            yield from reader.look(path, root)


def beginning(path: Path, length: int) -> str:
    """The SHA-256 of the first bytes of a file's content."""
    digest = hashlib.sha256()
    with open_regular_file(path) as file:
        compressed = is_compressed(file.read(_BLOCK))
        file.seek(0)
        for block in inflate_blocks(file, _LARGEST) if compressed else _blocks(file, length):
            digest.update(block[:length])
            length -= len(block)
            if length <= 0:
                break
    return digest.hexdigest()


def place(path: Path) -> tuple[str, str]:
    """What two spellings of one path have in common: its folder without links, and its name."""
    return os.path.realpath(path.parent), path.name


def is_there(path: Path) -> bool:
    """Whether there is something at a path, or nothing can be said because the way to it is closed."""
    try:
        os.lstat(path)
    except (FileNotFoundError, NotADirectoryError):
        return False
    except OSError:
        return True
    return True


def _files(paths: Iterable[Path]) -> Iterator[tuple[Path, Path, str]]:
    """Every file below the paths, once, with the folder that was to be looked through; and each folder that cannot be
    listed, with the reason.
    """
    listed: set[str] = set()  # folders, by their real paths; of files only those that were given are kept in mind
    closed: set[str] = set()
    files: set[tuple[str, str]] = set()
    for path in paths:
        if not os.path.isdir(path):
            where = place(path)
            if where[0] in listed or where in files or not is_there(path):
                continue
            files.add(where)
            try:
                os.lstat(path)
            except OSError as error:
                yield path, path.parent, error.strerror or str(error)
            else:
                yield path, path.parent, ""
            continue
        waiting = [(str(path), os.path.realpath(path))]  # a stack: recursion has an end before folders have
        while waiting:
            folder, real = waiting.pop()
            if real in listed or real in closed:
                continue
            try:
                below, inside = _listed(folder)
            except OSError as error:
                closed.add(real)
                yield Path(folder), path, error.strerror or str(error)
                continue
            listed.add(real)
            yield from ((Path(folder, name), path, "") for name in inside if (real, name) not in files)
            # no link is among them, so their real paths need not be looked for, which takes longer the deeper they lie
            waiting += [(os.path.join(folder, name), os.path.join(real, name)) for name in reversed(below)]


def _listed(folder: str) -> tuple[list[str], list[str]]:
    """The names of the folders in a folder, and those of the files, sorted. Links to folders are neither."""
    below, inside = [], []
    with os.scandir(folder) as entries:
        for entry in entries:
            try:
                is_folder = entry.is_dir()
            except OSError:  # a link in a circle
                is_folder = False
            if not is_folder:
                inside.append(entry.name)
            elif not entry.is_symlink():
                below.append(entry.name)
    return sorted(below), sorted(inside)


class _Reader:
    def __init__(self, names: NameIndex, published: tuple[PublishedFile, ...], largest: int) -> None:
        self._names, self._published, self._largest = names, published, largest
        self._contents: dict[tuple[int, int, bool], Content | None] = {}  # one file may have many names

    def look(self, path: Path, root: Path) -> Iterator[Seen]:
        """A file, or a .zip and those of its members that concern us."""
        claim = self._names.claim(path, root)
        claimed = bool(claim.files)
        try:
            status = os.stat(path)
            if is_own(path):  # a .gz on its way into the cache is no damaged one
                yield Seen(path, None, Claim(), None)
            elif not stat.S_ISREG(status.st_mode):
                yield Seen(path, None, claim, Content(damage="a pipe, socket or device") if claimed else None)
            elif _is_archive(path, claim):
                yield from self._archive(path, root, claim, status.st_size)
            else:
                yield Seen(path, None, claim, self._file(path, status, claimed=claimed))
        except OSError as error:
            if isinstance(error, FileNotFoundError) and path.is_symlink():
                yield Seen(path, None, claim, Content(damage="a link that leads nowhere") if claimed else None)
            else:
                yield Seen(path, None, claim, Content(unreadable=error.strerror or str(error)))

    def _file(self, path: Path, status: os.stat_result, *, claimed: bool) -> Content | None:
        key = status.st_dev, status.st_ino, claimed
        if key in self._contents:
            return self._contents[key]
        with open_regular_file(path) as file:
            content = self._content(file, status.st_size, claimed=claimed)
        if content is not None or status.st_nlink > 1:  # of what is no concern of ours there may be millions
            self._contents[key] = content
        return content

    def _archive(self, path: Path, root: Path, claim: Claim, size: int) -> Iterator[Seen]:
        """A .zip as a whole, if it is a published one, or goes by the name of one and is of no use; and its members."""
        records = recorded(path)
        whole = self._known(path, size, records)
        if whole is not None:
            yield Seen(path, None, claim, whole)
            if whole.record:
                return  # its members' names are claims in a spec of the user's own
        expected = {part.archive for part in claim.files}
        met = fitting = False
        damage = ""
        try:
            for each in self._members(path, root):
                held = (part.resource.archive for part in each.claim.files if part.resource is not None)
                met, fitting = True, fitting or not expected.isdisjoint(held)
                yield each
        except OSError as error:
            if error.errno is not None:
                raise
            damage = _no_archive(path, size, claim, error)
        if whole is None and claim.files and not fitting:
            lacking = f"a .zip that holds no file of {' or '.join(part.dataset for part in claim.files)}"
            yield Seen(path, None, claim, Content(damage=damage or lacking))
        elif whole is None and not met:
            yield Seen(path, None, claim, None)

    def _known(self, path: Path, size: int, records: dict[str, str]) -> Content | None:
        """An archive that is a published one, or by a record of its MD5; only such a one is read as a whole."""
        like = [part for part in self._published if part.archive is not None and part.archive.size == size]
        if not like and (not records or size > self._largest):
            return None
        digests = Digests(size, compressed=False)
        with open_regular_file(path) as file:
            for block in _blocks(file, size):
                digests.update_file(block)
        for part in like:
            md5, sha256 = (part.archive.md5, part.archive.sha256) if part.archive is not None else ("", None)
            if md5 == digests.md5 and sha256 in (None, digests.sha256):
                return Content(digests, whole=True, archive=part)
        record = records.get(digests.md5, "")
        return Content(digests, whole=True, record=record) if record else None

    def _members(self, path: Path, root: Path) -> Iterator[Seen]:
        within = root if root in path.parent.parents else path.parent.parent
        with open_zip(path) as archive:
            for info in archive.infolist():
                if archive.getinfo(info.filename) is not info:
                    continue  # of two members of one name the last is the one that is read by it
                claim = self._names.claim(_inside(path, info.filename), within)
                if claim.files and not info.is_dir() and not any(part.archive for part in claim.files):
                    yield Seen(path, info.filename, claim, self._member(archive, info))

    def _member(self, archive: zipfile.ZipFile, info: zipfile.ZipInfo) -> Content:
        if why := why_unreadable(info):
            return Content(unreadable=why)
        try:
            with archive.open(info) as file:
                return self._content(file, info.file_size, claimed=True) or Content(damage="not an IDX file")
        except ZIP_ERRORS as error:
            return Content(damage=f"damaged in the .zip: {format_zip_error(error)}")

    def _content(self, file: Readable, size: int, *, claimed: bool) -> Content | None:
        """A file's digests and what is wrong with it; None if it is none of ours by content, and not `claimed`."""
        head = file.read(_START)
        if claimed or is_compressed(head):
            head += file.read(_BLOCK - _START)
        try:
            header = read_header(peek(head, MAX_HEADER_SIZE))
        except IdxFormatError as error:
            return Content(damage=_no_array(head, size, str(error))) if claimed else None
        compressed = is_compressed(head)
        if not claimed and not compressed and size != header.payload_size:
            return None  # its first bytes look like a header by chance
        damage = _wrong_size(header, size, compressed=compressed)
        reach = max(size, header.payload_size) if compressed else min(size, header.payload_size)
        if reach > self._largest or (compressed and damage):
            return Content(header=header, damage=damage)
        digests = Digests(size, compressed=compressed)
        hashed = _Hashed(head, file, digests)
        length = 0
        try:
            for block in inflate_blocks(hashed, header.payload_size) if compressed else _blocks(hashed, reach):
                digests.update_content(block)
                length += len(block)
        except IdxFormatError as error:
            damage = str(error)
            for _ in _blocks(hashed, size):
                pass
        if not damage and length < header.payload_size:
            damage = f"cut short at byte {length:,} of {header.payload_size:,}"
        return Content(digests, header, length, damage, whole=hashed.count == size)


class _Hashed:
    """An open file whose first block was read already; every block is hashed, and its bytes counted, on its way."""

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


def _blocks(file: Readable, most: int) -> Iterator[bytes]:
    while most > 0 and (block := file.read(min(_BLOCK, most))):
        yield block
        most -= len(block)


def _wrong_size(header: Header, size: int, *, compressed: bool) -> str:
    """What the size alone, in bytes, says against a file; nothing more than the array has to be read for that."""
    expected, shape = header.payload_size, Content(header=header).shape
    if not compressed:
        if size > expected:
            return f"{size - expected:,} bytes follow the array of {shape}"
        return f"cut short at byte {size:,} of {expected:,}" if size < expected else ""
    most = 2 * expected + 65_536  # as the search for files has it: badly compressed, it may be larger than the array
    return f"{size:,} bytes, where an array of {shape} takes no more than {most:,}" if size > most else ""


def _no_array(head: bytes, size: int, error: str) -> str:
    """What a file is that has not even a header."""
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


def _is_archive(path: Path, claim: Claim) -> bool:
    if claim.files:
        return any(part.archive for part in claim.files)
    return path.suffix.lower() == ".zip"


def _no_archive(path: Path, size: int, claim: Claim, error: OSError) -> str:
    """What a file is that goes by an archive's name and cannot be opened."""
    with open_regular_file(path) as file:
        head = file.read(_BLOCK)
    if not head:
        return "empty"
    if is_html(head):
        return "an HTML page"
    expected = max((part.archive.size for part in claim.files if part.archive is not None), default=0)
    if head.startswith(_ZIP_MAGIC) and size < expected:
        return f"cut short at byte {size:,} of {expected:,}"
    return f"a damaged .zip: {error.__cause__ or error.strerror}"


def _inside(path: Path, member: str) -> Path:
    """Where a member lies, as if the .zip were a folder that is called as the .zip is."""
    return path.with_suffix("").joinpath(*(each for each in PurePosixPath(member).parts if each not in ("/", "..")))
