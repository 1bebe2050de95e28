"""`idxhub doctor`."""

from __future__ import annotations

import os
import platform
import re
import sys
from importlib.metadata import PackageNotFoundError, distribution
from pathlib import Path
from typing import Any

import click

from idxhub._version import __version__
from idxhub.acquire.local import SearchSettings, is_offline, known_folders
from idxhub.acquire.mirrors import check_mirrors, mirror_urls, parse_mirrors, redact_url
from idxhub.cache.layout import cache_root, write_error
from idxhub.cache.store import Cache
from idxhub.cli.options import json_option
from idxhub.cli.output import install_command, print_json, print_table, print_text
from idxhub.errors import ArgumentError, CacheError, IdxHubError, MissingFrameworkError
from idxhub.paths import format_os_error
from idxhub.plugins.importing import describe_error
from idxhub.plugins.manager import installed

_SETTINGS = ("IDXHUB_CACHE", "IDXHUB_MIRRORS", "IDXHUB_OFFLINE")


@click.command()
@json_option
@click.pass_context
def doctor(ctx: click.Context, *, as_json: bool) -> None:
    """Show versions, frameworks, and where idxhub looks for data.

    The exit status is 1 if the cache cannot be written or an adapter is broken; a framework that is not installed is no
    problem.
    """
    report = _examine()
    if as_json:
        print_json(report)
    else:
        _show(report)
    if report["problems"]:
        ctx.exit(1)


def _examine() -> dict[str, Any]:
    root = (
        cache_root()
    )  # first, because some frameworks end the process when they are imported in a removed working directory
    frameworks = {name: _describe_framework(name) for name in installed().adapters()}
    problems = [f"{name}: {state['message']}" for name, state in frameworks.items() if state["state"] == "broken"]
    cache_problem = _find_cache_problem(root)
    if cache_problem:
        problems.append(
            f"the cache at {root} cannot be written: {cache_problem}; set IDXHUB_CACHE to a folder that can be written"
        )
    else:
        problems += _find_unwritable_folders(root)
    settings, wrong_mirrors = _search_settings()
    problems += wrong_mirrors
    return {
        "idxhub": __version__,
        "python": platform.python_version(),
        "platform": platform.platform(),
        "byte_order": sys.byteorder,
        "packages": _packages(),
        "frameworks": frameworks,
        "settings": {name: _setting(name) for name in _SETTINGS},
        "download": settings.download,
        "cache": {"path": str(root), "exists": os.path.exists(root), "writable": not cache_problem},
        "datasets": {name: _describe_dataset(name, root, settings) for name in installed().datasets()},
        "problems": problems,
    }


def _packages() -> dict[str, str | None]:
    """The versions of the packages that idxhub always needs; None for a package that is not installed."""
    try:
        required = distribution("idxhub").requires or []
    except PackageNotFoundError:  # run from its sources
        return {}
    names = [re.split(r"[^\w.-]", each)[0] for each in required if not re.search(r";.*\bextra\b", each)]
    return {name: _version(name) for name in names}


def _version(package: str) -> str | None:
    try:
        return distribution(package).version
    except PackageNotFoundError:
        return None


def _setting(name: str) -> str | None:
    """The value of a variable, without passwords of mirrors, because people show the output of doctor to others."""
    value = os.environ.get(name)
    if value and name == "IDXHUB_MIRRORS":
        try:
            return ", ".join(map(redact_url, parse_mirrors(value)))
        except ArgumentError:  # it is reported among the problems
            return "(not shown)"
    return value


def _describe_framework(name: str) -> dict[str, str]:
    try:
        installed().adapter(name)
    except MissingFrameworkError as error:
        missing = isinstance(error.__cause__, ModuleNotFoundError)
        return {"state": "not installed" if missing else "broken", "message": str(error)}
    except Exception as error:  # noqa: BLE001 -- an adapter may raise any error; the rest is shown in any case
        message = str(error) if isinstance(error, IdxHubError) else describe_error(error)
        return {"state": "broken", "message": message}
    return {"state": "installed", "message": installed().framework_version(name)}


def _describe_dataset(name: str, root: Path, settings: SearchSettings) -> dict[str, Any]:
    spec = installed().dataset(name)
    cache = Cache(root, spec)
    try:
        cached = sum(cache.record(array) is not None for array in spec.arrays)
    except CacheError:  # it is reported among the problems
        cached = 0
    return {
        "cached": cached,
        "files": len(spec.arrays),
        "folders": {str(f): os.path.isdir(f) for f in known_folders(spec, settings)},
        "mirrors": list(dict.fromkeys(map(redact_url, mirror_urls(spec, settings.mirrors)))),
    }


def _find_cache_problem(root: Path) -> str:
    """Why the cache cannot be written, or cannot be made in the folder above; empty if it can."""
    # a dangling link exists, and no folder can be made there
    existing = next(folder for folder in (root, *root.parents) if os.path.lexists(folder))
    error = write_error(existing)
    if error is None:
        return ""
    return format_os_error(existing, error) + (f" ({existing})" if existing != root else "")


def _find_unwritable_folders(root: Path) -> list[str]:
    """The folders in a cache that cannot be written, although the cache itself can be."""
    found = []
    for spec in installed().specs():
        cache = Cache(root, spec)
        folders = dict.fromkeys((cache.folder, *(cache.file(each.published).parent for each in spec.resources)))
        problems = {folder: _find_cache_problem(folder) for folder in folders if os.path.lexists(folder)}
        unwritable = {folder: why for folder, why in problems.items() if why}
        found += [
            f"{folder} in the cache cannot be written: {why}; make it writable, or remove it"
            for folder, why in unwritable.items()
        ]
        if not unwritable:
            found += _find_unreadable_arrays(cache)
    return list(dict.fromkeys(found))


def _find_unreadable_arrays(cache: Cache) -> list[str]:
    try:
        for array in cache.spec.arrays:
            cache.open(array, verify=False)
    except CacheError as error:
        return [str(error)]
    return []


def _search_settings() -> tuple[SearchSettings, list[str]]:
    """The settings, and what is wrong with the mirrors. If IDXHUB_MIRRORS cannot be read, the settings have none."""
    try:
        settings = SearchSettings.from_environment()
    except ArgumentError as error:
        return SearchSettings(download=not is_offline()), [str(error)]
    found = []
    for spec in installed().specs():
        try:
            check_mirrors(spec, settings.mirrors)
        except ArgumentError as error:
            found.append(str(error))
    return settings, list(dict.fromkeys(found))


def _show(report: dict[str, Any]) -> None:
    print_text(f"idxhub {report['idxhub']}, Python {report['python']}, {report['platform']}")
    print_text(", ".join(f"{package} {number or '(not installed)'}" for package, number in report["packages"].items()))
    click.echo()
    print_table(
        ("FRAMEWORK", "STATE", "VERSION, OR WHAT TO DO"),
        [(name, state["state"], _advice(state)) for name, state in report["frameworks"].items()],
    )
    click.echo()
    for name, value in report["settings"].items():
        print_text(f"{name:16}{value or '(not set)'}")
    cache = report["cache"]
    state = "can be written" if cache["writable"] else "CANNOT be written"
    print_text(f"{'cache':16}{cache['path']} ({state if cache['exists'] else f'not made yet; {state}'})")
    _show_datasets(report)
    click.echo()
    for problem in report["problems"]:
        print_text(f"PROBLEM: {problem}", fg="red")
    if not report["problems"]:
        print_text("no problems found")


def _advice(framework: dict[str, str]) -> str:
    """The version of an installed framework, or the command that installs it, or what is wrong."""
    command = install_command(framework["message"]) if framework["state"] == "not installed" else None
    return command or framework["message"]


def _show_datasets(report: dict[str, Any]) -> None:
    """Where each dataset is searched for; datasets that are searched for in the same places are one group."""
    groups: dict[tuple[Any, ...], list[str]] = {}
    for name, data in report["datasets"].items():
        key = data["cached"], data["files"], tuple(data["folders"].items()), tuple(data["mirrors"])
        groups.setdefault(key, []).append(name)
    for (cached, files, folders, mirrors), names in groups.items():
        click.echo()
        each = " each" if len(names) > 1 else ""
        print_text(f"{', '.join(names)}: {cached} of {files} files{each} in the cache; searched for in", bold=True)
        for folder, exists in folders:
            print_text(f"  {folder} ({'exists' if exists else 'does not exist'})")
        for mirror in mirrors:
            print_text(f"  {mirror}{'' if report['download'] else ' (not tried: IDXHUB_OFFLINE is set)'}")


COMMANDS = (doctor,)
