"""The store of results: a file of JSON lines to which several processes may append at the same time."""

from __future__ import annotations

import json
import os
from collections.abc import Iterable, Iterator
from pathlib import Path
from typing import Any

import click
from filelock import FileLock

from idxhub.cli.output import print_text
from idxhub_board import records
from idxhub_board.records import Key, Record


class Store:
    """The results of a file, which need not exist yet.

    Lines that cannot be read stay in the file; `problems` says which they are. Raises `click.UsageError` if the file
    is something else than a store.
    """

    def __init__(self, path: Path) -> None:
        self.path = path
        if not path.parent.is_dir():
            raise click.UsageError(f"there is no folder {path.parent} for {path.name}: make it first")
        if path.is_dir():
            raise click.UsageError(f"{path} is a folder: name a file")
        self.problems: list[str] = []
        self._records: dict[Key, Record] = {}
        self._position = self._line = 0
        self._lock = FileLock(path.with_name(f".{path.name}.lock"))
        self.refresh()
        if self.problems and not self._records and not any(map(_may_be_ours, self._first_lines())):
            raise click.UsageError(f"{path} is not a file of results: {self.problems[0]}")

    def __len__(self) -> int:
        return len(self._records)

    def __iter__(self) -> Iterator[Record]:
        return iter(list(self._records.values()))

    def get(self, key: Key) -> Record | None:
        """The latest result with this key."""
        return self._records.get(key)

    def refresh(self) -> None:
        """Read what has been appended since the last time, by this process or another."""
        try:
            size = os.path.getsize(self.path)
        except FileNotFoundError:
            size = 0
        if size < self._position:  # somebody replaced the file
            self._records, self.problems, self._position, self._line = {}, [], 0, 0
        if size == self._position:
            return
        with open(self.path, "rb") as file:
            file.seek(self._position)
            data = file.read(size - self._position)
        complete = data[: data.rfind(b"\n") + 1]
        rest = data[len(complete) :]
        self._position += len(complete)
        for line in complete.splitlines():
            self._line += 1
            self._read(line)
        if rest:
            self._note_cut(rest)

    def check_writable(self) -> None:
        """Raise `click.ClickException` if nothing can be appended; the file is made if need be."""
        try:
            with open(self.path, "ab"), self._lock:
                pass
        except OSError as error:
            raise self._cannot_write(error) from error

    def add(self, record: Record, *, again: bool = False) -> bool:
        """Append a result, unless the file has a final one with its key; whether it was appended.

        With `again`, it takes the place of one that is not done. Raises `click.ClickException` if it cannot be written.
        """
        try:
            with self._lock:
                self.refresh()
                known = self._records.get(records.key(record))
                if known is not None and (known["status"] == records.DONE or not (again or known["status"] == "lost")):
                    return False
                self._append(json.dumps(record, separators=(",", ":")).encode() + b"\n")
                self.refresh()
        except OSError as error:
            raise self._cannot_write(error) from error
        return True

    def _append(self, line: bytes) -> None:
        with open(self.path, "a+b", buffering=0) as file:
            if file.tell() and not _ends_with_newline(file):  # a line that was cut off stays a line of its own
                line = b"\n" + line
            if file.write(line) != len(line):
                raise OSError("only a part of a result was written")

    def _cannot_write(self, error: OSError) -> click.ClickException:
        return click.ClickException(f"cannot write {self.path}: {error.strerror or error}")

    def _read(self, line: bytes) -> None:
        if not line.strip():
            return
        cut = f"line {self._line + 1} is cut off"
        if cut in self.problems:  # seen before its end was
            self.problems.remove(cut)
        try:
            record: Any = json.loads(line)
        except (ValueError, RecursionError):
            self.problems.append(f"line {self._line} cannot be read")
            return
        why = records.problem(record)
        if why is not None:
            self.problems.append(f"line {self._line} {why}")
            return
        self._records[records.key(record)] = record

    def _note_cut(self, rest: bytes) -> None:
        cut = f"line {self._line + 1} is cut off"
        if rest.strip() and cut not in self.problems:
            self.problems.append(cut)

    def _first_lines(self) -> list[bytes]:
        with open(self.path, "rb") as file:
            return file.read(1 << 16).splitlines()[:100]


def read_stores(paths: Iterable[Path]) -> list[Record]:
    """The results of several stores; what cannot be read is a warning on standard error."""
    results: list[Record] = []
    for path in paths:
        opened = Store(path)
        for problem in opened.problems:
            print_text(f"Warning: {path}: {problem}", err=True)
        results += opened
    return results


def _may_be_ours(line: bytes) -> bool:
    """Whether a line begins as those of any version do; it may be cut off before the end of that."""
    begin = b'{"format":'
    return line.startswith(begin) or bool(line and begin.startswith(line))


def _ends_with_newline(file: Any) -> bool:
    file.seek(-1, os.SEEK_END)
    return bool(file.read(1) == b"\n")
