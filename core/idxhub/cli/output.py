"""What the subcommands share: JSON, tables, sizes, text fit for a terminal, and options that many take."""

from __future__ import annotations

import itertools
import json
import re
import shutil
import sys
import textwrap
from collections.abc import Iterable, Sequence
from pathlib import Path
from typing import IO, Any

import click

json_option = click.option("--json", "as_json", is_flag=True, help="Print JSON, for scripts.")
FOLDER = click.Path(exists=True, file_okay=False, path_type=Path)
data_dir_option = click.option("--data-dir", type=FOLDER, help="A folder to look in first.")


def print_json(data: Any) -> None:
    """One JSON document on standard output, in ASCII: whatever the locale, and whatever bytes are in a path."""
    click.echo(json.dumps(data, indent=2))


def plain(text: object) -> str:
    """A line as it can be shown anywhere: file names may hold whatever they like, orders to the terminal too."""
    return "".join(c if c.isprintable() else "\N{REPLACEMENT CHARACTER}" for c in str(text))


def plain_lines(text: object) -> str:
    """The same of several lines."""
    return "\n".join(map(plain, str(text).split("\n")))


_OPTIONS = (
    (re.compile(r"(?<=\()data_dir=(?=\))"), "--data-dir"),
    (re.compile(r"^data_dir=(?=')"), "--data-dir "),
    (re.compile(r"(?<=: not tried: )download=False$", re.MULTILINE), "--offline"),
    (re.compile(r" \(or cache_dir=\)"), ""),
)


def format_error(error: BaseException) -> str:
    """The message of an error for the command line: arguments of Python's functions become options of the command.

    Only whole phrases of idxhub's own messages are changed, so that a path or a URL stays as it is.
    """
    text = str(error)
    for pattern, option in _OPTIONS:
        text = pattern.sub(option, text)
    return plain_lines(text)


def say(text: object, **style: Any) -> None:
    """Print lines with something in them that is not ours; `style` is click's."""
    click.secho(plain_lines(text), **style)


def print_table(headings: Sequence[str], rows: Iterable[Sequence[object]]) -> None:
    """Columns as wide as their widest line; a cell may have several lines.

    On a terminal that is too narrow for this, cells are wrapped between words. If that is not enough, each row becomes
    a block of lines. Nothing is cut off, and what goes into a pipe or a file is not wrapped.
    """
    cells = [[plain_lines(cell).split("\n") for cell in row] for row in (headings, *rows)]
    natural = [max(len(line) for cell in column for line in cell) for column in zip(*cells, strict=True)]
    widths = natural
    if is_terminal(sys.stdout):
        columns = shutil.get_terminal_size().columns
        least = [max(_longest_word(cell) for cell in column) for column in zip(*cells, strict=True)]
        if sum(least) + 2 * (len(least) - 1) > columns:
            _print_blocks(cells, columns)
            return
        while sum(widths) + 2 * (len(widths) - 1) > columns:
            widest = max((i for i, width in enumerate(widths) if width > least[i]), key=widths.__getitem__)
            widths = [width - (i == widest) for i, width in enumerate(widths)]
        cells = [[_wrapped(cell, width) for cell, width in zip(row, widths, strict=True)] for row in cells]
    for i, row in enumerate(cells):
        for lines in itertools.zip_longest(*row, fillvalue=""):
            line = "  ".join(part.ljust(width) for part, width in zip(lines, widths, strict=True)).rstrip()
            click.secho(line, bold=i == 0)


def is_terminal(stream: IO[str] | None) -> bool:
    """Whether a standard stream is a terminal; a stream that is missing or closed is not."""
    return stream is not None and not stream.closed and stream.isatty()


# stands for a space of several in a row, as paths may have: no line ends there. It is not printable, so that it is in
# no text that `plain` returns
_KEPT_SPACE = "\ue000"


def _keep_runs(line: str) -> str:
    return re.sub(" {2,}", lambda run: _KEPT_SPACE * len(run[0]), line)


def _longest_word(cell: list[str]) -> int:
    return max((len(word) for line in cell for word in _keep_runs(line).split(" ")), default=0)


def _wrapped(cell: list[str], width: int) -> list[str]:
    wrap = textwrap.TextWrapper(max(width, 1), break_long_words=False, break_on_hyphens=False).wrap
    lines = (wrap(_keep_runs(line)) if len(line) > width else [line] for line in cell)
    return [part.replace(_KEPT_SPACE, " ") for parts in lines for part in parts]


def _print_blocks(cells: list[list[list[str]]], columns: int) -> None:
    """Each row as a block of lines: the first cell in bold, the others below it, each after its heading."""
    headings, *rows = cells
    wrapper = textwrap.TextWrapper(
        columns, subsequent_indent="    ", break_long_words=False, break_on_hyphens=False, drop_whitespace=True
    )
    for row in rows:
        for i, (heading, cell) in enumerate(zip(headings, row, strict=True)):
            text = f"{' '.join(heading)}: {_keep_runs(' '.join(cell))}"
            wrapper.initial_indent = "  " * (i > 0)
            for line in wrapper.wrap(text):
                click.secho(line.replace(_KEPT_SPACE, " "), bold=i == 0)


def size(count: int | None) -> str:
    """Bytes for people: powers of 1000, as disk and network figures are."""
    if count is None:
        return "?"
    value = float(count)
    for unit in ("B", "kB", "MB", "GB"):
        if value < 1000 or unit == "GB":
            break
        value /= 1000
    return f"{value:.0f} {unit}" if unit == "B" else f"{value:.1f} {unit}"
