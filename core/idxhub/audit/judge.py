"""The audit: whether each file is what its name claims, by its digests alone."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Literal, NamedTuple

from idxhub.audit.content import Content, sha256_of_beginning
from idxhub.audit.folders import path_key
from idxhub.audit.scan import ScannedFile, scan_files
from idxhub.cache.layout import recorded_md5s
from idxhub.catalog.recognise.by_digest import DigestIndex, Recognised
from idxhub.catalog.recognise.by_name import Claim, NameIndex
from idxhub.catalog.recognise.published_file import PublishedFile, archives_of_specs
from idxhub.catalog.spec import DatasetSpec
from idxhub.errors import IdxFormatError
from idxhub.formats.idx import Header
from idxhub.paths import absolute_path

State = Literal["right", "wrong", "unknown", "unreadable"]
_MIN_COMPARED = 64  # bytes after the header that must agree; so many do not agree by chance
_MAX_NAMED = 2  # if a shape fits more files than this, none of them is named


@dataclass(frozen=True)
class Finding:
    """One file: what its name claims (empty if nothing), what was found, and whether the two agree.

    `state` is "right"; "wrong" if the file is damaged or is not what its name claims; "unknown" for a valid array that
    is not known, if its name claims nothing or the digest of the content that it claims to have is not known; or
    "unreadable", for a folder too. `file` and `form` describe a file that was recognised. `member` is the file's name
    inside a .zip. The SHA-256 digests are None if the file was not read to its end.
    """

    path: Path
    member: str | None
    claim: str
    found: str
    state: State
    file: PublishedFile | None = None
    form: str | None = None
    sha256: str | None = None
    content_sha256: str | None = None
    is_folder: bool = False


@dataclass(frozen=True)
class Report:
    """The `findings`, in the order in which the files were found, and what was not examined.

    `left_alone` is the number of files that are not IDX, and `left_unread` that of files which cannot be read and whose
    names claim nothing. `mixed` describes the folders in which files of several datasets have names that those
    datasets share.
    """

    findings: tuple[Finding, ...]
    left_alone: int
    left_unread: int
    mixed: tuple[str, ...]

    @property
    def ok(self) -> bool:
        """Whether no file is wrong and no folder is mixed."""
        return not self.mixed and all(finding.state != "wrong" for finding in self.findings)


class _SoundFile(NamedTuple):
    path: Path
    header: Header
    file: PublishedFile


def audit_files(paths: Iterable[Path], specs: Iterable[DatasetSpec]) -> Report:
    """Examine files, and the files in folders. Links to folders are followed only if they are among `paths`."""
    specs, paths = tuple(specs), tuple(Path(absolute_path(path, expand_user=False)) for path in paths)
    index = DigestIndex(specs)
    keys = set(map(path_key, paths))
    examined: list[tuple[ScannedFile, Content]] = []
    left_alone = left_unread = 0
    for scanned in scan_files(paths, NameIndex(specs), archives_of_specs(specs), index.largest_content):
        if scanned.content is None:
            left_alone += 1
        elif scanned.content.unreadable and not (
            scanned.claim.files or scanned.is_folder or path_key(scanned.path) in keys
        ):
            left_unread += 1
        else:
            examined.append((scanned, scanned.content))
    sound = _learn(examined, index)
    findings = tuple(_judge(scanned, content, index, sound) for scanned, content in examined)
    return Report(findings, left_alone, left_unread, tuple(_mixed_folders((each for each, _ in examined), findings)))


def _learn(examined: Iterable[tuple[ScannedFile, Content]], index: DigestIndex) -> list[_SoundFile]:
    """Add the contents of published files to the index, and return the files that others can be compared with.

    This is done before any file is judged: the published file may come after a decompressed copy of it.
    """
    sound = []
    for scanned, content in examined:
        recognised = _recognise(content, index)
        if recognised and content.digests and content.header:
            if recognised.form == "published":
                index.add_content(content.digests, recognised.file)
            if scanned.member is None:
                sound.append(_SoundFile(scanned.path, content.header, recognised.file))
    return sound


def _judge(scanned: ScannedFile, content: Content, index: DigestIndex, sound: list[_SoundFile]) -> Finding:
    claim, digests = scanned.claim, content.digests
    recognised, record = _recognise(content, index), _dataset_in_record(scanned, content)
    state: State
    if content.unreadable:
        found, state = f"cannot be read: {content.unreadable}", "unreadable"
    elif recognised:
        found = str(recognised)
        if recognised.form == "published":
            found += ", official" if recognised.file.spec or recognised.file.archive else ", as published"
        state = "right" if record or claim.allows(recognised.file) else "wrong"
    elif record:
        found, state = f"{record}, according to idxhub's record", "right"
        recognised = Recognised(PublishedFile(record, scanned.path.name), "published")
    elif content.damage:
        found, state = content.damage + _guess_original(content, index, sound), "wrong"
    else:
        found, state = _judge_unknown(claim, content)
    return Finding(
        scanned.path,
        scanned.member,
        str(claim),
        found,
        state,
        file=recognised.file if recognised else None,
        form=recognised.form if recognised else None,
        sha256=digests.sha256 if digests and content.is_read_to_end else None,
        content_sha256=digests.content_sha256 if digests and content.header and not content.damage else None,
        is_folder=scanned.is_folder,
    )


def _recognise(content: Content, index: DigestIndex) -> Recognised | None:
    """Which published file this is, if `get_dataset` would accept it: undamaged, or identical to the published one."""
    if content.archive is not None:
        return Recognised(content.archive, "published")
    recognised = index.recognise(content.digests) if content.digests and content.header else None
    if recognised is None or not content.damage:
        return recognised
    return recognised if content.is_read_to_end and recognised.form == "published" else None


def _dataset_in_record(scanned: ScannedFile, content: Content) -> str:
    """The dataset's name in idxhub's record beside the file; empty if there is none, or if it is of another file."""
    if content.record or scanned.member is not None or content.digests is None or not content.is_read_to_end:
        return content.record
    return recorded_md5s(scanned.path).get(content.digests.md5, "")


def _judge_unknown(claim: Claim, content: Content) -> tuple[str, State]:
    """A valid array that was not recognised: wrong if its name claims a file whose digests are known."""
    digests, header = content.digests, content.header
    claimed = [] if header is None else claim.files_of_shape(header.shape, header.dtype.newbyteorder("=").name)
    if digests and claimed and not any(each.payload_sha256 or each.payload_md5 for _, each in claimed):
        files = " or ".join(str(file) for file, _ in claimed)
        found = f"{content.shape}, like {files}; no digest of its content is known"
        if digests.compressed:  # the digest of the published file is known, and this one has another
            return f"not as published: {found}", "wrong"
        return f"{found}; check the .gz file instead", "unknown"
    digest = f"SHA-256 {digests.content_sha256[:16]}..." if digests else "too large to be read"
    return (
        f"unknown: {content.shape}, {digest}",
        "wrong" if claim.is_published_name or claim.names_dataset else "unknown",
    )


def _guess_original(content: Content, index: DigestIndex, sound: list[_SoundFile]) -> str:
    """Which file a damaged one was: by its content if that is complete, by the beginning of a sound file's content that
    it agrees with, or by the shape in its header.
    """
    header, digests = content.header, content.digests
    if header is None:
        return ""
    if digests is not None:
        recognised = index.recognise(digests)
        if recognised:
            return f"; its content is {recognised.file}"
        if content.length >= header.size + _MIN_COMPARED:
            for path, other, file in sound:
                if other == header and _begins_with(path, content.length, digests.content_sha256):
                    return f"; begins like {file}"
    candidates = index.files_of_shape(header.shape, header.dtype.newbyteorder("=").name)
    if 0 < len(candidates) <= _MAX_NAMED:
        return f"; has the shape of {' and of '.join(map(str, candidates))}"
    return "" if content.shape in content.damage else f"; the header says {content.shape}"


def _begins_with(path: Path, length: int, sha256: str) -> bool:
    """Whether the first bytes of a file's content have this digest. The file may have been removed or replaced."""
    try:
        return sha256_of_beginning(path, length) == sha256
    except (OSError, IdxFormatError):
        return False


def _mixed_folders(examined: Iterable[ScannedFile], findings: Iterable[Finding]) -> Iterator[str]:
    """The folders in which files of several datasets have names that those datasets share."""
    datasets: dict[Path, dict[str, None]] = {}
    for scanned, finding in zip(examined, findings, strict=True):
        claim = scanned.claim
        is_shared = claim.is_published_name and not claim.names_dataset
        is_shared = is_shared and len({file.dataset for file in claim.files}) > 1
        if finding.file is not None and is_shared and not recorded_md5s(scanned.path):
            datasets.setdefault(scanned.folder, {})[finding.file.dataset] = None
    for folder, names in datasets.items():
        if len(names) > 1:
            quoted = (f'"{name}"' if ", " in name else name for name in names)
            yield f"{folder} mixes files of {' and of '.join(quoted)}"
