"""The IDX files in some folders: what each one's name says, and what its digests say.

Nothing is believed by name, and nothing is extracted. Files are read block by block; what is no IDX array, plain or in
a .gz, .xz or .zip, is counted and left alone.
"""

from __future__ import annotations

import hashlib
import lzma
import os
import stat
import zipfile
import zlib
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Literal

from idxhub.cache import is_own
from idxhub.catalog import DatasetSpec
from idxhub.errors import IdxFormatError
from idxhub.idx import MAX_HEADER_SIZE, Header, is_page, read_header
from idxhub.inflate import Readable, inflated, is_compressed, peek
from idxhub.known import Claim, Digests, Index, Names, Part, Recognised
from idxhub.local import Places, known_folders
from idxhub.storage import open_regular

State = Literal["right", "wrong", "unknown", "unreadable"]
_BLOCK = 1 << 18  # bytes
_LARGEST = 1 << 32  # bytes; what is longer than this, and than any known file, is not read
_TELLING = 64  # bytes after the header; so many do not agree by chance
_NAMED = 2  # so many files may a cut one look like, and be called by their names

# where other libraries keep what they download, besides the folders that the specs name
_FOLDERS = (
    "$MXNET_HOME/datasets",
    "~/.mxnet/datasets",
    "$TFDS_DATA_DIR/downloads",
    "~/tensorflow_datasets/downloads",
    "~/.cache/paddle/dataset",
    "$CHAINER_DATASET_ROOT/.",
    "~/.chainer/dataset",
)
_ROOTS = (".", "data", "~/data")  # below these the specs' subfolders are looked for


@dataclass(frozen=True)
class Finding:
    """One file: what its name says (empty: nothing), what it is, and whether the two agree.

    `state` is "right"; "wrong" for something else than the name says, and for what is damaged; "unknown" for a sound
    array that nobody knows, under a name that promises none; or "unreadable". `part` and `form` are those of a file
    that is recognised, `member` is its name inside a .zip. The SHA-256s are None where it was not read to its end.
    """

    path: Path
    member: str | None
    claim: str
    found: str
    state: State
    part: Part | None = None
    form: str | None = None
    sha256: str | None = None
    content_sha256: str | None = None


@dataclass(frozen=True)
class Report:
    """`findings` in the order met; how many `others` were left alone; `mixed`, the folders in which files of different
    datasets go by one dataset's names.
    """

    findings: tuple[Finding, ...]
    others: int
    mixed: tuple[str, ...]

    @property
    def ok(self) -> bool:
        """Whether everything is what its name says."""
        return not self.mixed and all(finding.state != "wrong" for finding in self.findings)


def places(specs: Iterable[DatasetSpec], cache: Path) -> list[Path]:
    """Where copies may lie: other libraries' folders, a Linux distribution's, folders set as mirrors, the cache."""
    settings = Places.from_environment()
    found: list[Path] = []
    for spec in specs:
        found += known_folders(spec, settings)
        found += [_absolute(root) / each for root in _ROOTS for each in spec.subfolders if "/" in each]
    found += [_absolute(folder) for folder in map(os.path.expandvars, _FOLDERS) if "$" not in folder]
    installed = Path(__file__).parent  # the sample in it is no copy
    return [folder for folder in dict.fromkeys([*found, cache]) if not folder.is_relative_to(installed)]


def audit(paths: Iterable[Path], specs: Iterable[DatasetSpec]) -> Report:
    """Examine files, and all that lies in folders; below the paths given, links to folders are not followed."""
    specs = tuple(specs)
    index, names = Index(specs), Names(specs)
    reader = _Reader(names, max(index.largest, _LARGEST))
    seen = [each for path, reason in _files(paths) for each in reader.look(path, reason)]
    ours = [(each, each.content) for each in seen if each.content is not None]
    sound = []
    for each, content in ours:  # before any is judged: a decoded copy may come before the published file that proves it
        recognised = _recognised(content, index)
        if recognised and content.digests and content.header:
            if recognised.form == "published":
                index.learn(content.digests, recognised.part)
            if each.member is None:
                sound.append((each.path, content.header, recognised.part))
    findings = tuple(_judged(each, content, index, sound) for each, content in ours)
    return Report(findings, len(seen) - len(ours), tuple(_mixed((each for each, _ in ours), findings)))


@dataclass(frozen=True)
class _Content:
    """What a file is made of: `length`, in bytes, is its content's, as far as that is sound."""

    digests: Digests | None = None
    header: Header | None = None
    length: int = 0
    damage: str = ""
    unreadable: str = ""


@dataclass(frozen=True)
class _Seen:
    path: Path
    member: str | None
    claim: Claim
    content: _Content | None  # None: no concern of ours


class _Reader:
    def __init__(self, names: Names, largest: int) -> None:
        self._names, self._largest = names, largest
        self._contents: dict[tuple[int, int, bool], _Content | None] = {}  # one file may have many names

    def look(self, path: Path, reason: str) -> Iterator[_Seen]:
        """A file, or the members of a .zip that concern us; `reason` is why the path cannot be read, if it cannot."""
        claim = self._names.claim(path)
        if reason:
            yield _Seen(path, None, claim, _Content(unreadable=reason))
            return
        try:
            status = os.stat(path)
            if is_own(path):  # a .gz on its way into the cache is no damaged one
                yield _Seen(path, None, Claim(), None)
            elif not stat.S_ISREG(status.st_mode):
                yield _Seen(path, None, claim, _Content(damage="a pipe, socket or device") if claim.parts else None)
            elif path.suffix.lower() == ".zip" and not claim.parts:
                yield from self._members(path)
            else:
                key = status.st_dev, status.st_ino, bool(claim.parts)
                if key not in self._contents:
                    with open_regular(path) as file:
                        self._contents[key] = self._content(file, status.st_size, claimed=bool(claim.parts))
                yield _Seen(path, None, claim, self._contents[key])
        except OSError as error:
            if isinstance(error, FileNotFoundError) and path.is_symlink():
                yield _Seen(path, None, claim, _Content(damage="a link that leads nowhere") if claim.parts else None)
            else:
                yield _Seen(path, None, claim, _Content(unreadable=error.strerror or str(error)))

    def _members(self, path: Path) -> Iterator[_Seen]:
        looked_at = 0
        try:
            with open_regular(path) as file, zipfile.ZipFile(file) as archive:
                for info in archive.infolist():
                    claim = self._names.claim(path.parent / info.filename)
                    if not claim.parts or info.is_dir():
                        continue
                    looked_at += 1
                    yield _Seen(path, info.filename, claim, self._member(archive, info))
        except (zipfile.BadZipFile, NotImplementedError, UnicodeDecodeError):  # no .zip, or none that Python reads
            pass
        if not looked_at:
            yield _Seen(path, None, Claim(), None)

    def _member(self, archive: zipfile.ZipFile, info: zipfile.ZipInfo) -> _Content:
        try:
            with archive.open(info) as file:
                return self._content(file, info.file_size, claimed=True) or _Content(damage="not an IDX file")
        except (zipfile.BadZipFile, zlib.error, lzma.LZMAError, EOFError, RuntimeError, NotImplementedError) as error:
            return _Content(damage=f"damaged in the .zip: {error}")  # RuntimeError: it wants a password
        except OSError as error:
            if error.errno is not None:  # bzip2's has none
                raise
            return _Content(damage=f"damaged in the .zip: {error}")

    def _content(self, file: Readable, size: int, *, claimed: bool) -> _Content | None:
        """A file's digests and what is wrong with it; None if it is none of ours by content, and not `claimed`."""
        head = file.read(_BLOCK)
        try:
            start = peek(head, MAX_HEADER_SIZE)
            header = read_header(start)
        except IdxFormatError as error:
            return _Content(damage=_no_array(head, size, str(error))) if claimed else None
        compressed = is_compressed(head)
        if not claimed and not compressed and size != header.payload_size:
            return None  # its first bytes look like a header by chance
        if max(size, header.payload_size) > self._largest:
            return _Content(header=header)
        digests = Digests(size, compressed=compressed)
        whole = _Hashed(head, file, digests)
        length, damage = 0, ""
        try:
            for block in inflated(whole, header.payload_size) if compressed else _blocks(whole):
                digests.content(block)
                length += len(block)
        except IdxFormatError as error:
            damage = str(error)
            for _ in _blocks(whole):
                pass
        if not damage and length < header.payload_size:
            damage = f"cut short at byte {length:,} of {header.payload_size:,}"
        elif not damage and length > header.payload_size:
            damage = f"{length - header.payload_size:,} bytes follow the array"
        return _Content(digests, header, length, damage)


class _Hashed:
    """An open file whose first block was read already; every block is hashed on its way."""

    def __init__(self, head: bytes, file: Readable, digests: Digests) -> None:
        self._head, self._file, self._digests = head, file, digests

    def read(self, count: int, /) -> bytes:
        if self._head:
            block, self._head = self._head[:count], self._head[count:]
        else:
            block = self._file.read(count)
        self._digests.file(block)
        return block


def _blocks(file: Readable) -> Iterator[bytes]:
    while block := file.read(_BLOCK):
        yield block


def _no_array(head: bytes, size: int, error: str) -> str:
    """What a file is that has not even a header."""
    if not head:
        return "empty"
    try:
        start = peek(head, MAX_HEADER_SIZE)
    except IdxFormatError:
        return error
    if is_page(start):
        return "an HTML page"
    if is_compressed(head) and len(start) < 4 and size == len(head):
        return f"cut short at byte {size:,}, before its content begins"
    return error


def _files(paths: Iterable[Path]) -> Iterator[tuple[Path, str]]:
    """Every file below the paths, once; and each folder that cannot be listed, with the reason."""
    folders: set[str] = set()
    for path in map(_absolute, paths):
        if not os.path.isdir(path):
            if os.path.lexists(path):
                yield path, ""
            continue
        unlisted: list[OSError] = []
        for folder, below, files in os.walk(path, onerror=unlisted.append):
            real = os.path.realpath(folder)
            if real in folders:
                below.clear()
                continue
            folders.add(real)
            below.sort()
            yield from ((Path(folder, file), "") for file in sorted(files))
        yield from ((Path(error.filename), error.strerror or str(error)) for error in unlisted)


def _judged(seen: _Seen, content: _Content, index: Index, sound: list[tuple[Path, Header, Part]]) -> Finding:
    claim, digests = seen.claim, content.digests
    recognised = _recognised(content, index)
    state: State = "unknown"
    if content.unreadable:
        found, state = f"cannot be read: {content.unreadable}", "unreadable"
    elif recognised:
        official = recognised.form == "published" and recognised.part.spec is not None
        found = f"{recognised}{', official' * official}"
        state = "right" if claim.fits(recognised.part) else "wrong"
    elif content.damage:
        found, state = content.damage + _looks_like(content, index, sound), "wrong"
    else:
        digest = f"SHA-256 {digests.content_sha256[:16]}..." if digests else "too large to be read"
        found = f"unknown: {_shape(content.header)}, {digest}"
        state = "wrong" if claim.exact or claim.certain else "unknown"
    return Finding(
        seen.path,
        seen.member,
        str(claim),
        found,
        state,
        recognised.part if recognised else None,
        recognised.form if recognised else None,
        digests.sha256 if digests else None,
        digests.content_sha256 if digests and not content.damage else None,
    )


def _recognised(content: _Content, index: Index) -> Recognised | None:
    """What a file is if it would be accepted: whole, or to the bit what was published."""
    recognised = content.digests and index.recognise(content.digests)
    return recognised if recognised and (recognised.form == "published" or not content.damage) else None


def _looks_like(content: _Content, index: Index, sound: list[tuple[Path, Header, Part]]) -> str:
    """What a damaged file was, as far as can be told: by its content if that is whole, or that of a sound one, else by
    its header.
    """
    header, digests = content.header, content.digests
    if header is None or digests is None:
        return ""
    whole = index.recognise(digests)
    if whole:
        return f"; its content is {whole.part}"
    if content.length >= header.size + _TELLING:
        for path, other, part in sound:
            if other == header and _beginning(path, content.length) == digests.content_sha256:
                return f"; begins like {part}"
    like = index.shaped(header.shape, header.dtype.newbyteorder("=").name)
    if 0 < len(like) <= _NAMED:
        return f"; has the shape of {' and of '.join(map(str, like))}"
    return f"; the header says {_shape(header)}"


def _beginning(path: Path, length: int) -> str:
    """The SHA-256 of the first bytes of a file's content."""
    digest = hashlib.sha256()
    with open_regular(path) as file:
        compressed = is_compressed(file.read(_BLOCK))
        file.seek(0)
        for block in inflated(file, _LARGEST) if compressed else _blocks(file):
            digest.update(block[:length])
            length -= len(block)
            if length <= 0:
                break
    return digest.hexdigest()


def _shape(header: Header | None) -> str:
    return "" if header is None else f"{'x'.join(f'{n:,}' for n in header.shape)} {header.dtype.name}"


def _mixed(seen: Iterable[_Seen], findings: Iterable[Finding]) -> Iterator[str]:
    """Folders in which names that several datasets share are borne by files of more than one."""
    datasets: dict[Path, dict[str, None]] = {}
    for each, finding in zip(seen, findings, strict=True):
        if finding.part is not None and each.claim.exact and not each.claim.certain:
            datasets.setdefault(each.path.parent, {})[finding.part.dataset] = None
    for folder, names in datasets.items():
        if len(names) > 1:
            yield f"{folder} mixes files of {' and of '.join(names)}"


def _absolute(folder: str | Path) -> Path:
    return Path(os.path.abspath(os.path.expanduser(folder)))
