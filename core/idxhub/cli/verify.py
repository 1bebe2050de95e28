"""`idxhub verify`."""

from __future__ import annotations

import hashlib
import os
from collections.abc import Sequence
from dataclasses import asdict, dataclass, replace
from pathlib import Path

import click

from idxhub.acquire.build import matches_published
from idxhub.acquire.local import LocalCopy, SearchSettings, list_local_copies
from idxhub.acquire.verify import VerifiedFile, verify_bytes
from idxhub.cache.layout import cache_root
from idxhub.cache.store import Cache
from idxhub.catalog.resource import Resource
from idxhub.catalog.spec import ArraySpec, DatasetSpec
from idxhub.cli.files import FOLDER
from idxhub.cli.options import dataset_argument, json_option
from idxhub.cli.output import print_json, print_table, print_text
from idxhub.errors import CacheError, ChecksumError
from idxhub.paths import describe_os_error
from idxhub.plugins.manager import installed

_NOT_FOUND = "NOT FOUND"


@dataclass(frozen=True)
class Finding:
    """The result for one copy of a file, and how it was checked. `place` is None for a file that was not found."""

    file: str
    sound: bool
    state: str
    check: str
    expected_md5: str
    found_md5: str | None = None
    place: str | None = None


@click.command()
@dataset_argument
@click.option("--data-dir", type=FOLDER, help="Check only the files in this folder.")
@json_option
@click.pass_context
def verify(ctx: click.Context, name: str, data_dir: Path | None, *, as_json: bool) -> None:
    """Check a dataset's files against their digests.

    Checks the files in --data-dir. Without it, checks every copy of the files on this machine, and the decoded arrays
    in the cache. Nothing is downloaded. The exit status is 1 if a file is wrong, damaged or not found.
    """
    spec = installed().dataset(name)
    cache = Cache(cache_root(), spec)
    settings = SearchSettings.from_environment(data_dir, download=False)
    findings = [finding for resource in spec.resources for finding in _check_resource(spec, resource, cache, settings)]
    if as_json:
        print_json({"dataset": spec.name, "files": [asdict(finding) for finding in findings]})
    else:
        print_table(
            ("FILE", "STATE", "CHECKED BY", "AT"),
            [(f.file, f.state, f.check, f.place or "-") for f in findings],
        )
        print_text(_summary(findings) + (_hint(spec, findings) if data_dir is None else ""))
    if not all(finding.sound for finding in findings):
        ctx.exit(1)


def _summary(findings: Sequence[Finding]) -> str:
    found = [finding for finding in findings if finding.state != _NOT_FOUND]
    wrong, missing = sum(not finding.sound for finding in found), len(findings) - len(found)
    if not wrong and not missing:
        return "all sound"
    parts = [f"{wrong} of {len(found)} not sound"] if wrong else [f"{len(found)} sound"] if found else []
    return ", ".join([*parts, *([f"{missing} not found"] if missing else [])])


def _hint(spec: DatasetSpec, findings: Sequence[Finding]) -> str:
    """What to do if no copy of any file is on this machine."""
    if all(finding.state == _NOT_FOUND for finding in findings):
        return f"; to find or download them, run: idxhub get {spec.name}"
    return ""


def _check_resource(spec: DatasetSpec, resource: Resource, cache: Cache, settings: SearchSettings) -> list[Finding]:
    findings = []
    published = None
    for copy in dict.fromkeys(list_local_copies(spec, resource, cache, settings)):
        if settings.data_dir is None or copy.path.is_relative_to(settings.data_dir):
            finding, verified = _check_file(spec, resource, copy)
            findings.append(finding)
            published = published or verified
    if settings.data_dir is None:
        cached = [array for array in spec.arrays if array.resource == resource and _may_be_cached(array, cache)]
        findings += [_check_cached_array(array, cache, published) for array in cached]
    return findings or [Finding(resource.filename, sound=False, state=_NOT_FOUND, check="-", expected_md5=resource.md5)]


def _check_file(spec: DatasetSpec, resource: Resource, copy: LocalCopy) -> tuple[Finding, VerifiedFile | None]:
    finding = Finding(resource.filename, sound=False, state="", check="-", expected_md5=resource.md5, place=copy.source)
    try:
        data = copy.read(resource)
    except OSError as error:
        return replace(finding, state=f"WRONG: {describe_os_error(error)}"), None
    md5 = hashlib.md5(data, usedforsecurity=False).hexdigest()
    try:
        verified = verify_bytes(resource, data, copy.source, (spec, *installed().datasets().values()))
    except ChecksumError as error:
        state = f"WRONG: {error.failures[0].why.removeprefix('is another file: ')}"
        return replace(finding, state=state, check=f"MD5 {md5}, expected {resource.md5}", found_md5=md5), None
    if verified.form == "published":
        state, check = "sound", f"MD5 {md5}{' and SHA-256' if resource.sha256 else ''}"
    else:
        state, check = f"sound, {verified.form}", f"{'SHA-256' if resource.payload_sha256 else 'MD5'} of its content"
    return replace(finding, sound=True, state=state, check=check, found_md5=md5), verified


def _may_be_cached(array: ArraySpec, cache: Cache) -> bool:
    """Whether the array is in the cache; true too if the cache cannot be read."""
    try:
        os.stat(cache.array_file(array))
    except FileNotFoundError:
        return False
    except OSError:  # opening the array gives the reason
        return True
    return True


def _check_cached_array(array: ArraySpec, cache: Cache, published: VerifiedFile | None) -> Finding:
    """The cached array, compared with the published content, or else with the checksums in its record."""
    resource = array.resource
    finding = Finding(
        resource.filename,
        sound=False,
        state="WRONG: damaged; it will be made again when it is next loaded",
        check="the checksums in its record",
        expected_md5=resource.md5,
        place=str(cache.array_file(array)),
    )
    try:
        stored = cache.open(array)
    except CacheError as error:
        return replace(finding, state=f"WRONG: {_explain_cache_error(error)}", check="-")
    if stored is None:
        return finding
    right = matches_published(array, stored, published)
    if published is not None:
        finding = replace(finding, check="the published file, decoded again")
    elif right is not None:
        finding = replace(finding, check=f"{'SHA-256' if resource.payload_sha256 else 'MD5'} of its content")
    if right is False:
        return finding
    return replace(finding, sound=True, state=", ".join(["sound", "decoded", *array.steps]))


def _explain_cache_error(error: CacheError) -> str:
    return error.__cause__.strerror or str(error) if isinstance(error.__cause__, OSError) else str(error)


COMMANDS = (verify,)
