"""A report as Markdown, and the part of another page that is made from it."""

from __future__ import annotations

import re
from collections.abc import Iterator

from idxhub import errors
from idxhub_bench.report.model import SHOWN, Bars, Grid, Marked, Report, Section, escaped, number, ratio, spread


def markdown(report: Report, lead: str) -> str:
    """The whole page; `lead` is the text below its title."""
    return f"# {report.title}\n\n{lead}\n\n{sections(report)}\n"


def sections(report: Report) -> str:
    """The sections of the page."""
    return "\n\n".join(part for section in report.sections for part in _section(section))


def between(text: str, marker: str, new: str) -> str:
    """`text` with what is between `<!-- marker -->` and `<!-- /marker -->` replaced.

    Raises `ArgumentError` if it does not have both, once each, in this order.
    """
    first, last = f"<!-- {marker} -->\n", f"<!-- /{marker} -->"
    if text.count(first) != 1 or text.count(last) != 1 or text.index(first) > text.index(last):
        raise errors.ArgumentError("README", marker, f"a page with the lines {first.strip()} and {last}")
    before, _, rest = text.partition(first)
    return before + first + new.strip("\n") + "\n" + last + rest.partition(last)[2]


def table(grid: Grid | Bars) -> str:
    """A table; of bars the numbers."""
    grid = grid if isinstance(grid, Grid) else _numbers(grid)
    return "\n".join(map(_row, [grid.headings, ("---",) * len(grid.headings), *grid.rows]))


def tables(section: Section) -> str:
    """The tables of a section without its method; if it has none, the text that says why."""
    return "\n\n".join(map(table, section.tables)) or section.text


def _section(section: Section) -> Iterator[str]:
    yield f"## {section.title}"
    if section.text:
        yield _line(section.text)
    if section.picture:
        yield section.picture
    for each in section.tables:
        if isinstance(each, Bars):
            yield f"{_line(each.caption[:1].upper() + each.caption[1:])}:"
        yield table(each)
    if section.bullets:
        yield "\n".join(f"- {_line(bullet)}" for bullet in section.bullets)


def _numbers(bars: Bars) -> Grid:
    headings = ["row", SHOWN[bars.unit][1], "quartiles", "/ peer", "/ floor", "measured over"]
    rows = [
        [
            *(line.name, number(line.value, bars.unit), spread(line, bars.unit)),
            *(", ".join(f"{ratio(found)} ({peer})" for peer, found in line.peers), ratio(line.floor), line.note),
        ]
        for line in bars.lines
    ]
    kept = [i for i in range(len(headings)) if i < 3 or any(row[i] for row in rows)]
    return Grid(tuple(headings[i] for i in kept), tuple(tuple(row[i] for i in kept) for row in rows))


def _row(cells: tuple[str, ...]) -> str:
    return "| " + " | ".join(map(escaped, cells)) + " |"


def _line(text: str) -> str:
    """A text at the start of a line, where some characters would begin a list, a heading or a comment."""
    return escaped(text) if isinstance(text, Marked) else re.sub(r"^(\d*)(?=[#+=:%().-])", r"\1\\", escaped(text))
