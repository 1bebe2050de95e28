"""`idxhub list` and `idxhub info`."""

from __future__ import annotations

from typing import Any

import click

from idxhub.acquire.mirrors import redact_url
from idxhub.cache.layout import cache_root
from idxhub.cache.record import Record
from idxhub.cache.store import Cache
from idxhub.catalog.spec import ArraySpec, DatasetSpec
from idxhub.cli.options import dataset_argument, json_option
from idxhub.cli.output import format_size, print_json, print_table, print_text
from idxhub.errors import CacheError
from idxhub.plugins.manager import installed

_NO_LICENCE = "not stated"  # the dataset may have a licence all the same


@click.command("list")
@json_option
def list_(*, as_json: bool) -> None:
    """Show all datasets."""
    specs = tuple(installed().datasets().values())
    if as_json:
        print_json([describe(spec) for spec in specs])
        return
    print_table(
        ("NAME", "SPLITS", "CLASSES", "SIZE", "LICENCE"),
        [
            (
                spec.name,
                _format_splits(spec),
                len(spec.classes) or "-",
                _download_size(spec),
                spec.license or _NO_LICENCE,
            )
            for spec in specs
        ],
    )
    archives = {each.archive for spec in specs for each in spec.resources if each.archive is not None}
    if archives:
        click.echo()
    for archive in sorted(archives, key=lambda archive: archive.filename):
        names = ", ".join(s.name for s in specs if any(each.archive == archive for each in s.resources))
        print_text(f"One download, {archive.filename} of {format_size(archive.size)}, for {names}")


def _read_cached_record(cache: Cache, array: ArraySpec) -> Record | None:
    """The record of an array in the cache; None if the array is absent, or if its file has a wrong size."""
    record = cache.record(array)
    if record is None:
        return None
    try:
        return record if cache.open(array, verify=False) is not None else None
    except CacheError:  # `idxhub verify` reports this error; `info` describes the dataset in any case
        return None


@click.command()
@dataset_argument
@json_option
def info(name: str, *, as_json: bool) -> None:
    """Show a dataset's files, classes, licence, citation."""
    spec = installed().dataset(name)
    cache = Cache(cache_root(), spec)
    records = {array.key: record for array in spec.arrays if (record := _read_cached_record(cache, array)) is not None}
    if as_json:
        cached = {
            ", ".join([array.resource.filename, *array.steps]): records[array.key]._asdict()
            for array in spec.arrays
            if array.key in records
        }
        print_json(describe(spec) | {"cache": str(cache.folder), "cached": cached})
        return
    print_text(spec.title or spec.name, bold=True)
    if spec.description:
        print_text(spec.description)
    click.echo()
    licence = spec.license or _NO_LICENCE
    for what, value in (("release", spec.release), ("licence", licence), ("homepage", spec.homepage)):
        if value:
            print_text(f"{what:10}{value}")
    print_text(f"{'splits':10}{', '.join(_format_sizes(spec))}")
    for archive in dict.fromkeys(each.archive for each in spec.resources if each.archive is not None):
        print_text(f"{'archive':10}{archive.filename}, {archive.size:,} bytes, MD5 {archive.md5}")
    click.echo()
    print_table(
        ("FILE", "BYTES", "MD5", "HOLDS", "CACHED FROM"),
        [
            (
                array.resource.filename,
                f"{array.resource.size:,}" if array.resource.size is not None else "?",
                array.resource.md5,
                ", ".join([f"{'x'.join(f'{n:,}' for n in array.resource.shape)} {array.resource.dtype}", *array.steps]),
                record.origin if (record := records.get(array.key)) is not None else "-",
            )
            for array in spec.arrays
        ],
    )
    known = [(each.filename, each.sha256) for each in spec.resources if each.sha256]
    if known:  # in a separate table, because a line with the MD5 too would be wider than a terminal
        click.echo()
        print_table(("FILE", "SHA-256"), known)
    if spec.classes:
        click.echo()
        print_table(("LABEL", "CLASS"), enumerate(spec.classes))
    if spec.mirrors:
        click.echo()
        click.secho("MIRRORS", bold=True)
        print_text("\n".join(map(redact_url, spec.mirrors)))
    if spec.citation:
        click.echo()
        click.secho("CITATION", bold=True)
        print_text(spec.citation)


def _format_sizes(spec: DatasetSpec) -> list[str]:
    return [f"{name} {count:,}" for name, count in spec.sizes.items()]


def _format_splits(spec: DatasetSpec) -> str:
    """The splits, two in each line."""
    sizes = _format_sizes(spec)
    return ",\n".join(", ".join(sizes[i : i + 2]) for i in range(0, len(sizes), 2))


def _download_size(spec: DatasetSpec) -> str:
    count, known = spec.download_size
    return format_size(count) if known else f"< {format_size(count)}"


COMMANDS = (list_, info)


def describe(spec: DatasetSpec) -> dict[str, Any]:
    """The spec as data for JSON: `idxhub info --json` prints it."""
    return {
        "name": spec.name,
        "title": spec.title,
        "description": spec.description,
        "release": spec.release,
        "fingerprint": spec.fingerprint,
        "classes": list(spec.classes),
        "license": spec.license,
        "homepage": spec.homepage,
        "citation": spec.citation,
        "mirrors": [redact_url(mirror) for mirror in spec.mirrors],
        "splits": {
            name: {
                "num_examples": split.num_examples,
                "range": [split.start, split.end],
                "images": _describe_array(split.arrays[0]),
                "labels": _describe_array(split.arrays[1]),
            }
            for name, split in spec.splits.items()
        },
    }


def _describe_array(array: ArraySpec) -> dict[str, Any]:
    resource, archive = array.resource, array.resource.archive
    return {
        "filename": resource.filename,
        "size": resource.size,
        "md5": resource.md5,
        "sha256": resource.sha256,
        "payload_size": resource.payload_size,
        "payload_md5": resource.payload_md5,
        "payload_sha256": resource.payload_sha256,
        "shape": list(resource.shape),
        "dtype": resource.dtype,
        "archive": None if archive is None else {k: getattr(archive, k) for k in ("filename", "md5", "size", "sha256")},
        "member": resource.member,
        "steps": list(array.steps),
    }
