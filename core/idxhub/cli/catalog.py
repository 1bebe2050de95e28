"""`idxhub list` and `idxhub info`."""

from __future__ import annotations

from dataclasses import asdict

import click

from idxhub.arrays import cache_root
from idxhub.cache import Cache
from idxhub.catalog import DatasetSpec, describe
from idxhub.cli.output import json_option, print_json, print_table, size
from idxhub.plugins import installed


@click.command("list")
@json_option
def list_(*, as_json: bool) -> None:
    """Show the datasets there are."""
    specs = installed().datasets().values()
    if as_json:
        print_json([describe(spec) for spec in specs])
        return
    print_table(
        ("NAME", "RELEASE", "SPLITS", "CLASSES", "SIZE", "LICENCE"),
        [
            (
                spec.name,
                spec.release or "-",
                ", ".join(f"{name} {count:,}" for name, count in spec.sizes.items()),
                len(spec.classes) or "-",
                size(_download_size(spec)),
                spec.license or "-",
            )
            for spec in specs
        ],
    )


@click.command()
@click.argument("name")
@json_option
def info(name: str, *, as_json: bool) -> None:
    """Show a dataset's files, classes, licence, citation."""
    spec = installed().dataset(name)
    cache = Cache(cache_root(), spec)
    records = {resource.filename: cache.record(resource) for resource in spec.resources}
    if as_json:
        cached = {filename: asdict(record) for filename, record in records.items() if record is not None}
        print_json(describe(spec) | {"cache": str(cache.folder), "cached": cached})
        return
    click.secho(f"{spec.title or spec.name}", bold=True)
    if spec.description:
        click.echo(spec.description)
    click.echo()
    for what, value in (("release", spec.release), ("licence", spec.license), ("homepage", spec.homepage)):
        if value:
            click.echo(f"{what:10}{value}")
    click.echo(f"{'splits':10}{', '.join(f'{name} {count:,}' for name, count in spec.sizes.items())}")
    click.echo()
    print_table(
        ("FILE", "BYTES", "MD5", "SHAPE", "CACHED FROM"),
        [
            (
                resource.filename,
                f"{resource.size:,}" if resource.size is not None else "?",
                resource.md5,
                f"{'x'.join(map(str, resource.shape))} {resource.dtype}",
                record.source if (record := records[resource.filename]) is not None else "-",
            )
            for resource in spec.resources
        ],
    )
    if spec.classes:
        click.echo()
        print_table(("LABEL", "CLASS"), enumerate(spec.classes))
    if spec.mirrors:
        click.echo()
        click.secho("MIRRORS", bold=True)
        click.echo("\n".join(spec.mirrors))
    if spec.citation:
        click.echo()
        click.secho("CITATION", bold=True)
        click.echo(spec.citation)


def _download_size(spec: DatasetSpec) -> int | None:
    sizes = [resource.size for resource in spec.resources]
    return None if None in sizes else sum(count for count in sizes if count is not None)


COMMANDS = (list_, info)
