"""The parts of a report, from which HTML or Markdown is made."""

from __future__ import annotations

import re
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field
from importlib.resources import files


class Marked(str):
    """Text of this package in which `code` and **what matters** are marked as in Markdown.

    Any other text is shown unchanged, because records hold what a process has printed. `filled` and `joined` escape
    the texts that they insert, unless these are `Marked`.
    """

    __slots__ = ()

    def filled(self, **values: object) -> Marked:
        """As `str.format` does, with escaped values."""
        shown = {name: escaped(value if isinstance(value, str) else str(value)) for name, value in values.items()}
        return Marked(self.format(**shown))

    def joined(self, texts: Iterable[str]) -> Marked:
        """As `str.join` does, with escaped texts."""
        return Marked(self.join(map(escaped, texts)))


def marked_text(name: str) -> Marked:
    """The one paragraph in a file of the folder `texts`."""
    (paragraph,) = marked_paragraphs(name)
    return paragraph


def marked_paragraphs(name: str) -> list[Marked]:
    """The paragraphs in a file of the folder `texts`, which empty lines separate."""
    text = (files("idxhub_bench.report") / "texts" / f"{name}.md").read_text(encoding="utf-8")
    return [Marked(" ".join(paragraph.split())) for paragraph in text.split("\n\n")]


def escaped(text: str) -> str:
    """The text as Markdown that shows it unchanged; `Marked` text is Markdown already."""
    if isinstance(text, Marked):
        return text
    return re.sub(r"[\\`*\[\]<>|&~$]|(?<![^\W_])_|_(?![^\W_])", r"\\\g<0>", text)


def code(name: str) -> Marked:
    """A name as code. Nothing can be escaped in code, so a text that is no name is shown as plain text."""
    return Marked(f"`{name}`" if re.fullmatch(r"[\w.:/-]+", name) else escaped(name))


@dataclass(frozen=True)
class Line:
    """A bar: the median, the quartiles, and the ratios to its peers and to the floor (ours / theirs)."""

    name: str
    ours: bool
    value: float
    low: float
    high: float
    repeats: int
    peers: tuple[tuple[str, float], ...] = ()
    floor: float | None = None
    note: str = ""


@dataclass(frozen=True)
class Bars:
    """Lines of one unit. `chosen` are the settings that a reader of the page can choose among."""

    caption: str
    unit: str
    more_is_better: bool
    lines: tuple[Line, ...]
    chosen: tuple[str, ...] = ()


@dataclass(frozen=True)
class Grid:
    """Cells of text; `numbers` are the columns that are aligned to the right."""

    headings: tuple[str, ...]
    rows: tuple[tuple[str, ...], ...]
    numbers: tuple[int, ...] = ()

    def colour(self, cell: str) -> str:
        """`good` for a goal that was met, `bad` for one that was missed, empty for any other cell."""
        return "good" if cell.startswith("met") else "bad" if cell.startswith(("missed", "ERROR")) else ""


@dataclass(frozen=True)
class Section:
    """A heading, a paragraph, tables, and a list below them. `picture` is Markdown, which only a Markdown page shows.

    Texts may be `Marked`.
    """

    title: str
    text: str = ""
    tables: tuple[Bars | Grid, ...] = ()
    bullets: tuple[str, ...] = ()
    picture: str = ""


@dataclass(frozen=True)
class Report:
    """A page."""

    title: str
    sections: tuple[Section, ...] = field(default=())


# for each unit of the records: the factor to the unit that is shown, and its name
SHOWN = {"s": (1e3, "ms"), "B": (1e-6, "MB"), "images/s": (1e-3, "thousand images/s")}


def number(value: float, unit: str) -> str:
    """The value in the unit that is shown."""
    return digits(value * SHOWN[unit][0])


def amount(value: float, unit: str) -> str:
    """The same with the name of the unit."""
    return f"{number(value, unit)} {SHOWN[unit][1]}"


def spread(line: Line, unit: str) -> str:
    """The quartiles; a single measurement has none."""
    if line.repeats == 1:
        return "measured once"
    return f"{number(line.low, unit)}–{number(line.high, unit)}"  # noqa: RUF001 -- an en dash between numbers


def ratio(value: float | None) -> str:
    """A ratio; empty if there is none."""
    return "" if value is None else digits(value)


def digits(value: float) -> str:
    """Three significant digits, or a whole number."""
    return f"{value:,.0f}" if abs(value) >= 100 else f"{value:.3g}"


def listed(words: Sequence[str]) -> str:
    """Words as in `one, two and three`."""
    return " and ".join(filter(None, (", ".join(words[:-1]), *words[-1:])))
