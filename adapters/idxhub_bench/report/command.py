"""`idxhub bench report`."""

from __future__ import annotations

import os
import shutil
from pathlib import Path

import click

from idxhub_bench.report import loading, markdown, page, summary
from idxhub_bench.report.model import Report

_FILE = click.Path(dir_okay=False, path_type=Path)


@click.command()
@click.argument("raw", type=click.Path(exists=True, dir_okay=False, path_type=Path))
@click.option("--html", type=_FILE, help="Write one page that needs nothing else, RAW beside it.")
@click.option("--markdown", "text", type=_FILE, help="Write the tables as Markdown.")
@click.option("--readme", type=_FILE, help="Replace the short table between this page's two markers.")
def report(raw: Path, html: Path | None, text: Path | None, readme: Path | None) -> None:
    """Turn the records in RAW into tables.

    The page asks for nothing over the network and works from a file. --readme replaces what stands between
    <!-- benchmarks --> and <!-- /benchmarks -->.
    """
    found = summary.summarise(summary.read(raw))
    made = Report("Benchmarks", (*loading.figures(found), *loading.background(found)))
    if html is not None:
        beside = html.with_name(raw.name)
        html.write_text(page.page(made, beside.name), encoding="utf-8")
        if beside.resolve() != raw.resolve():
            shutil.copyfile(raw, beside)
    if text is not None:
        text.write_text(markdown.markdown(made, _lead(raw, html, text)), encoding="utf-8")
    if readme is not None:
        old = readme.read_text(encoding="utf-8")
        new = f"{markdown.table(loading.short(found))}\n\n{_MORE}"
        readme.write_text(markdown.between(old, "benchmarks", new), encoding="utf-8")
    if html is text is readme is None:
        click.echo(markdown.table(loading.short(found)))


_MORE = """\
A ratio is idxhub / peer, from medians: for times and memory less is better, for images/s more. All rows, the goals that
are missed among them, the machine and the command that measures: [docs/benchmarks.md](docs/benchmarks.md)."""


def _lead(raw: Path, html: Path | None, text: Path) -> str:
    records = f"[what `idxhub bench load` recorded]({_from(text, raw)})"
    how = "to change it, run them again, as [Measure](how-to/measure.md) shows."
    lines = [f"This page was written by `idxhub bench report` from {records}: {how}"]
    if html is not None:
        lines.append(f'<a href="{_from(text, html)}">The same with bars, to sort and to choose from</a>.')
    return "\n\n".join(lines)


def _from(page: Path, target: Path) -> str:
    return Path(os.path.relpath(target.resolve(), page.resolve().parent)).as_posix()
