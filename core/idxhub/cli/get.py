"""`idxhub get`."""

from __future__ import annotations

import os
from pathlib import Path
from typing import Any

import click

from idxhub.acquire.build import build_array
from idxhub.acquire.find import find_file, find_published_file
from idxhub.acquire.local import SearchSettings
from idxhub.cache.layout import cache_root
from idxhub.cache.store import Cache
from idxhub.catalog.resource import Resource
from idxhub.catalog.spec import DatasetSpec
from idxhub.cli.files import OptionPath
from idxhub.cli.options import data_dir_option, dataset_argument, json_option
from idxhub.cli.output import print_json, print_table, print_text, printable_line
from idxhub.errors import ExportError
from idxhub.exporting import write_target
from idxhub.paths import absolute_path, describe_os_error
from idxhub.plugins.manager import installed

_IN_WORDS = {"published": "as published", "recompressed": "recompressed", "decompressed": "decompressed"}


@click.command()
@dataset_argument
@data_dir_option
@click.option(
    "--to",
    type=OptionPath(file_okay=False),
    help="Also write the published files into this folder, as they were published.",
)
@click.option("--raw", is_flag=True, help="With --to: write the files decompressed.")
@click.option("--force", is_flag=True, help="With --to: replace other files of the same names.")
@click.option("--offline", is_flag=True, help="Download nothing.")
@json_option
def get(
    name: str, data_dir: Path | None, *, to: str | None, raw: bool, force: bool, offline: bool, as_json: bool
) -> None:
    """Find or download, verify and cache a dataset.

    Searches for the files in --data-dir, in the cache, in the folders of other programs, and at the mirrors. Shows
    where each file came from.
    """
    if to is None and (raw or force):
        raise click.UsageError(f"{'--raw' if raw else '--force'} is an option for --to")
    if to == "":
        raise click.BadParameter("name a folder", param_hint="--to")
    spec = installed().dataset(name)
    cache = Cache(cache_root(), spec)
    settings = SearchSettings.from_environment(data_dir, download=not offline)
    rows = _cache_arrays(spec, cache, settings)
    written = [] if to is None else _write_files(spec, cache, settings, Path(absolute_path(to)), raw=raw, force=force)
    if as_json:
        report = {"dataset": spec.name, "cache": str(cache.folder), "files": rows}
        print_json(report if to is None else report | {"written": written})
        return
    print_table(
        ("FILE", "NOW", "FROM"),
        [
            (
                row["file"],
                "in the cache already" if row["cached_already"] else f"verified, {_IN_WORDS[row['form']]}",
                printable_line(row["source"]),
            )
            for row in rows
        ],
    )
    print_text(f"in {cache.folder}")
    if written:
        state = {True: "there already", False: "written"}
        print_text("")
        print_table(("FILE", "NOW"), [(printable_line(row["path"]), state[row["there_already"]]) for row in written])


def _cache_arrays(spec: DatasetSpec, cache: Cache, settings: SearchSettings) -> list[dict[str, Any]]:
    specs = tuple(installed().specs())
    rows = []
    for array in spec.arrays:
        cached = cache.open(array) is not None
        record = build_array(array, cache, settings, specs=specs).record
        rows.append(
            {
                "file": record.filename,
                "cached_already": cached,
                "source": record.source,
                "origin": record.origin,
                "form": record.form,
            }
        )
    return rows


def _write_files(
    spec: DatasetSpec, cache: Cache, settings: SearchSettings, folder: Path, *, raw: bool, force: bool
) -> list[dict[str, Any]]:
    """Write the published files into a folder, which is made if it does not exist. Raises `ExportError`.

    A file that is there already with the same bytes stays as it is.
    """
    try:
        folder.mkdir(parents=True, exist_ok=True)
    except OSError as error:
        raise ExportError(f"cannot make the folder {folder}: {describe_os_error(error)}") from error
    rows = []
    for resource in spec.resources:
        content = _content(spec, resource, cache, settings, raw=raw)
        path = folder / (resource.stem if raw else resource.filename)
        same = _has_content(path, content)
        if not same:
            with write_target(path, is_folder=False, force=force) as temporary:
                temporary.write_bytes(content)
        rows.append({"path": str(path), "there_already": same})
    return rows


def _content(
    spec: DatasetSpec, resource: Resource, cache: Cache, settings: SearchSettings, *, raw: bool
) -> bytes | memoryview:
    specs = tuple(installed().specs())
    if raw:
        return find_file(spec, resource, cache, settings, specs=specs).payload
    return find_published_file(spec, resource, cache, settings, specs=specs)


def _has_content(path: Path, content: bytes | memoryview) -> bool:
    try:
        return os.stat(path).st_size == len(content) and path.read_bytes() == content
    except OSError:  # absent, or not to be read: then writing says why
        return False


COMMANDS = (get,)
