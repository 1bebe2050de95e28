"""`idxhub bench report`."""

from __future__ import annotations

import os
import textwrap
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import replace
from pathlib import Path
from urllib.parse import quote

import click

from idxhub.cli.files import OptionPath, check_absent, write_files
from idxhub_bench.report import device, latest, loading, markdown, records, summary, training
from idxhub_bench.report.model import Report, Section, listed, marked_text

_GUIDE = "how-to/measure.md"  # beside the published page
_CURVES = "Test accuracy after each epoch: the curves of the frameworks over each other"
_FILE = OptionPath(dir_okay=False, path_type=Path)
_RAW = click.Path(exists=True, dir_okay=False, path_type=Path)


@click.command()
@click.argument("raw", type=_RAW, nargs=-1, required=True, metavar="RAW...")
@click.option("--html", type=_FILE, help="Write an HTML page, and copy each RAW into its folder.")
@click.option("--markdown", "text", type=_FILE, help="Write a Markdown page.")
@click.option("--picture", type=_FILE, help="Let the Markdown page open with this picture.")
@click.option("--training-picture", type=_FILE, help="Show this picture in the Markdown page's section on training.")
@click.option(
    "--readme",
    type=OptionPath(exists=True, dir_okay=False, path_type=Path),
    help="Replace the short table in this Markdown page.",
)
def report(  # noqa: PLR0917 -- click passes them by name
    raw: tuple[Path, ...],
    html: Path | None,
    text: Path | None,
    picture: Path | None,
    training_picture: Path | None,
    readme: Path | None,
) -> None:
    """Make tables from the files of records, RAW.

    Each RAW is a file that `idxhub bench load`, `train` or `device` has written. Without an option, the most important
    figures of `load` are printed, or all tables if there are none of these. The HTML page needs no network; --html
    needs Jinja2. --readme replaces what is between the lines <!-- benchmarks --> and <!-- /benchmarks --> of a page by
    the most important figures of `load`.
    """
    _check(raw, html)
    check_absent([page for page in (html, text) if page is not None], force=True)
    render = None if html is None else _import_page()
    files = {path: records.runs(records.read(path), path.name) for path in raw}
    of = {bench: [run for runs in files.values() for run in runs if run.bench == bench] for bench in records.BENCHES}
    loaded = summary.summarise(of["load"]) if of["load"] else None
    curves = "" if text is None or training_picture is None else f"![{_CURVES}]({_from(text, training_picture)})"
    made = Report("Benchmarks", tuple(_sections(loaded, of, curves)))
    pages: dict[Path, str] = {}
    if readme is not None:
        pages[readme] = _new_readme(readme, loaded)
    if html is not None and render is not None:
        pages[html] = render(made, [path.name for path in raw])
    if text is not None:
        pages[text] = markdown.markdown(made, _lead(files, html, text, picture))
    copies = {} if html is None else _copies(html, raw)
    write_files({path: page.encode() for path, page in pages.items()} | copies)
    if html is text is readme is None:
        click.echo(_printed(made, loaded))


def _check(raw: Sequence[Path], html: Path | None) -> None:
    """Refuse a file that is named twice, and files that would overwrite one another in the folder of the page."""
    if len({path.resolve() for path in raw}) < len(raw):
        raise click.UsageError("a RAW is named twice")
    if html is not None and len({path.name for path in raw} | {html.name}) < len(raw) + 1:
        raise click.UsageError("each RAW is copied to the folder of the page: give them, and the page, different names")


def _sections(
    loaded: summary.Summary | None, of: Mapping[str, Sequence[records.Run]], curves: str
) -> Iterator[Section]:
    if loaded is not None:
        yield from loading.first_section(loaded)
        yield from loading.figures(loaded)
    yield from (replace(section, picture=curves) for section in training.sections(of["train"]))
    yield from device.sections(of["device"])
    if loaded is not None:
        yield from loading.background(loaded)


def _import_page() -> Callable[[Report, Sequence[str]], str]:
    try:
        from idxhub_bench.report.page import page  # noqa: PLC0415 -- needs Jinja2, which the other outputs do not
    except ModuleNotFoundError as error:
        raise click.ClickException(f"--html needs {error.name}, which is not installed: pip install jinja2") from error
    return page


def _copies(html: Path, raw: Sequence[Path]) -> dict[Path, bytes]:
    """The records, which are copied to the folder of the page, because it links to them."""
    return {copy: path.read_bytes() for path in raw if (copy := html.with_name(path.name)).resolve() != path.resolve()}


def _new_readme(readme: Path, loaded: summary.Summary | None) -> str:
    if loaded is None:
        raise click.UsageError("--readme shows figures of `idxhub bench load`: name a file of its records too")
    try:
        old = readme.read_text(encoding="utf-8")
    except ValueError as error:
        raise click.UsageError(f"{readme} is not UTF-8: {error}") from error
    more = textwrap.fill(marked_text("readme").filled(machine=latest.hardware(loaded.runs[-1]["machine"])), 120)
    new = f"{markdown.table(loading.short(loaded))}\n\n{more}"
    return markdown.between(old, "benchmarks", new)


def _printed(made: Report, loaded: summary.Summary | None) -> str:
    """The short table, or all sections if it has no row: without records of `load`, or with those of few rows."""
    short = None if loaded is None else loading.short(loaded)
    return markdown.table(short) if short is not None and short.rows else markdown.sections(made)


def _lead(files: Mapping[Path, Sequence[records.Run]], html: Path | None, text: Path, picture: Path | None) -> str:
    links = listed([f"[`{path.name}`]({_from(text, path)}) of {_programs(runs)}" for path, runs in files.items()])
    how = "To change it, run these again"
    if (text.parent / _GUIDE).is_file():
        how += f", as [Measure]({_GUIDE}) shows"
    lines = [f"This page was written by `idxhub bench report` from the records {links}. {how}."]
    if picture is not None:
        lines.insert(0, f"![Images per second of idxhub and of each framework's usual loader]({_from(text, picture)})")
    if html is not None:
        lines.append(f'<a href="{_from(text, html)}">The same figures as bars, in tables that can be sorted</a>.')
    return "\n\n".join(lines)


def _programs(runs: Sequence[records.Run]) -> str:
    return listed([f"`idxhub bench {bench}`" for bench in dict.fromkeys(run.bench for run in runs)])


def _from(page: Path, target: Path) -> str:
    return quote(Path(os.path.relpath(target.resolve(), page.resolve().parent)).as_posix())
