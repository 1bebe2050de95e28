"""Predictions of a model, from an array or a file: one class for each example, or a score for each class."""

from __future__ import annotations

import csv
import os
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import ArrayLike, NDArray

from idxhub import errors

_FILES = (".csv", ".npy")


@dataclass(frozen=True, eq=False)
class Predictions:
    """`labels` is (N,); `scores` is (N, C), larger for what is more likely, or None if there were only labels."""

    labels: NDArray[np.int64]
    scores: NDArray[np.float64] | None
    source: str


def read_predictions(given: str | os.PathLike[str] | ArrayLike, class_names: Sequence[str], count: int) -> Predictions:
    """The predictions for `count` examples.

    `given` is an array, a .npy file with one, or a .csv file. An array is integer (N,), a class for each example, or
    (N, C), a score for each class. A .csv file has the same in one column or in C, with or without a line of headings;
    a class may be its number or its name, and columns that are headed by the names of all classes may be in any order.
    Raises `ArgumentError` that says what is wrong and where, and `OSError` if the file cannot be read.
    """
    source = "an array"
    if isinstance(given, (str, os.PathLike)):
        path = Path(given)
        source = path.name
        given = _read_file(path, class_names)
    array = np.asarray(given)
    wanted = f"({count},) or ({count}, {len(class_names)})"
    if array.ndim == 2 and array.shape[1] == 1:
        array = array[:, 0]
    if array.shape not in ((count,), (count, len(class_names))):
        what = f"{wanted}: a class, or a score for each class, for each example"
        raise errors.ArgumentError(f"shape of {source}", array.shape, what)
    if array.dtype.kind not in "iuf":
        raise errors.ArgumentError(f"dtype of {source}", array.dtype.name, "one of integers or floats")
    if not np.isfinite(array).all():
        row = int(np.flatnonzero(~np.isfinite(array).reshape(count, -1).all(axis=1))[0])
        raise errors.ArgumentError(f"row {row} of {source}, counted from 0,", array[row].tolist(), "finite numbers")
    if array.ndim == 2:
        scores = array.astype(np.float64)
        return Predictions(scores.argmax(axis=1), scores, source)
    wrong = np.flatnonzero((array < 0) | (array >= len(class_names)) | (array != np.floor(array)))
    if len(wrong):
        what = f"row {wrong[0]} of {source}, counted from 0,"
        value = array[wrong[0]].item()
        shown = int(value) if value == int(value) else value
        raise errors.ArgumentError(what, shown, f"a class: an integer from 0 to {len(class_names) - 1}")
    return Predictions(array.astype(np.int64), None, source)


def _read_file(path: Path, class_names: Sequence[str]) -> NDArray[Any]:
    ending = path.suffix.lower()
    if ending not in _FILES:
        raise errors.UnknownNameError("predictions file ending", path.suffix, _FILES)
    if ending == ".csv":
        return _read_csv(path, class_names)
    try:
        loaded: NDArray[Any] = np.load(path, allow_pickle=False)
    except (ValueError, EOFError) as error:
        raise errors.ArgumentError("file of predictions", path.name, f"a .npy file of numbers ({error})") from error
    return loaded


def _read_csv(path: Path, class_names: Sequence[str]) -> NDArray[Any]:
    """One column or several, as numbers; lines without anything are left out."""
    try:
        with path.open(encoding="utf-8-sig", newline="") as file:
            reader = csv.reader(file)
            rows = [(reader.line_num, row) for row in reader if any(cell.strip() for cell in row)]
    except (UnicodeDecodeError, csv.Error) as error:
        raise errors.ArgumentError("file of predictions", path.name, f"a .csv file in UTF-8 ({error})") from error
    columns = len(rows[0][1]) if rows else 0
    if columns not in (1, len(class_names)):
        what = f"1, of classes, or {len(class_names)}, of the scores of each class (and no column of indices)"
        raise errors.ArgumentError(f"number of columns of {path.name}", columns, what)
    numbers = {name: float(i) for i, name in enumerate(class_names)} if columns == 1 else {}
    order = list(range(columns))
    if _is_heading(rows[0][1], class_names, numbers):
        _, heading = rows.pop(0)
        if sorted(heading) == sorted(class_names):
            order = [heading.index(name) for name in class_names]
    values = np.empty((len(rows), columns))
    for i, (line, row) in enumerate(rows):
        if len(row) != columns:
            raise errors.ArgumentError(f"number of columns in line {line} of {path.name}", len(row), str(columns))
        try:
            values[i] = [numbers[cell] if cell in numbers else float(cell) for cell in row]
        except ValueError:
            what = f"a class: its name, or its number from 0 to {len(class_names) - 1}" if columns == 1 else "numbers"
            raise errors.ArgumentError(f"line {line} of {path.name}", ",".join(row), what) from None
    return values[:, order]


def _is_heading(row: Sequence[str], class_names: Sequence[str], numbers: dict[str, float]) -> bool:
    """Whether the first line of a file names the columns. pandas names them by their numbers if nothing else does."""
    if len(row) > 1 and (sorted(row) == sorted(class_names) or row == list(map(str, range(len(row))))):
        return True
    try:
        [numbers[cell] if cell in numbers else float(cell) for cell in row]
    except ValueError:
        return True
    return False
