"""`idxhub audit`."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Sequence
from itertools import groupby
from pathlib import Path
from typing import Any

import click

from idxhub.acquire.build import build_array
from idxhub.acquire.local import LocalCopy, SearchSettings
from idxhub.acquire.verify import verify_bytes
from idxhub.audit.judge import Finding, Report, places
from idxhub.audit.judge import audit as examine
from idxhub.audit.scan import is_there, place
from idxhub.cache.layout import cache_root
from idxhub.cache.store import Cache
from idxhub.catalog.spec import DatasetSpec, Resource
from idxhub.cli.output import json_option, plain, print_json, print_table, say
from idxhub.errors import ChecksumError, IdxHubError
from idxhub.paths import absolute_path
from idxhub.plugins.manager import installed

_HEADINGS = ("FILE", "ITS NAME SAYS", "IT IS")


@click.command()
@click.argument("paths", nargs=-1, type=click.Path(exists=True, readable=False, path_type=Path))
@click.option("--adopt", is_flag=True, help="Put what is recognised into the cache.")
@json_option
@click.pass_context
def audit(ctx: click.Context, paths: tuple[Path, ...], *, adopt: bool, as_json: bool) -> None:
    """Tell what the IDX files on this machine really are.

    Looks at files, and through folders; without PATHS through those in which other libraries, Linux distributions and
    idxhub keep such files. A file is recognised by its digests, not by its name. Downloads nothing. Exit status 1 if
    one is not what its name says, or is damaged, or if one of PATHS cannot be read.
    """
    specs = tuple(installed().specs())
    looked_in = paths or [path for path in places(specs, cache_root()) if is_there(path)]
    report = examine(looked_in, specs)
    adopted = _adopt(report.findings) if adopt else []
    if as_json:
        print_json(_as_data(looked_in, report) | ({"adopted": adopted} if adopt else {}))
    else:
        _show(looked_in, report, named=bool(paths))
        if adopt:
            _show_adopted(adopted)
    named = {place(Path(absolute_path(path, expand_user=False))) for path in paths}
    closed = any(finding.state == "unreadable" and place(finding.path) in named for finding in report.findings)
    if closed or not report.ok or any("failure" in row for row in adopted):
        ctx.exit(1)


def _adopt(findings: Iterable[Finding]) -> list[dict[str, str]]:
    """Put each file of a spec that was found into the cache: a row for each, with its `source` or its `failure`."""
    copies: dict[tuple[str, str], list[tuple[DatasetSpec, Resource, Finding]]] = {}
    for finding in findings:
        part = finding.file
        if part is not None and part.spec is not None and part.resource is not None:
            same = copies.setdefault((part.spec.name, part.resource.stem), [])
            same.append((part.spec, part.resource, finding))
    return [_adopted(same) for same in copies.values()]


def _adopted(copies: Sequence[tuple[DatasetSpec, Resource, Finding]]) -> dict[str, str]:
    """The best copy that serves. Whatever goes wrong is said in the row: the audit is worth as much without it."""
    spec, resource, first = copies[0]
    row = {"file": str(first.file), "dataset": spec.name}
    try:
        cache = Cache(cache_root(), spec)
        arrays = [kept for kept in spec.arrays if kept.resource == resource]
        stored = [each for each in map(cache.open, arrays) if each is not None]
        if len(stored) == len(arrays):
            return row | {"state": "in the cache already", "source": stored[0].record.source}
        failure = ""
        # published ones before others, which they may have proven: a spec need not say what is in its files
        for _, _, finding in sorted(copies, key=lambda copy: (copy[2].form != "published", copy[2].state != "right")):
            copy = LocalCopy(finding.path, finding.member)
            try:
                # read once more: these bytes are verified, and published
                found = verify_bytes(resource, copy.read(resource), copy.source)
            except ChecksumError as error:
                failure = str(error)
                continue
            except OSError as error:
                failure = f"{copy.source}: {error.strerror or error}"
                continue
            records = [build_array(kept, cache, SearchSettings(download=False), found=found).record for kept in arrays]
            form = "" if records[0].form == "published" else f", {records[0].form}"
            return row | {"state": f"taken over{form}", "source": records[0].source}
    except IdxHubError as error:
        failure = str(error)
    return row | {"state": "not taken over", "failure": failure}


def _show(looked_in: Sequence[Path], report: Report, *, named: bool) -> None:
    rows = [(_name(finding), finding.claim or "-", _found(finding)) for finding in report.findings]
    widths = [max(map(len, column)) for column in zip(_HEADINGS, *rows, strict=True)]
    if rows:
        click.secho(_line(_HEADINGS, widths), bold=True)
    for folder, group in groupby(zip(report.findings, rows, strict=True), lambda each: each[0].path.parent):
        say(plain(folder))
        for finding, row in group:
            click.secho(_line(row, widths), fg="red" if finding.state == "wrong" else None)
    for mixed in report.mixed:
        click.secho(f"WRONG: {plain(mixed)}", fg="red")
    if not looked_in:
        click.echo("none of the folders in which such files are usual is there; name those to look through")
    elif not rows and not named:
        click.echo("looked in")
        for path in looked_in:
            click.echo(f"  {plain(path)}")
    click.echo(_summary(report))


def _summary(report: Report) -> str:
    files = [finding.state for finding in report.findings if not finding.is_folder]
    counts = Counter(files)
    states = ", ".join(
        f"{counts[state]} {state}" for state in ("right", "wrong", "unknown", "unreadable") if counts[state]
    )
    parts = [f"{_count(len(files), 'IDX file')}{': ' * bool(states)}{states}"]
    if report.mixed:
        parts.append(f"{_count(len(report.mixed), 'folder')} mixed")
    if len(files) < len(report.findings):
        parts.append(f"{_count(len(report.findings) - len(files), 'folder')} unreadable")
    parts.append(f"{_count(report.others, 'other')} left alone")
    if report.closed:
        parts.append(f"{_count(report.closed, 'other')} not to be read")
    return "; ".join(parts)


def _count(number: int, what: str) -> str:
    return f"{number} {what}{'s' * (number != 1)}"


def _line(row: Sequence[str], widths: Sequence[int]) -> str:
    return "  ".join(cell.ljust(width) for cell, width in zip(row, widths, strict=True)).rstrip()


def _name(finding: Finding) -> str:
    name = finding.path.name if finding.member is None else f"{finding.path.name}: {finding.member}"
    return f"  {plain(name)}{'/' * finding.is_folder}"


def _found(finding: Finding) -> str:
    return f"{'WRONG: ' * (finding.state == 'wrong')}{plain(finding.found)}"


def _show_adopted(rows: Sequence[dict[str, str]]) -> None:
    click.echo()
    if not rows:
        click.echo("nothing to put into the cache")
        return
    print_table(
        ("INTO THE CACHE", "NOW", "FROM"),
        [(row["file"], row["state"], plain(row.get("source", "-"))) for row in rows],
    )
    for failure in dict.fromkeys(row["failure"] for row in rows if "failure" in row):
        say(f"NOT TAKEN OVER: {failure}", fg="red")
    if any("source" in row for row in rows):
        say(f"in {cache_root()}")


def _as_data(looked_in: Iterable[Path], report: Report) -> dict[str, Any]:
    return {
        "paths": [str(path) for path in looked_in],
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
        "left_alone": report.others,
        "left_unread": report.closed,
        "mixed": list(report.mixed),
        "ok": report.ok,
    }


COMMANDS = (audit,)
