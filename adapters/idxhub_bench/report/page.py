"""A report as one HTML page: style and script inside it, nothing asked for over the network."""

from __future__ import annotations

import json
import math
import re
from collections.abc import Iterator, Sequence
from html import escape
from importlib.resources import files

from idxhub_bench.report.model import SHOWN, Bars, Grid, Line, Report, Section, listed, number, ratio, spread


def page(report: Report, raw: Sequence[str]) -> str:
    """The whole file. `raw` are the names of the files with the records, which lie beside it."""
    here = files("idxhub_bench.report")
    style, script = ((here / name).read_text(encoding="utf-8") for name in ("page.css", "page.js"))
    content = "\n".join(_section(section) for section in report.sections)
    bars = any(isinstance(table, Bars) for section in report.sections for table in section.tables)
    records = listed([f'<a href="{escape(name)}">{escape(name)}</a>' for name in raw])
    links = " ".join(f'<a href="#{_id(s.title)}">{escape(s.title)}</a>' for s in report.sections)
    return f"""<!doctype html>
<html lang="en">
<head>
<meta charset="utf-8">
<meta name="viewport" content="width=device-width, initial-scale=1">
<meta name="color-scheme" content="light dark">
<link rel="icon" href="data:,">
<title>idxhub: {escape(report.title.lower())}</title>
<style>
{style}</style>
</head>
<body>
<header>
<h1>{escape(report.title)}</h1>
<p>Fashion-MNIST, read through <b class="ours">idxhub</b> and through its users&rsquo;
usual <b class="theirs">loaders</b>. The raw records are in {records}.</p>
<nav>{links}</nav>
<label class="switch"{"" if bars else " hidden"}><input type="checkbox" id="logarithmic"> logarithmic bars</label>
</header>
<main>
{content}
</main>
<script>
{script}</script>
</body>
</html>
"""


def _section(section: Section) -> str:
    parts = [f'<section id="{_id(section.title)}">', f"<h2>{escape(section.title)}</h2>"]
    if section.text:
        parts.append(f"<p>{_inline(section.text)}</p>")
    bars = [each for each in section.tables if isinstance(each, Bars)]
    if len(bars) > 1:
        parts.append(_choice(bars))
    parts += [_grid(each) if isinstance(each, Grid) else _bars(each) for each in section.tables]
    if section.bullets:
        parts.append("<ul>" + "".join(f"<li>{_inline(bullet)}</li>" for bullet in section.bullets) + "</ul>")
    return "\n".join([*parts, "</section>"])


def _choice(tables: Sequence[Bars]) -> str:
    """Buttons for each setting; the script makes them work, and without it all tables are shown."""
    groups = []
    for axis in range(max(len(table.chosen) for table in tables)):
        words = list(dict.fromkeys(table.chosen[axis] for table in tables))
        buttons = "".join(f'<button type="button" data-word="{escape(word)}">{escape(word)}</button>' for word in words)
        if len(words) > 1:
            groups.append(f'<span class="group" role="group" data-axis="{axis}">{buttons}</span>')
    return f'<div class="choice" hidden>{"".join(groups)}</div>'


def _bars(bars: Bars) -> str:
    spec = [
        ("row", "text", True),
        ("", "", True),  # the bar
        (SHOWN[bars.unit][1].replace(" images", ""), "number", True),  # the caption says of what
        ("quartiles", "number", True),
        ("/ peer", "number", any(line.peers for line in bars.lines)),
        ("/ floor", "number", any(line.floor is not None for line in bars.lines)),
        ("measured over", "text", any(line.note for line in bars.lines)),
    ]
    shown = [i for i, (_, _, wanted) in enumerate(spec) if wanted]
    head = "".join(_heading(spec[i][0], spec[i][1], better=bars.more_is_better and i == 2) for i in shown)
    scale = _Scale(bars.lines)
    body = "\n".join(_line(line, bars.unit, scale, shown) for line in bars.lines)
    better = "more is better" if bars.more_is_better else "less is better"
    caption = f"{escape(bars.caption[:1].upper() + bars.caption[1:])} <small>{better}</small>"
    chosen = escape(json.dumps(bars.chosen))
    return (
        f'<div class="wide"><table class="bars" data-chosen="{chosen}"><caption>{caption}</caption>\n'
        f"<thead><tr>{head}</tr></thead>\n<tbody>\n{body}\n</tbody></table></div>"
    )


def _line(line: Line, unit: str, scale: _Scale, shown: Sequence[int]) -> str:
    peers = "<br>".join(f"{ratio(found)} <small>{escape(peer)}</small>" for peer, found in line.peers)
    cells = [
        f'<th scope="row">{escape(line.name)}</th>',
        f'<td class="bar" aria-hidden="true"><div style="{scale.style(line)}"><i></i><b></b></div></td>',
        _number(line.value, number(line.value, unit), f"{line.repeats} measurements"),
        _number(line.high - line.low, spread(line, unit)),
        _number(line.peers[0][1] if line.peers else None, peers, label="/ peer"),
        _number(line.floor, ratio(line.floor), label="/ floor"),
        f'<td class="note">{escape(line.note)}</td>',
    ]
    return f'<tr class="{"ours" if line.ours else "theirs"}">{"".join(cells[i] for i in shown)}</tr>'


def _number(value: float | None, text: str, title: str = "", label: str = "") -> str:
    said = f' title="{escape(title)}"' if title else ""
    said += f' data-label="{label}"' if label and text else ""  # shown where there are no columns
    return f'<td class="number" data-value="{"" if value is None else repr(value)}"{said}>{text}</td>'


def _heading(text: str, kind: str, *, better: bool = False) -> str:
    if not kind:
        return '<th class="bar"></th>'
    descending = ' data-first="descending"' if better else ""
    return f'<th scope="col" class="{kind}"{descending}><button type="button">{escape(text)}</button></th>'


class _Scale:
    """Places on the bars' axis, in percent: linear from zero, and logarithmic from a bit below the smallest."""

    def __init__(self, lines: Sequence[Line]) -> None:
        self._most = max([line.high for line in lines] + [line.value for line in lines] + [1e-12])
        positive = [value for line in lines for value in (line.low, line.value) if value > 0]
        self._least = min(positive, default=self._most) / 2

    def style(self, line: Line) -> str:
        """As custom properties of CSS."""
        parts = []
        for letter, value in (("v", line.value), ("l", line.low), ("h", line.high)):
            parts += [f"--{letter}:{self._linear(value):.2f}%", f"--{letter}g:{self._logarithmic(value):.2f}%"]
        return ";".join(parts)

    def _linear(self, value: float) -> float:
        return 100 * max(0.0, value) / self._most

    def _logarithmic(self, value: float) -> float:
        if value <= self._least:
            return 0.0
        return 100 * math.log(value / self._least) / math.log(self._most / self._least)


def _grid(grid: Grid) -> str:
    kinds = ["number" if place in grid.numbers else "text" for place in range(len(grid.headings))]
    head = "".join(map(_heading, grid.headings, kinds))
    body = "\n".join(f"<tr>{''.join(_cells(grid, row))}</tr>" for row in grid.rows)
    return (
        f'<div class="wide"><table class="grid"><thead><tr>{head}</tr></thead>\n<tbody>\n{body}\n</tbody></table></div>'
    )


def _cells(grid: Grid, row: Sequence[str]) -> Iterator[str]:
    for place, cell in enumerate(row):
        kind = "good" if cell.startswith(grid.good) else "bad" if cell.startswith((grid.bad, "ERROR")) else ""
        label = f' data-label="{escape(grid.headings[place])}"'
        if place in grid.numbers:
            label += f' class="number"{_sorted_as(cell)}'
        if place == 0:
            yield f'<th scope="row">{_inline(cell)}</th>'
        else:
            text = f'<span class="{kind}">{_inline(cell)}</span>' if kind else _inline(cell)
            yield f"<td{label}>{text}</td>"


def _sorted_as(cell: str) -> str:
    """By the number that it begins with, whatever the unit."""
    found = re.match(r"\d[\d,]*(\.\d+)?(e[-+]\d+)?", cell)
    return f' data-value="{float(found[0].replace(",", ""))!r}"' if found else ""


def _inline(text: str) -> str:
    """Text with what is in backticks as code, and what is between two asterisks as important."""
    coded = re.sub(r"`([^`]+)`", r"<code>\1</code>", escape(text))
    return re.sub(r"\*\*([^*]+)\*\*", r"<strong>\1</strong>", coded)


def _id(title: str) -> str:
    return re.sub(r"[^a-z0-9]+", "-", title.lower()).strip("-")
