"""`idxhub board compare`."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import Any

import click

from idxhub import errors
from idxhub.cli.files import FOLDER
from idxhub.cli.output import print_json
from idxhub_board.configurations import Configuration, deep, later, select, today
from idxhub_board.published import published
from idxhub_board.store import read_stores
from idxhub_board.summary import Row, summarise
from idxhub_board.today import packages_of

_GROUPS = {", today's classifiers": today, ", networks": deep}
_COLUMNS = "{:<80}  {:>9}  {:>8}  {:>6}  {:>3}  {:>10}  {}"


@click.command()
@click.argument("stores", nargs=-1, required=True, type=click.Path(exists=True, dir_okay=False, path_type=Path))
@click.option("--only", multiple=True, metavar="PATTERN", help="As in `idxhub board run`.")
@click.option("--pair", nargs=2, metavar="A B", help="Compare two configurations by McNemar's test instead.")
@click.option("--data-dir", type=FOLDER, help="A folder to look in first.")
@click.option("--offline", is_flag=True, help="Download nothing.")
@click.option("--json", "as_json", is_flag=True, help="Print the result or the error as JSON.")
def compare(
    *,
    stores: tuple[Path, ...],
    only: tuple[str, ...],
    pair: tuple[str, str] | None,
    data_dir: Path | None,
    offline: bool,
    as_json: bool,
) -> None:
    """Compare the results in STORES with those that were published.

    Published are accuracies on all of Fashion-MNIST and MNIST. One from 10,000 test images has a standard error of
    about 0.0034, so two configurations that differ by less may be equally good: --pair compares them on the same
    images.
    """
    results = read_stores(stores)
    if pair is not None:
        source = {"data_dir": None if data_dir is None else str(data_dir.absolute()), "download": not offline}
        _print_pair(results, pair, source, as_json=as_json)
        return
    chosen = {each for pattern in only for each in select(pattern)}
    rows = [row for row in summarise(results) if not only or row.configuration in chosen]
    if not rows:
        click.echo("Warning: there are no results to compare", err=True)
    if as_json:
        print_json([as_json_row(row) for row in rows])
    else:
        _print_rows(rows)


def as_json_row(row: Row) -> dict[str, Any]:
    """A row as docs/reference/json.md describes it."""
    return {
        "dataset": row.dataset,
        "examples": row.examples,
        "configuration": row.configuration.name,
        "classifier": row.configuration.classifier,
        "parameters": row.configuration.parameters,
        "preprocessing": row.preprocessing,
        "accelerated": row.accelerated,
        "versions": dict(row.versions),
        "seeds": list(row.accuracies),
        "mean": row.mean,
        "standard_deviation": row.deviation,
        "seconds": row.mean_seconds,
        "published": row.published,
        "reported": row.reported,
        "difference": row.difference,
        "tolerance": row.tolerance,
        "within": row.is_within,
    }


def _print_rows(rows: Sequence[Row]) -> None:
    heading = _COLUMNS.format("configuration", "published", "mean", "std", "n", "difference", "verdict")
    for title, some in _by_title(rows).items():
        click.echo(title)
        click.secho(heading, bold=True)
        for row in some:
            click.echo(_COLUMNS.format(*_cells(row)).rstrip())
        judged = [row for row in some if row.is_within is not None]
        if judged:
            within = {row.configuration for row in judged if row.is_within}
            missing = len(published()) - len({row.configuration for row in some})
            said = f"{len(within)} of {len(judged)} within the tolerance; {missing} of 129 were not run"
            click.echo(f"{said}\n")
        else:
            what = "classifiers" if some[0].configuration in later() else "examples"
            click.echo(f"not compared: nothing was published for these {what}\n")


def _by_title(rows: Sequence[Row]) -> dict[str, list[Row]]:
    found: dict[str, list[Row]] = {}
    for row in rows:
        # a table for each group: the version of the library of each classifier is in its line
        of_library = packages_of(row.configuration.classifier)
        versions = ", ".join(f"{name} {version}" for name, version in row.versions.items() if name not in of_library)
        group = next((title for title, of_group in _GROUPS.items() if row.configuration in of_group()), "")
        part = "" if row.examples is None else f", {row.examples:,} examples"
        how = ", accelerated" if row.accelerated else ""
        found.setdefault(f"{row.dataset}{part}{how}{group} ({versions})", []).append(row)
    return found


def _cells(row: Row) -> tuple[str, ...]:
    verdict = {None: _remark(row), True: f"within {row.tolerance:g}", False: f"differs by more than {row.tolerance:g}"}
    return (
        row.configuration.name,
        "" if row.published is None else f"{row.published:.3f}",
        f"{row.mean:.4f}",
        "" if row.deviation is None else f"{row.deviation:.4f}",
        str(len(row.accuracies)),
        "" if row.difference is None else f"{row.difference:+.4f}",
        verdict[row.is_within],
    )


def _remark(row: Row) -> str:
    """What a row without a verdict has instead: the version of its library, and what somebody has reported."""
    parts = [f"{name} {row.versions.get(name, 'none')}" for name in packages_of(row.configuration.classifier)]
    if row.reported is not None:
        parts.append(f"reported for such a model: {row.reported:g}")
    return "; ".join(parts)


def _print_pair(
    results: list[dict[str, Any]], names: tuple[str, str], source: dict[str, Any], *, as_json: bool
) -> None:
    from idxhub_board.pairs import compare_pair  # noqa: PLC0415 -- loads the dataset, which the rows do without

    first, second = map(_one, names)
    found = compare_pair(results, first, second, **source)
    if as_json:
        said = {"configurations": [first.name, second.name], **found._asdict()}
        print_json(said)
        return
    for configuration, accuracy, alone in zip(
        (first, second), found.accuracies, (found.only_first, found.only_second), strict=True
    ):
        click.echo(f"{configuration.name}: accuracy {accuracy:.4f}; it alone is right on {alone} examples")
    click.echo(f"McNemar's exact test: p = {found.p:.3g}")


def _one(name: str) -> Configuration:
    found = select(name)
    if len(found) > 1:
        raise errors.UnknownNameError(
            "configuration",
            name,
            [each.name for each in found],
            problem="ambiguous",
            why="several match",
        )
    return found[0]
