"""Functions that print the output of the subcommands: JSON, tables, sizes, errors, and other text."""

from __future__ import annotations

import itertools
import json
import os
import re
import shutil
import sys
import unicodedata
from collections.abc import Iterable, Sequence
from typing import IO, Any, TextIO

import click

from idxhub.errors import ChecksumError, DownloadError, UnknownNameError


def is_json_requested(arguments: Sequence[str]) -> bool:
    """Whether `--json` is among the arguments of the command. After `--`, it is a name like any other."""
    return "--json" in itertools.takewhile("--".__ne__, arguments)


def is_help_requested(arguments: Sequence[str]) -> bool:
    """Whether the help or the version is to be printed, which is text even with `--json`."""
    return not {"-h", "--help", "--version"}.isdisjoint(itertools.takewhile("--".__ne__, arguments))


def provide_stderr() -> None:
    """Where the process was started without standard error, open one that discards what is written to it.

    Some frameworks cannot be imported while `sys.stderr` is None. And while descriptor 2 is closed, the next file that
    is opened gets that number, so that the messages of a C library are written into it.
    """
    if sys.stderr is None:
        options: dict[str, Any] = {"encoding": "utf-8", "errors": "backslashreplace", "closefd": False}
        sys.stderr = open(_stderr_descriptor(), "w", buffering=1, **options)  # noqa: SIM115 -- until the end


class _Reserved:
    """The stream for the JSON; None if standard output is not reserved."""

    stream: TextIO | None = None


def reserve_stdout() -> None:
    """Reserve standard output for `print_json`, until the process ends.

    Descriptor 1 becomes a duplicate of standard error, and `sys.stdout` a new stream to it. So what a plugin prints,
    and the output of its C library or child process, which use descriptor 1, do not get into the JSON. If `sys.stdout`
    is not descriptor 1 (because it is closed, or a test has replaced it), nothing changes.
    """
    stream = _move_stdout()
    if stream is not None:
        _Reserved.stream = stream
        # not `sys.stderr` itself, which may be missing, and which a plugin must not close with `sys.stdout`
        options: dict[str, Any] = {"encoding": stream.encoding, "errors": stream.errors, "closefd": False}
        sys.stdout = open(1, "w", buffering=1, **options)  # noqa: SIM115 -- until the end


def reserve_stdout_for_completion() -> None:
    """As `reserve_stdout`, but `sys.stdout` is the reserved stream, to which click prints what it offers to a shell."""
    sys.stdout = _move_stdout() or sys.stdout


def _move_stdout() -> TextIO | None:
    """Make descriptor 1 a duplicate of standard error; return a stream to what it was, or None if that is closed."""
    stdout = sys.stdout
    try:
        if stdout is None or stdout.fileno() != 1:
            return None
        stderr = _stderr_descriptor()
        reserved = _duplicate_above_stderr(1)
    except (OSError, ValueError):  # `io.UnsupportedOperation` is both
        return None
    os.dup2(stderr, 1)
    # a child process that is started from now on inherits descriptor 1, but not `reserved`
    return open(reserved, "w", encoding=stdout.encoding, errors=stdout.errors)


def _stderr_descriptor() -> int:
    """The descriptor of standard error; if it is closed, descriptor 2, which now discards what is written."""
    try:
        return sys.stderr.fileno()
    except (AttributeError, OSError, ValueError):  # sys.stderr is None if the process was started without it
        discarding = os.open(os.devnull, os.O_WRONLY)
    if discarding != 2 and _is_open(2):  # a file was opened there before
        return discarding
    os.dup2(discarding, 2)
    os.set_inheritable(2, True)
    if discarding != 2:
        os.close(discarding)
    return 2


def _is_open(descriptor: int) -> bool:
    try:
        os.fstat(descriptor)
    except OSError:
        return False
    return True


def _duplicate_above_stderr(descriptor: int) -> int:
    """Duplicate a descriptor. The result is none of 0, 1 and 2, even if one of these is closed."""
    duplicates = [os.dup(descriptor)]
    while duplicates[-1] <= 2:
        duplicates.append(os.dup(descriptor))
    for each in duplicates[:-1]:
        os.close(each)
    return duplicates[-1]


def print_json(data: Any) -> None:
    """Print `data` as one JSON document on standard output. It is ASCII, whatever the locale is."""
    click.echo(json.dumps(data, indent=2), file=_Reserved.stream)


def printable_line(text: object) -> str:
    """Return a text as one line that any terminal can show: characters that are not printable are replaced.

    A file name may contain control characters, and a terminal would execute them.
    """
    return "".join(c if c.isprintable() else "\N{REPLACEMENT CHARACTER}" for c in str(text))


def printable_lines(text: object) -> str:
    """Return a text of several lines, and apply `printable_line` to each of them."""
    return "\n".join(map(printable_line, str(text).split("\n")))


_OPTIONS = (
    (re.compile(r"(?<=\()data_dir=(?=\))"), "--data-dir"),
    (re.compile(r"^data_dir=(?=')"), "--data-dir "),
    (re.compile(r"(?<=: not tried: )download=False$", re.MULTILINE), "--offline"),
    (re.compile(r" \(or cache_dir=\)"), ""),
    (re.compile(r"(?<=; name another path, or replace it with )force=True$"), "--force"),
)


def format_error(error: BaseException) -> str:
    """Return the message of an error for the command line; see `format_message`."""
    return format_message(str(error))


def format_message(text: str) -> str:
    """Return a message of idxhub for the command line: arguments of Python functions become options of the command.

    Only whole phrases of idxhub's own messages are replaced, so that a path or a URL does not change.
    """
    for pattern, option in _OPTIONS:
        text = pattern.sub(option, text)
    return printable_lines(text)


def install_command(message: str) -> str | None:
    """Return the install command at the end of a `MissingFrameworkError`'s message; None if there is none."""
    before, _, packages = message.rpartition(": pip install ")
    return f"pip install {packages}" if before else None


def error_as_json(error: BaseException) -> dict[str, Any]:
    """Return an error as the data that docs/reference/json.md describes: its type, its message, and further fields."""
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
    """Print lines, wrapped on a terminal. Unprintable characters are replaced. `style` is passed to click."""
    _print_styled(fit_to_terminal(printable_lines(text), sys.stderr if err else sys.stdout), err=err, **style)


def _print_styled(text: str, *, err: bool = False, **style: Any) -> None:
    """Print a text. Without any style it has no escape sequences; click would put a reset at its end."""
    if any(style.values()):
        click.secho(text, err=err, **style)
    else:
        click.echo(text, err=err)


def print_table(headings: Sequence[str], rows: Iterable[Sequence[object]]) -> None:
    """Print a table. Each column is as wide as its widest line; a cell may have several lines.

    If a terminal is too narrow for the table, cells are wrapped between words. If that is not enough, each row is
    printed as a block of lines. No text is cut off. Output to a pipe or a file is not wrapped.
    """
    cells = [[printable_lines(cell).split("\n") for cell in row] for row in (headings, *rows)]
    line_widths = [max(_width(line) for cell in column for line in cell) for column in zip(*cells, strict=True)]
    widths = line_widths
    if is_terminal(sys.stdout):
        columns = shutil.get_terminal_size().columns
        word_widths = [max(_widest_word(cell) for cell in column) for column in zip(*cells, strict=True)]
        if sum(word_widths) + 2 * (len(word_widths) - 1) > columns:
            _print_blocks(cells, columns)
            return
        while sum(widths) + 2 * (len(widths) - 1) > columns:
            widest = max((i for i, width in enumerate(widths) if width > word_widths[i]), key=widths.__getitem__)
            widths = [width - (i == widest) for i, width in enumerate(widths)]
        cells = [
            [[part for line in cell for part in _wrap(line, width)] for cell, width in zip(row, widths, strict=True)]
            for row in cells
        ]
    for i, row in enumerate(cells):
        for lines in itertools.zip_longest(*row, fillvalue=""):
            padded = (part + " " * (width - _width(part)) for part, width in zip(lines, widths, strict=True))
            _print_styled("  ".join(padded).rstrip(), bold=i == 0)


def is_terminal(stream: IO[str] | None) -> bool:
    """Return whether a standard stream is a terminal; a stream that is missing or closed is not."""
    return stream is not None and not stream.closed and stream.isatty()


def fit_to_terminal(text: str, stream: IO[str] | None) -> str:
    """Wrap lines between words if `stream` is a terminal. The rest of a wrapped line is indented."""
    if not is_terminal(stream):
        return text
    columns = shutil.get_terminal_size().columns
    return "\n".join(
        part for line in text.split("\n") for part in _wrap(line, columns, indent=_indent_rest(line, columns // 2))
    )


_SINGLE_SPACE = re.compile(r"(?<=\S) (?=\S)")  # lines are broken there; several spaces in a row, as in a path, are kept
_COLUMN = re.compile(r"(?<=\S)  +(?=\S)")  # the end of a match is the start of a column


def _wrap(line: str, width: int, indent: str = "") -> list[str]:
    """Split a line into parts of at most `width` columns; only a longer word makes a part wider.

    Each part except the first one begins with `indent`.
    """
    first, *words = _SINGLE_SPACE.split(line)
    parts = [first]
    for word in words:
        longer = f"{parts[-1]} {word}"
        if _width(longer) <= width:
            parts[-1] = longer
        else:
            parts.append(indent + word)
    return parts


def _indent_rest(line: str, longest: int) -> str:
    """Return the spaces before the rest of a wrapped line.

    The rest begins below the last column of the line, as the value in "licence   MIT", if at most `longest` columns
    are before it. Otherwise it is indented by two spaces more than the line.
    """
    columns = [indent for each in _COLUMN.finditer(line) if (indent := _width(line[: each.end()])) <= longest]
    return " " * max(columns, default=len(line) - len(line.lstrip(" ")) + 2)


def _width(text: str) -> int:
    """Return the width of a text in columns: Chinese, Japanese and Korean characters take two, combining ones none."""
    if text.isascii():
        return len(text)
    wide = sum(unicodedata.east_asian_width(character) in "WF" for character in text)
    return len(text) + wide - sum(unicodedata.combining(character) != 0 for character in text)


def _widest_word(cell: list[str]) -> int:
    return max((_width(word) for line in cell for word in _SINGLE_SPACE.split(line)), default=0)


def _print_blocks(cells: list[list[list[str]]], columns: int) -> None:
    """Print each row as a block of lines: the first cell in bold, and the others below it, each after its heading."""
    headings, *rows = cells
    for row in rows:
        for i, (heading, cell) in enumerate(zip(headings, row, strict=True)):
            name = " ".join(heading)
            text = f"{'  ' * (i > 0)}{name}{': ' * bool(name)}{' '.join(cell)}"
            for line in _wrap(text, columns, indent="    "):
                _print_styled(line, bold=i == 0)


def format_size(count: int | None) -> str:
    """Return a number of bytes with its unit: B, kB, MB or GB, in powers of 1000, as for disks and downloads."""
    if count is None:
        return "?"
    value = float(count)
    for unit in ("B", "kB", "MB", "GB"):
        if value < 1000 or unit == "GB":
            break
        value /= 1000
    return f"{value:.0f} {unit}" if unit == "B" else f"{value:.1f} {unit}"
