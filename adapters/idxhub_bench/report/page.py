"""A report as one HTML page, by Jinja2: style and script inside it, nothing asked for over the network."""

from __future__ import annotations

import json
import math
import re
from collections.abc import Iterator, Sequence
from importlib.resources import files
from urllib.parse import quote

import jinja2
from markupsafe import Markup, escape

from idxhub_bench.report.model import SHOWN, Bars, Line, Marked, Report, Section, number, ratio, spread

_HERE = files("idxhub_bench.report")
# a character that `escaped` has escaped, code, what matters
_MARKS = re.compile(r"\\([!-/:-@\[-`{-~])|`([^`]+)`|\*\*(.+?)\*\*")


def page(report: Report, raw: Sequence[str]) -> str:
    """The whole file. `raw` are the names of the files with the records, which are in the same folder."""
    environment = jinja2.Environment(autoescape=True, undefined=jinja2.StrictUndefined, keep_trailing_newline=True)
    filters = (inline, number, ratio, spread, styled, choices, leading_number, anchor, unit_name, file_url)
    environment.filters |= {each.__name__: each for each in filters} | {"json": json.dumps}
    style, script = (Markup(_text(name)) for name in ("page.css", "page.js"))  # noqa: S704 -- files of this package
    bars = any(isinstance(table, Bars) for section in report.sections for table in section.tables)
    template = environment.from_string(_text("page.html"))
    return template.render(report=report, raw=raw, style=style, script=script, any_bars=bars)


def inline(text: str) -> Markup:
    """A text with its marks, if it is `Marked`, as elements of HTML."""
    if not isinstance(text, Marked):
        return escape(text)
    parts, end = [], 0
    for found in _MARKS.finditer(text):
        parts.append(escape(str(text)[end : found.start()]))
        character, code, strong = found.groups()
        if strong:
            parts.append(Markup("<strong>{}</strong>").format(inline(Marked(strong))))
        else:
            parts.append(Markup("<code>{}</code>").format(code) if code else escape(character))
        end = found.end()
    return Markup("").join([*parts, escape(str(text)[end:])])


def styled(bars: Bars) -> Iterator[tuple[Line, str]]:
    """Each line with its places on the axis as custom properties of CSS, in percent.

    The axis is linear from zero, or logarithmic from half of the smallest value.
    """
    values = [value for line in bars.lines for value in (line.low, line.value, line.high)]
    most = max([*values, 1e-12])
    least = min((value for value in values if value > 0), default=most) / 2
    for line in bars.lines:
        parts = []
        for letter, value in (("v", line.value), ("l", line.low), ("h", line.high)):
            logarithmic = math.log(value / least) / math.log(most / least) if value > least else 0.0
            parts.append(f"--{letter}:{100 * max(0.0, value) / most:.2f}%;--{letter}g:{100 * logarithmic:.2f}%")
        yield line, ";".join(parts)


def choices(section: Section) -> list[tuple[int, list[str]]] | None:
    """For each setting in which the section's bars differ, its place and its values; None for a single table."""
    tables = [table for table in section.tables if isinstance(table, Bars)]
    if len(tables) < 2:
        return None
    axes = enumerate(zip(*(table.chosen for table in tables), strict=True))
    found = [(axis, list(dict.fromkeys(words))) for axis, words in axes]
    return [(axis, words) for axis, words in found if len(words) > 1]


def leading_number(cell: str) -> float | None:
    """The number at the beginning of a cell."""
    found = re.match(r"\d[\d,]*(\.\d+)?(e[-+]\d+)?", cell)
    return float(found[0].replace(",", "")) if found else None


def anchor(title: str) -> str:
    """The name by which a link leads to a section."""
    return re.sub(r"[^a-z0-9]+", "-", title.lower()).strip("-")


def unit_name(unit: str) -> str:
    """The name of the unit that is shown, without `images`, which every caption has."""
    return SHOWN[unit][1].replace(" images", "")


def file_url(name: str) -> str:
    """The relative URL of a file in the same folder."""
    return quote(name)


def _text(name: str) -> str:
    return (_HERE / name).read_text(encoding="utf-8")
