"""`idxhub audit`."""

from __future__ import annotations

import shutil
import sys
from collections import Counter
from collections.abc import Iterable, Sequence
from itertools import groupby
from pathlib import Path
from typing import Any

import click

from idxhub.acquire.build import build_array
from idxhub.acquire.local import LocalCopy, SearchSettings
from idxhub.acquire.verify import verify_bytes
from idxhub.audit.folders import may_exist, path_key, usual_folders
from idxhub.audit.judge import Finding, Report, audit_files
from idxhub.cache.layout import cache_root
from idxhub.cache.store import Cache
from idxhub.catalog.resource import Resource
from idxhub.catalog.spec import DatasetSpec
from idxhub.cli.options import json_option
from idxhub.cli.output import format_error, is_terminal, print_json, print_table, print_text, printable_line
from idxhub.errors import ChecksumError, IdxHubError
from idxhub.paths import absolute_path, describe_os_error
from idxhub.plugins.manager import installed

_HEADINGS = ("FILE", "ITS NAME SAYS", "IT IS")


@click.command()
@click.argument("paths", nargs=-1, type=click.Path(exists=True, readable=False, path_type=Path))
@click.option("--adopt", is_flag=True, help="Put recognised files into the cache.")
@json_option
@click.pass_context
def audit(ctx: click.Context, paths: tuple[Path, ...], *, adopt: bool, as_json: bool) -> None:
    """Show what the IDX files on this machine really contain.

    Examines files, and the files in folders. Without PATHS these are the folders in which other libraries, Linux
    distributions and idxhub keep such files. A file is recognised by its digests, not by its name. Nothing is
    downloaded. The exit status is 1 if a file is damaged or is not what its name says, or if one of PATHS cannot be
    read.
    """
    specs = tuple(installed().specs())
    searched = paths or [path for path in usual_folders(specs, cache_root()) if may_exist(path)]
    report = audit_files(searched, specs)
    adopted = _adopt(report.findings) if adopt else []
    if as_json:
        print_json(_as_data(searched, report) | ({"adopted": adopted} if adopt else {}))
    else:
        _show(searched, report, has_paths=bool(paths))
        if adopt:
            _show_adopted(adopted)
    keys = {path_key(Path(absolute_path(path, expand_user=False))) for path in paths}
    unreadable = any(finding.state == "unreadable" and path_key(finding.path) in keys for finding in report.findings)
    if unreadable or not report.ok or any("failure" in row for row in adopted):
        ctx.exit(1)


def _adopt(findings: Iterable[Finding]) -> list[dict[str, str]]:
    """Put each file of a spec that was found into the cache: a row for each, with its `source` or its `failure`."""
    copies: dict[tuple[str, str], list[tuple[DatasetSpec, Resource, Finding]]] = {}
    for finding in findings:
        file = finding.file
        if file is not None and file.spec is not None and file.resource is not None:
            same = copies.setdefault((file.spec.name, file.resource.stem), [])
            same.append((file.spec, file.resource, finding))
    return [_adopt_best(same) for same in copies.values()]


def _adopt_best(copies: Sequence[tuple[DatasetSpec, Resource, Finding]]) -> dict[str, str]:
    """Put the best copy of a file into the cache. A failure is told in the row: the audit itself is still of use."""
    spec, resource, first = copies[0]
    row = {"file": str(first.file), "dataset": spec.name}
    try:
        cache = Cache(cache_root(), spec)
        arrays = [array for array in spec.arrays if array.resource == resource]
        stored = [array for array in map(cache.open, arrays) if array is not None]
        if len(stored) == len(arrays):
            return row | {"state": "in the cache already", "source": stored[0].record.source}
        failure = ""
        # published copies first: others cannot be verified if the spec has no digest of the content
        for _, _, finding in sorted(copies, key=lambda copy: (copy[2].form != "published", copy[2].state != "right")):
            copy = LocalCopy(finding.path, finding.member)
            try:
                # the file is read again: the bytes that are verified now are those that are stored
                found = verify_bytes(resource, copy.read(resource), copy.source)
            except ChecksumError as error:
                failure = str(error)
                continue
            except OSError as error:
                failure = f"{copy.source}: {describe_os_error(error)}"
                continue
            settings = SearchSettings(download=False)
            records = [build_array(array, cache, settings, found=found).record for array in arrays]
            form = "" if records[0].form == "published" else f", {records[0].form}"
            return row | {"state": f"cached{form}", "source": records[0].source}
    except IdxHubError as error:
        failure = format_error(error)
    return row | {"state": "not cached", "failure": failure}


def _show(searched: Sequence[Path], report: Report, *, has_paths: bool) -> None:
    rows = [(_format_name(finding), finding.claim or "-", _format_found(finding)) for finding in report.findings]
    widths = [max(map(len, column)) for column in zip(_HEADINGS, *rows, strict=True)]
    is_too_wide = is_terminal(sys.stdout) and sum(widths) + 2 * (len(widths) - 1) > shutil.get_terminal_size().columns
    if rows and not is_too_wide:
        click.secho(_format_row(_HEADINGS, widths), bold=True)
    for folder, group in groupby(zip(report.findings, rows, strict=True), lambda each: each[0].path.parent):
        print_text(printable_line(folder))
        for finding, row in group:
            block = f"{row[0]}\n    {_HEADINGS[1]}: {row[1]}\n    {_HEADINGS[2]}: {row[2]}"
            text = block if is_too_wide else _format_row(row, widths)
            print_text(text, fg="red" if finding.state == "wrong" else None)
    for mixed in report.mixed:
        print_text(f"WRONG: {printable_line(mixed)}", fg="red")
    if not searched:
        click.echo("none of the folders that usually contain such files exists; name the folders to examine")
    elif not rows and not has_paths:
        click.echo("looked in")
        for path in searched:
            click.echo(f"  {printable_line(path)}")
    click.echo(_summary(report))


def _summary(report: Report) -> str:
    files = [finding.state for finding in report.findings if not finding.is_folder]
    counts = Counter(files)
    states = ", ".join(
        f"{counts[state]} {state}" for state in ("right", "wrong", "unknown", "unreadable") if counts[state]
    )
    parts = [f"{_plural(len(files), 'IDX file')}{': ' * bool(states)}{states}"]
    if report.mixed:
        parts.append(f"{_plural(len(report.mixed), 'folder')} mixed")
    if len(files) < len(report.findings):
        parts.append(f"{_plural(len(report.findings) - len(files), 'folder')} unreadable")
    parts.append(f"{_plural(report.left_alone, 'other')} ignored")
    if report.left_unread:
        parts.append(f"{_plural(report.left_unread, 'other')} could not be read")
    return "; ".join(parts)


def _plural(number: int, what: str) -> str:
    return f"{number} {what}{'s' * (number != 1)}"


def _format_row(row: Sequence[str], widths: Sequence[int]) -> str:
    return "  ".join(cell.ljust(width) for cell, width in zip(row, widths, strict=True)).rstrip()


def _format_name(finding: Finding) -> str:
    name = finding.path.name if finding.member is None else f"{finding.path.name}: {finding.member}"
    return f"  {printable_line(name)}{'/' * finding.is_folder}"


def _format_found(finding: Finding) -> str:
    return f"{'WRONG: ' * (finding.state == 'wrong')}{printable_line(finding.found)}"


def _show_adopted(rows: Sequence[dict[str, str]]) -> None:
    click.echo()
    if not rows:
        click.echo("nothing to put into the cache")
        return
    print_table(
        ("INTO THE CACHE", "NOW", "FROM"),
        [(row["file"], row["state"], printable_line(row.get("source", "-"))) for row in rows],
    )
    for failure in dict.fromkeys(row["failure"] for row in rows if "failure" in row):
        print_text(f"NOT CACHED: {failure}", fg="red")
    if any("source" in row for row in rows):
        print_text(f"in {cache_root()}")


def _as_data(searched: Iterable[Path], report: Report) -> dict[str, Any]:
    return {
        "paths": [str(path) for path in searched],
        "files": [
            {
                "path": str(finding.path),
                "member": finding.member,
                "folder": finding.is_folder,
                "claim": finding.claim or None,
                "found": finding.found,
                "state": finding.state,
                "is": None if finding.file is None else {"title": finding.file.dataset, "part": finding.file.part},
                "dataset": finding.file.spec.name if finding.file is not None and finding.file.spec else None,
                "form": finding.form,
                "sha256": finding.sha256,
                "content_sha256": finding.content_sha256,
            }
            for finding in report.findings
        ],
        "left_alone": report.left_alone,
        "left_unread": report.left_unread,
        "mixed": list(report.mixed),
        "ok": report.ok,
    }


COMMANDS = (audit,)
