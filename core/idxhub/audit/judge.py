"""The IDX files in some folders: what each one's name says, and what its digests say.

Nothing is believed by name. What is no IDX array, plain or in a .gz, .xz or .zip, is counted and left alone.
"""

from __future__ import annotations

import os
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Literal

from idxhub.acquire.local import SearchSettings, known_folders
from idxhub.audit.scan import Content, Seen, beginning, look, place
from idxhub.cache.layout import recorded
from idxhub.catalog.recognise.by_digest import DigestIndex, Recognised
from idxhub.catalog.recognise.by_name import Claim, NameIndex
from idxhub.catalog.recognise.published_file import PublishedFile, archives_of_specs
from idxhub.catalog.spec import DatasetSpec
from idxhub.errors import IdxFormatError
from idxhub.formats.idx import Header
from idxhub.paths import absolute_path

State = Literal["right", "wrong", "unknown", "unreadable"]
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
    array that nobody knows, under a name that promises none, or one of which no digest is known; or "unreadable", for
    a folder too. `part` and `form` are those of a file that is recognised, `member` is its name inside a .zip. The
    SHA-256s are None where it was not read to its end.
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
    """`findings` in the order met; how many `others` were left alone; how many more are `closed`, by names that say
    nothing and not to be read; `mixed`, the folders in which files of different datasets go by names that they share.
    """

    findings: tuple[Finding, ...]
    others: int
    closed: int
    mixed: tuple[str, ...]

    @property
    def ok(self) -> bool:
        """Whether everything is what its name says."""
        return not self.mixed and all(finding.state != "wrong" for finding in self.findings)


def places(specs: Iterable[DatasetSpec], cache: Path) -> list[Path]:
    """Where copies may lie: other libraries' folders, a Linux distribution's, folders set as mirrors, the cache."""
    settings = SearchSettings.from_environment()
    found: list[Path] = []
    for spec in specs:
        found += known_folders(spec, settings)
        found += [_expanded(root) / each for root in _ROOTS for each in spec.subfolders if "/" in each]
    found += [_expanded(folder) for folder in map(os.path.expandvars, _FOLDERS) if "$" not in folder]
    installed = Path(__file__).parents[1]  # the sample in it is no copy
    return [folder for folder in dict.fromkeys([*found, cache]) if not folder.is_relative_to(installed)]


def _expanded(folder: str) -> Path:
    return Path(absolute_path(folder))


def audit(paths: Iterable[Path], specs: Iterable[DatasetSpec]) -> Report:
    """Examine files, and all that lies in folders; below the paths given, links to folders are not followed."""
    specs, paths = tuple(specs), tuple(Path(absolute_path(path, expand_user=False)) for path in paths)
    index = DigestIndex(specs)
    ours: list[tuple[Seen, Content]] = []
    named = set(map(place, paths))
    others = closed = 0
    for each in look(paths, NameIndex(specs), archives_of_specs(specs), index.largest_content):
        if each.content is None:
            others += 1
        elif each.content.unreadable and not (each.claim.files or each.is_folder or place(each.path) in named):
            closed += 1
        else:
            ours.append((each, each.content))
    sound = []
    for each, content in ours:  # before any is judged: a decoded copy may come before the published file that proves it
        recognised = _recognised(content, index)
        if recognised and content.digests and content.header:
            if recognised.form == "published":
                index.add_content(content.digests, recognised.file)
            if each.member is None:
                sound.append((each.path, content.header, recognised.file))
    findings = tuple(_judged(each, content, index, sound) for each, content in ours)
    return Report(findings, others, closed, tuple(_mixed((each for each, _ in ours), findings)))


def _judged(
    seen: Seen, content: Content, index: DigestIndex, sound: list[tuple[Path, Header, PublishedFile]]
) -> Finding:
    claim, digests = seen.claim, content.digests
    recognised, record = _recognised(content, index), _record(seen, content)
    state: State
    if content.unreadable:
        found, state = f"cannot be read: {content.unreadable}", "unreadable"
    elif recognised:
        found = str(recognised)
        if recognised.form == "published":
            found += ", official" if recognised.file.spec or recognised.file.archive else ", as published"
        state = "right" if record or claim.allows(recognised.file) else "wrong"
    elif record:
        found, state = f"{record}, by idxhub's own record", "right"
        recognised = Recognised(PublishedFile(record, seen.path.name), "published")
    elif content.damage:
        found, state = content.damage + _looks_like(content, index, sound), "wrong"
    else:
        found, state = _unknown(claim, content)
    return Finding(
        seen.path,
        seen.member,
        str(claim),
        found,
        state,
        recognised.file if recognised else None,
        recognised.form if recognised else None,
        digests.sha256 if digests and content.whole else None,
        digests.content_sha256 if digests and content.header and not content.damage else None,
        seen.is_folder,
    )


def _recognised(content: Content, index: DigestIndex) -> Recognised | None:
    """What a file is if it would be accepted: whole, or to the bit what was published."""
    if content.archive is not None:
        return Recognised(content.archive, "published")
    recognised = index.recognise(content.digests) if content.digests and content.header else None
    sound = not content.damage or (content.whole and recognised is not None and recognised.form == "published")
    return recognised if sound else None


def _record(seen: Seen, content: Content) -> str:
    """What idxhub's own record calls a file that it keeps; empty if there is none, or the file is another one."""
    if content.record or seen.member is not None or content.digests is None or not content.whole:
        return content.record
    return recorded(seen.path).get(content.digests.md5, "")


def _unknown(claim: Claim, content: Content) -> tuple[str, State]:
    """A sound array that is not recognised. A name tells nothing where no digest of that content is known."""
    digests, header = content.digests, content.header
    like = [] if header is None else claim.files_of_shape(header.shape, header.dtype.newbyteorder("=").name)
    if digests and like and not any(each.payload_sha256 or each.payload_md5 for _, each in like):
        known = f"{content.shape}, as {' or '.join(str(part) for part, _ in like)} have"
        if digests.compressed:  # of the file as published the digest is known
            return f"not as published: {known}; no digest of its content is known", "wrong"
        return f"{known}; no digest of its content is known: compare the .gz", "unknown"
    digest = f"SHA-256 {digests.content_sha256[:16]}..." if digests else "too large to be read"
    return (
        f"unknown: {content.shape}, {digest}",
        "wrong" if claim.is_published_name or claim.names_dataset else "unknown",
    )


def _looks_like(content: Content, index: DigestIndex, sound: list[tuple[Path, Header, PublishedFile]]) -> str:
    """What a damaged file was, as far as can be told: by its content if that is whole, or that of a sound one, else by
    its header.
    """
    header, digests = content.header, content.digests
    if header is None:
        return ""
    if digests is not None:
        whole = index.recognise(digests)
        if whole:
            return f"; its content is {whole.file}"
        if content.length >= header.size + _TELLING:
            for path, other, part in sound:
                if other == header and _begins(path, content.length, digests.content_sha256):
                    return f"; begins like {part}"
    like = index.files_of_shape(header.shape, header.dtype.newbyteorder("=").name)
    if 0 < len(like) <= _NAMED:
        return f"; has the shape of {' and of '.join(map(str, like))}"
    return "" if content.shape in content.damage else f"; the header says {content.shape}"


def _begins(path: Path, length: int, sha256: str) -> bool:
    """Whether a file's content begins so. It was read before, and may be gone, or another one, by now."""
    try:
        return beginning(path, length) == sha256
    except (OSError, IdxFormatError):
        return False


def _mixed(seen: Iterable[Seen], findings: Iterable[Finding]) -> Iterator[str]:
    """Folders in which names that several datasets share are borne by files of more than one."""
    datasets: dict[Path, dict[str, None]] = {}
    for each, finding in zip(seen, findings, strict=True):
        shared = (
            each.claim.is_published_name
            and not each.claim.names_dataset
            and len({part.dataset for part in each.claim.files}) > 1
        )
        if finding.file is not None and shared and not recorded(each.path):
            datasets.setdefault(each.folder, {})[finding.file.dataset] = None
    for folder, names in datasets.items():
        if len(names) > 1:
            quoted = (f'"{name}"' if ", " in name else name for name in names)
            yield f"{folder} mixes files of {' and of '.join(quoted)}"
