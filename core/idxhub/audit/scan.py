"""Every file in some folders, and every member of their .zip files: what its name claims, and what is in it.

Nothing is extracted from an archive to the disk.
"""

from __future__ import annotations

import os
import stat
import zipfile
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from pathlib import Path, PurePosixPath

from idxhub.audit.content import BLOCK_SIZE, MAX_CONTENT, Content, read_blocks, read_content
from idxhub.audit.folders import find_files
from idxhub.cache.layout import is_internal_file, recorded_md5s
from idxhub.catalog.recognise.by_digest import Digests
from idxhub.catalog.recognise.by_name import Claim, NameIndex
from idxhub.catalog.recognise.published_file import PublishedFile
from idxhub.formats.idx import is_html
from idxhub.formats.zip_member import ZIP_ERRORS, format_zip_error, open_zip, why_unreadable
from idxhub.paths import describe_os_error, open_regular_file

_ZIP_MAGIC = b"PK"


@dataclass(frozen=True)
class ScannedFile:
    """A file, or a `member` of a .zip. `content` is None if it is neither an IDX file nor claims to be one."""

    path: Path
    member: str | None
    claim: Claim
    content: Content | None
    is_folder: bool = False

    @property
    def folder(self) -> Path:
        """The folder that contains the file. For a member, the .zip counts as a folder."""
        return self.path.parent if self.member is None else _path_of_member(self.path, self.member).parent


def scan_files(
    paths: Iterable[Path], names: NameIndex, archives: Iterable[PublishedFile], largest_content: int
) -> Iterator[ScannedFile]:
    """Scan files, and the files in folders, each once. Links to folders are followed only if they are among `paths`.

    `archives` are the published archives that are recognised; `largest_content` is the size in bytes of the largest
    known content.
    """
    scanner = _Scanner(names, tuple(archives), max(largest_content, MAX_CONTENT))
    for path, root, error in find_files(paths):
        if error:
            yield ScannedFile(path, None, Claim(), Content(unreadable=error), is_folder=True)
        else:
            yield from scanner.scan(path, root)


class _Scanner:
    def __init__(self, names: NameIndex, archives: tuple[PublishedFile, ...], max_content: int) -> None:
        self._names, self._archives, self._max_content = names, archives, max_content
        self._contents: dict[tuple[int, int, bool], Content | None] = {}  # one file may have many names

    def scan(self, path: Path, root: Path) -> Iterator[ScannedFile]:
        """A file, or a .zip and its members."""
        claim = self._names.claim(path, root)
        is_claimed = bool(claim.files)
        try:
            status = os.stat(path)
            if is_internal_file(path):  # such as a .gz that is still being written into the cache
                yield ScannedFile(path, None, Claim(), None)
            elif not stat.S_ISREG(status.st_mode):
                content = Content(damage="a pipe, socket or device") if is_claimed else None
                yield ScannedFile(path, None, claim, content)
            elif _is_zip(path, claim):
                yield from self._scan_zip(path, root, claim, status.st_size)
            else:
                yield ScannedFile(path, None, claim, self._read_file(path, status, is_claimed=is_claimed))
        except OSError as error:
            if isinstance(error, FileNotFoundError) and path.is_symlink():
                content = Content(damage="a link that leads nowhere") if is_claimed else None
                yield ScannedFile(path, None, claim, content)
            else:
                yield ScannedFile(path, None, claim, Content(unreadable=describe_os_error(error)))

    def _read_file(self, path: Path, status: os.stat_result, *, is_claimed: bool) -> Content | None:
        key = status.st_dev, status.st_ino, is_claimed
        if key in self._contents:
            return self._contents[key]
        with open_regular_file(path) as file:
            content = read_content(file, status.st_size, is_claimed=is_claimed, max_content=self._max_content)
        if content is not None or status.st_nlink > 1:  # there may be millions of files that are not IDX
            self._contents[key] = content
        return content

    def _scan_zip(self, path: Path, root: Path, claim: Claim, size: int) -> Iterator[ScannedFile]:
        """A .zip and its members. The .zip itself is left out if only its members matter."""
        archive = self._recognise_archive(path, size)
        if archive is not None:
            yield ScannedFile(path, None, claim, archive)
            if archive.record:
                return  # it belongs to a spec of the user's own, so the names of its members claim nothing
        claimed_archives = {file.archive for file in claim.files}
        has_members = has_claimed_member = False
        damage = ""
        try:
            for member in self._scan_members(path, root):
                has_members = True
                archives = {file.resource.archive for file in member.claim.files if file.resource is not None}
                has_claimed_member = has_claimed_member or not claimed_archives.isdisjoint(archives)
                yield member
        except OSError as error:
            if error.errno is not None:
                raise
            damage = _describe_damaged_zip(path, size, claim, error)
        if archive is None and claim.files and not has_claimed_member:
            no_member = f"a .zip that holds no file of {' or '.join(file.dataset for file in claim.files)}"
            yield ScannedFile(path, None, claim, Content(damage=damage or no_member))
        elif archive is None and not has_members:
            yield ScannedFile(path, None, claim, None)

    def _recognise_archive(self, path: Path, size: int) -> Content | None:
        """The content of an archive that is a published one, or that has a record in idxhub's cache.

        The archive is read as a whole only if its size is that of a published one, or if it has a record.
        """
        records = recorded_md5s(path)
        candidates = [file for file in self._archives if file.archive is not None and file.archive.size == size]
        if not candidates and (not records or size > self._max_content):
            return None
        digests = Digests(size, compressed=False)
        with open_regular_file(path) as file:
            for block in read_blocks(file, size):
                digests.update_file(block)
        for candidate in candidates:
            archive = candidate.archive
            if archive is not None and archive.md5 == digests.md5 and archive.sha256 in (None, digests.sha256):
                return Content(digests, is_read_to_end=True, archive=candidate)
        record = records.get(digests.md5, "")
        return Content(digests, is_read_to_end=True, record=record) if record else None

    def _scan_members(self, path: Path, root: Path) -> Iterator[ScannedFile]:
        """The members whose names claim something."""
        within = root if root in path.parent.parents else path.parent.parent
        with open_zip(path) as archive:
            for info in archive.infolist():
                if archive.getinfo(info.filename) is not info:
                    continue  # of several members with one name, the last one is read
                claim = self._names.claim(_path_of_member(path, info.filename), within)
                if claim.files and not info.is_dir() and not any(file.archive for file in claim.files):
                    yield ScannedFile(path, info.filename, claim, self._read_member(archive, info))

    def _read_member(self, archive: zipfile.ZipFile, info: zipfile.ZipInfo) -> Content:
        if why := why_unreadable(info):
            return Content(unreadable=why)
        try:
            with archive.open(info) as file:
                content = read_content(file, info.file_size, is_claimed=True, max_content=self._max_content)
        except ZIP_ERRORS as error:
            return Content(damage=f"damaged in the .zip: {format_zip_error(error)}")
        return content or Content(damage="not an IDX file")


def _is_zip(path: Path, claim: Claim) -> bool:
    if claim.files:
        return any(file.archive for file in claim.files)
    return path.suffix.lower() == ".zip"


def _describe_damaged_zip(path: Path, size: int, claim: Claim, error: OSError) -> str:
    """What is wrong with a file that has the name of an archive and cannot be opened as one."""
    with open_regular_file(path) as file:
        head = file.read(BLOCK_SIZE)
    if not head:
        return "empty"
    if is_html(head):
        return "an HTML page"
    expected = max((file.archive.size for file in claim.files if file.archive is not None), default=0)
    if head.startswith(_ZIP_MAGIC) and size < expected:
        return f"cut short at byte {size:,} of {expected:,}"
    return f"a damaged .zip: {error.__cause__ or error.strerror}"


def _path_of_member(path: Path, member: str) -> Path:
    """Where a member would be if the .zip were a folder with the .zip's name, without its ending."""
    return path.with_suffix("").joinpath(*(part for part in PurePosixPath(member).parts if part not in ("/", "..")))
