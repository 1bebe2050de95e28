"""What the subcommands print: JSON, tables, sizes, errors, and text that is fit for a terminal."""

from __future__ import annotations

import itertools
import json
import os
import re
import shutil
import sys
import unicodedata
from collections.abc import Iterable, Sequence
from typing import IO, Any

import click

from idxhub.errors import ChecksumError, DownloadError, UnknownNameError


def is_json_requested(arguments: Sequence[str]) -> bool:
    """Whether `--json` is among the arguments of the command. After `--`, it is a name like any other."""
    return "--json" in itertools.takewhile("--".__ne__, arguments)


def reserve_stdout() -> None:
    """Reserve standard output for the command itself, until the process ends.

    `sys.stdout` gets a duplicate of descriptor 1, and descriptor 1 becomes a duplicate of standard error. So the output
    of a plugin's C library or child process, which use descriptor 1, does not get into the JSON. If `sys.stdout` is not
    descriptor 1 (because it is closed, or a test has replaced it), nothing changes.
    """
    stdout = sys.stdout
    try:
        if stdout is None or stdout.fileno() != 1:
            return
        reserved = os.dup(1)
    except (OSError, ValueError):  # `io.UnsupportedOperation` is both
        return
    os.dup2(_stderr_descriptor(), 1)
    # a child process that is started from now on inherits descriptor 1, but not `reserved`
    sys.stdout = open(reserved, "w", encoding=stdout.encoding, errors=stdout.errors)  # noqa: SIM115 -- until the end


def _stderr_descriptor() -> int:
    """The descriptor of standard error; if there is none, one that discards what is written."""
    try:
        return sys.stderr.fileno()
    except (AttributeError, OSError, ValueError):  # sys.stderr is None if the process was started without it
        return os.open(os.devnull, os.O_WRONLY)


def print_json(data: Any) -> None:
    """Print one JSON document on standard output, in ASCII, so that it does not depend on the locale or on a path."""
    click.echo(json.dumps(data, indent=2))


def printable_line(text: object) -> str:
    """A text as one line that any terminal can show: characters that are not printable are replaced.

    A file name may contain control characters, which a terminal would obey.
    """
    return "".join(c if c.isprintable() else "\N{REPLACEMENT CHARACTER}" for c in str(text))


def printable_lines(text: object) -> str:
    """Several lines, each as `printable_line` gives it."""
    return "\n".join(map(printable_line, str(text).split("\n")))


_OPTIONS = (
    (re.compile(r"(?<=\()data_dir=(?=\))"), "--data-dir"),
    (re.compile(r"^data_dir=(?=')"), "--data-dir "),
    (re.compile(r"(?<=: not tried: )download=False$", re.MULTILINE), "--offline"),
    (re.compile(r" \(or cache_dir=\)"), ""),
    (re.compile(r"(?<=; name another path, or replace it with )force=True$"), "--force"),
)


def format_error(error: BaseException) -> str:
    """The message of an error for the command line: see `format_message`."""
    return format_message(str(error))


def format_message(text: str) -> str:
    """A message of idxhub's for the command line: arguments of Python's functions become options of the command.

    Only whole phrases of idxhub's own messages are changed, so that a path or a URL stays as it is.
    """
    for pattern, option in _OPTIONS:
        text = pattern.sub(option, text)
    return printable_lines(text)


def install_command(message: str) -> str | None:
    """The command with which the message of a `MissingFrameworkError` ends; None if it ends with none."""
    before, _, packages = message.rpartition(": pip install ")
    return f"pip install {packages}" if before else None


def error_as_json(error: BaseException) -> dict[str, Any]:
    """An error as docs/reference/json.md describes it: its type and message, and what else a script can use."""
    if isinstance(error, click.ClickException):
        return {"type": type(error).__name__, "message": printable_lines(error.format_message())}
    data: dict[str, Any] = {"type": type(error).__name__, "message": format_error(error)}
    if isinstance(error, DownloadError | ChecksumError):
        data["message"] = format_message(error.message)
        data["failures"] = [{"where": each.where, "why": format_message(each.why)} for each in error.failures]
    if isinstance(error, UnknownNameError):
        data |= {"name": str(error.name), "choices": list(error.choices)}
    return data


def print_text(text: object, *, err: bool = False, **style: Any) -> None:
    """Print lines that may hold text from elsewhere; on a terminal they are wrapped. `style` is click's."""
    click.secho(fit_to_terminal(printable_lines(text), sys.stderr if err else sys.stdout), err=err, **style)


def print_table(headings: Sequence[str], rows: Iterable[Sequence[object]]) -> None:
    """Columns as wide as their widest line; a cell may have several lines.

    On a terminal that is too narrow for this, cells are wrapped between words. If that is not enough, each row becomes
    a block of lines. Nothing is cut off, and what goes into a pipe or a file is not wrapped.
    """
    cells = [[printable_lines(cell).split("\n") for cell in row] for row in (headings, *rows)]
    natural = [max(_width(line) for cell in column for line in cell) for column in zip(*cells, strict=True)]
    widths = natural
    if is_terminal(sys.stdout):
        columns = shutil.get_terminal_size().columns
        least = [max(_widest_word(cell) for cell in column) for column in zip(*cells, strict=True)]
        if sum(least) + 2 * (len(least) - 1) > columns:
            _print_blocks(cells, columns)
            return
        while sum(widths) + 2 * (len(widths) - 1) > columns:
            widest = max((i for i, width in enumerate(widths) if width > least[i]), key=widths.__getitem__)
            widths = [width - (i == widest) for i, width in enumerate(widths)]
        cells = [
            [[part for line in cell for part in _wrap(line, width)] for cell, width in zip(row, widths, strict=True)]
            for row in cells
        ]
    for i, row in enumerate(cells):
        for lines in itertools.zip_longest(*row, fillvalue=""):
            padded = (part + " " * (width - _width(part)) for part, width in zip(lines, widths, strict=True))
            click.secho("  ".join(padded).rstrip(), bold=i == 0)


def is_terminal(stream: IO[str] | None) -> bool:
    """Whether a standard stream is a terminal; a stream that is missing or closed is not."""
    return stream is not None and not stream.closed and stream.isatty()


def fit_to_terminal(text: str, stream: IO[str] | None) -> str:
    """Lines wrapped between words if `stream` is a terminal; what continues a line is indented by two more spaces."""
    if not is_terminal(stream):
        return text
    columns = shutil.get_terminal_size().columns
    return "\n".join(part for line in text.split("\n") for part in _wrap(line, columns, indent=_indent(line) + "  "))


_SINGLE_SPACE = re.compile(r"(?<=\S) (?=\S)")  # lines are broken there; several spaces in a row, as in a path, are kept


def _wrap(line: str, width: int, indent: str = "") -> list[str]:
    """A line in parts that are at most `width` columns wide, if no word is wider; `indent` begins all but the first."""
    first, *words = _SINGLE_SPACE.split(line)
    parts = [first]
    for word in words:
        longer = f"{parts[-1]} {word}"
        if _width(longer) <= width:
            parts[-1] = longer
        else:
            parts.append(indent + word)
    return parts


def _indent(line: str) -> str:
    return line[: len(line) - len(line.lstrip(" "))]


def _width(text: str) -> int:
    """The columns that a text takes: Chinese, Japanese and Korean characters take two, combining ones none."""
    if text.isascii():
        return len(text)
    wide = sum(unicodedata.east_asian_width(character) in "WF" for character in text)
    return len(text) + wide - sum(unicodedata.combining(character) != 0 for character in text)


def _widest_word(cell: list[str]) -> int:
    return max((_width(word) for line in cell for word in _SINGLE_SPACE.split(line)), default=0)


def _print_blocks(cells: list[list[list[str]]], columns: int) -> None:
    """Each row as a block of lines: the first cell in bold, the others below it, each after its heading."""
    headings, *rows = cells
    for row in rows:
        for i, (heading, cell) in enumerate(zip(headings, row, strict=True)):
            name = " ".join(heading)
            text = f"{'  ' * (i > 0)}{name}{': ' * bool(name)}{' '.join(cell)}"
            for line in _wrap(text, columns, indent="    "):
                click.secho(line, bold=i == 0)


def format_size(count: int | None) -> str:
    """A number of bytes with a unit, in powers of 1000, as the sizes of disks and downloads are given."""
    if count is None:
        return "?"
    value = float(count)
    for unit in ("B", "kB", "MB", "GB"):
        if value < 1000 or unit == "GB":
            break
        value /= 1000
    return f"{value:.0f} {unit}" if unit == "B" else f"{value:.1f} {unit}"
