"""`idxhub audit`."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Sequence
from itertools import groupby
from pathlib import Path
from typing import Any

import click

from idxhub.arrays import cache_root
from idxhub.audit import Finding, Report, places
from idxhub.audit import audit as examine
from idxhub.cache import Cache
from idxhub.catalog import DatasetSpec, Resource
from idxhub.cli.output import json_option, print_json, print_table
from idxhub.errors import ChecksumError
from idxhub.fetch import verify
from idxhub.local import Copy, Places
from idxhub.making import make
from idxhub.plugins import installed

_HEADINGS = ("FILE", "ITS NAME SAYS", "IT IS")


@click.command()
@click.argument("paths", nargs=-1, type=click.Path(exists=True, path_type=Path))
@click.option("--adopt", is_flag=True, help="Put what is recognised into the cache.")
@json_option
@click.pass_context
def audit(ctx: click.Context, paths: tuple[Path, ...], *, adopt: bool, as_json: bool) -> None:
    """Tell what the IDX files on this machine really are.

    Looks at files, and through folders; without PATHS through those in which other libraries, Linux distributions and
    idxhub keep such files. A file is recognised by its digests, not by its name. Downloads nothing. Exit status 1 if
    one is not what its name says, or is damaged.
    """
    specs = tuple(installed().specs())
    looked_in = paths or [path for path in places(specs, cache_root()) if path.exists()]
    into = cache_root() if adopt else None  # without, nothing is asked of a user who has no home
    report = examine(looked_in, specs)
    adopted = [] if into is None else _adopt(report.findings, into)
    if as_json:
        print_json(_as_data(looked_in, report) | ({} if into is None else {"adopted": adopted}))
    else:
        _show(looked_in, report)
        if into is not None:
            _show_adopted(adopted, into)
    if not report.ok or any("failure" in row for row in adopted):
        ctx.exit(1)


def _adopt(findings: Iterable[Finding], root: Path) -> list[dict[str, str]]:
    """Put each file of a spec that was found into the cache: a row for each, with its `source` or its `failure`."""
    copies: dict[tuple[str, str], list[tuple[DatasetSpec, Resource, Finding]]] = {}
    for finding in findings:
        part = finding.part
        if part is not None and part.spec is not None and part.resource is not None:
            same = copies.setdefault((part.spec.name, part.resource.stem), [])
            same.append((part.spec, part.resource, finding))
    return [_adopted(same, root) for same in copies.values()]


def _adopted(copies: Sequence[tuple[DatasetSpec, Resource, Finding]], root: Path) -> dict[str, str]:
    """The first copy that serves, published ones before others: what a spec does not say may have proven the others."""
    spec, resource, first = copies[0]
    cache = Cache(root, spec)
    row = {"file": str(first.part), "dataset": spec.name}
    arrays = [kept for kept in spec.arrays if kept.resource == resource]
    stored = [each for each in map(cache.open, arrays) if each is not None]
    if len(stored) == len(arrays):
        return row | {"state": "in the cache already", "source": stored[0].record.source}
    failure = ""
    for _, _, finding in sorted(copies, key=lambda copy: copy[2].form != "published"):
        copy = Copy(finding.path, finding.member)
        try:
            # read once more: these bytes are verified, and published
            found = verify(resource, copy.read(resource), _plain(copy.source))
        except ChecksumError as error:
            failure = str(error)
            continue
        except OSError as error:
            failure = f"{_plain(copy.source)}: {error.strerror or error}"
            continue
        records = [make(kept, cache, Places(download=False), found=found).record for kept in arrays]
        return row | {"state": f"adopted, {records[0].form}", "source": records[0].source}
    return row | {"state": "not adopted", "failure": failure}


def _show(looked_in: Sequence[Path], report: Report) -> None:
    rows = [(_name(finding), finding.claim or "-", _found(finding)) for finding in report.findings]
    widths = [max(map(len, column)) for column in zip(_HEADINGS, *rows, strict=True)]
    if rows:
        click.secho(_line(_HEADINGS, widths), bold=True)
    for folder, group in groupby(zip(report.findings, rows, strict=True), lambda each: _folder(each[0])):
        click.echo(folder)
        for finding, row in group:
            click.secho(_line(row, widths), fg="red" if finding.state == "wrong" else None)
    for mixed in report.mixed:
        click.secho(f"WRONG: {mixed}", fg="red")
    if not looked_in:
        click.echo("none of the folders in which such files are usual is there; name those to look through")
    counts = Counter(finding.state for finding in report.findings)
    states = ", ".join(
        f"{counts[state]} {state}" for state in ("right", "wrong", "unknown", "unreadable") if counts[state]
    )
    files = f"{len(rows)} IDX file{'s' * (len(rows) != 1)}"
    click.echo(f"{files}{': ' * bool(states)}{states}; {report.others} other{'s' * (report.others != 1)} left alone")


def _line(row: Sequence[str], widths: Sequence[int]) -> str:
    return "  ".join(cell.ljust(width) for cell, width in zip(row, widths, strict=True)).rstrip()


def _name(finding: Finding) -> str:
    name = finding.path.name if finding.member is None else f"{finding.path.name}: {finding.member}"
    return f"  {_plain(name)}"


def _folder(finding: Finding) -> str:
    return _plain(finding.path.parent)


def _found(finding: Finding) -> str:
    return f"WRONG: {finding.found}" if finding.state == "wrong" else finding.found


def _plain(name: str | Path) -> str:
    """A name as it can be shown anywhere: file names may hold whatever they like."""
    return "".join(c if c.isprintable() else "\N{REPLACEMENT CHARACTER}" for c in click.format_filename(name))


def _show_adopted(rows: Sequence[dict[str, str]], root: Path) -> None:
    click.echo()
    if not rows:
        click.echo("nothing to put into the cache")
        return
    print_table(
        ("INTO THE CACHE", "NOW", "FROM"),
        [(row["file"], row["state"], row.get("source") or row["failure"]) for row in rows],
    )
    click.echo(f"in {root}")


def _as_data(looked_in: Iterable[Path], report: Report) -> dict[str, Any]:
    return {
        "paths": [_plain(path) for path in looked_in],
        "files": [
            {
                "path": _plain(finding.path),
                "member": finding.member,
                "claim": finding.claim or None,
                "found": finding.found,
                "state": finding.state,
                "dataset": finding.part.spec.name
                if finding.part is not None and finding.part.spec is not None
                else None,
                "form": finding.form,
                "sha256": finding.sha256,
                "content_sha256": finding.content_sha256,
            }
            for finding in report.findings
        ],
        "left_alone": report.others,
        "mixed": list(report.mixed),
        "ok": report.ok,
    }


COMMANDS = (audit,)
