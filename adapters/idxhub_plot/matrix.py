"""A table of counts as a picture: rows and columns are classes, and a darker cell has a larger share of its row."""

from __future__ import annotations

from collections.abc import Sequence
from math import cos, radians, sin
from typing import Any

import numpy as np
from matplotlib.colors import PowerNorm
from numpy.typing import NDArray

from idxhub_plot.style import GREY, INK, LINE, Picture, widest

_WITH_NUMBERS = 20  # classes at most
_WITH_NAMES = 100
_LONGEST_NAME = 1.7  # inches; a longer one is made smaller
_DARK = 0.45  # of the colours' range: numbers are white above it


def room_beside(names: Sequence[str], side: float) -> float:
    """The inches that the names of rows take, left of a matrix."""
    return 0.0 if len(names) > _WITH_NAMES else widest(names, _LONGEST_NAME, fontsize=_size(names, side)) + 0.1


def room_below(names: Sequence[str], side: float) -> float:
    """The inches that the names of columns take, below a matrix."""
    if len(names) > _WITH_NAMES:
        return 0.0
    long, high = widest(names, _LONGEST_NAME, fontsize=_size(names, side)), _size(names, side) / 72
    angle = radians(_slope(names, side))
    return long * sin(angle) + high * cos(angle) + 0.15


def _size(names: Sequence[str], side: float) -> float:
    """The size of the font in points."""
    return min(9.0, 0.8 * 72 * side / max(len(names), 1))


def _slope(names: Sequence[str], side: float) -> float:
    """The slope of the names of columns, in degrees: names that are close to one another are upright."""
    return 45 if side / max(len(names), 1) > 0.2 else 90


def draw_matrix(
    picture: Picture,
    corner: tuple[float, float],
    side: float,
    counts: NDArray[np.int64],
    *,
    names: tuple[Sequence[str], Sequence[str]],
    axes_names: tuple[str, str],
) -> Any:
    """Draw counts, (rows, columns), in a square; `corner` is its upper left one, in inches. The axes are returned."""
    left, top = corner
    axes = picture.add_box(left, top, side, side)
    shares = counts / np.maximum(counts.sum(axis=1, keepdims=True), 1)
    norm = PowerNorm(0.5, 0, 1)  # a small share can be seen beside a large one
    axes.imshow(shares, cmap="Blues", norm=norm, aspect="auto", interpolation="nearest")
    axes.set(xticks=[], yticks=[])
    axes.spines[:].set_color(LINE)
    rows, columns = counts.shape
    _write_names(picture, corner, side, names)
    if max(rows, columns) <= _WITH_NUMBERS:
        size = min(8.5, 0.36 * 72 * side / columns)
        for row, column in np.argwhere(counts):
            colour = "white" if norm(shares[row, column]) > _DARK else INK
            number = f"{counts[row, column]:,}"
            axes.text(column, row, number, ha="center", va="center", fontsize=size, color=colour)
    for text, x, align in ((axes_names[0], left, "left"), (axes_names[1], left + side, "right")):
        picture.write(x, top - 0.1, text, ha=align, va="bottom", fontsize=8.5, color=GREY, fit=side / 2 - 0.1)
    return axes


def _write_names(
    picture: Picture, corner: tuple[float, float], side: float, names: tuple[Sequence[str], Sequence[str]]
) -> None:
    left, top = corner
    rows, columns = (each if len(each) <= _WITH_NAMES else () for each in names)
    options: dict[str, Any] = {"fit": _LONGEST_NAME, "ha": "right", "rotation_mode": "anchor"}
    for i, name in enumerate(rows):
        y = top + (i + 0.5) * side / len(rows)
        picture.write(left - 0.1, y, name, va="center_baseline", fontsize=_size(rows, side), **options)
    slope = _slope(columns, side)
    for i, name in enumerate(columns):
        x = left + (i + 0.5) * side / len(columns)
        where, align = ((x + 0.06, top + side + 0.08), "top") if slope == 45 else ((x, top + side + 0.08), "center")
        picture.write(*where, name, va=align, fontsize=_size(columns, side), rotation=slope, **options)
