"""How many examples each class has in each split."""

from __future__ import annotations

import os
from collections.abc import Sequence

import numpy as np
from matplotlib.figure import Figure
from numpy.typing import NDArray

from idxhub import DatasetSpec, Plugins, errors, load
from idxhub_plot.colours import class_colours
from idxhub_plot.images import classes_of, dataset_title
from idxhub_plot.style import GREY, HEADER, MARGIN, Picture, new_picture, widest

_PER_COLUMN = 26  # classes
_BAR, _GAP = 0.19, 0.13  # inches: the height of a bar, and the space between two classes
_NAMES, _BARS, _COUNTS = 2.2, 3.4, 0.9  # inches, from left to right; names may take less
_LEGEND = 0.3  # inches


def classes(
    name: str | DatasetSpec = "fashion-mnist",
    split: str | Sequence[str] | None = None,
    *,
    data_dir: str | os.PathLike[str] | None = None,
    cache_dir: str | os.PathLike[str] | None = None,
    download: bool = True,
) -> Figure:
    """The distribution of the classes: a bar with a number for each class in each split.

    Example:
        >>> from idxhub_plot import classes
        >>> figure = classes("fashion-mnist-sample", ("train[:80%]", "train[80%:]", "test"))
        >>> figure.savefig("classes.pdf")

    Args:
        name (str or DatasetSpec): as for `idxhub.load`. The examples need not be images. Default: "fashion-mnist".
        split (str, sequence of str, or None): one split or several; None for all splits that are no part of another
            one. Default: None.
        data_dir (path or None): as for `idxhub.load`. Default: None.
        cache_dir (path or None): as for `idxhub.load`. Default: None.
        download (bool): as for `idxhub.load`. Default: True.

    Returns:
        A figure of matplotlib.

    Raises:
        ArgumentError: no split is named, or the dataset has more than 1,000 classes.
        IdxHubError: the errors of `idxhub.load`.
    """
    if split is None:
        split = Plugins().dataset(name).everything
    splits = [split] if isinstance(split, str) else list(split)
    if not splits:
        raise errors.ArgumentError("split", split, "a split, or a sequence of at least one")
    loaded = [load(name, each, data_dir=data_dir, cache_dir=cache_dir, download=download) for each in splits]
    names, labels = classes_of(loaded)
    counts = np.array([np.bincount(each, minlength=len(names)) for each in labels])
    columns = -(-len(names) // _PER_COLUMN)
    per_column = -(-len(names) // columns)
    of_class = len(splits) * _BAR + _GAP
    top = HEADER + (_LEGEND if len(splits) > 1 else 0)
    for_names = widest(names, _NAMES) + 0.12
    in_column = for_names + _BARS + _COUNTS
    width = columns * in_column + 2 * MARGIN
    height = top + per_column * of_class - _GAP + MARGIN
    title = f"{dataset_title(loaded[0])}: examples of each class"
    subtitle = f"{', '.join(splits)}: {counts.sum():,} examples in {len(names)} classes"
    with new_picture(width, height, title, subtitle) as picture:
        if len(splits) > 1:
            _draw_legend(picture, splits)
        for column in range(columns):
            shown = slice(column * per_column, (column + 1) * per_column)
            box = (MARGIN + column * in_column + for_names, top, _BARS, len(names[shown]) * of_class - _GAP)
            _draw_bars(picture, box, names[shown], counts[:, shown], counts.max())
    return picture


def _draw_legend(picture: Picture, splits: Sequence[str]) -> None:
    left = MARGIN
    for split, colour in zip(splits, class_colours(len(splits)), strict=True):
        picture.write(left, HEADER - 0.06, "\N{BLACK SQUARE}", color=colour, fontsize=11)
        written = picture.write(left + 0.18, HEADER - 0.04, split)
        left += 0.18 + picture.width_of(written) + 0.3


def _draw_bars(
    picture: Picture,
    box: tuple[float, float, float, float],
    names: Sequence[str],
    counts: NDArray[np.int64],
    largest: int,
) -> None:
    """The bars of some classes, the first above; `counts` is (splits, classes). One unit of the y-axis is an inch."""
    left, top, _, height = box
    axes = picture.add_box(*box)
    axes.set(xlim=(0, max(largest, 1)), ylim=(height, 0))
    axes.set_axis_off()
    of_class = len(counts) * _BAR + _GAP
    first = np.arange(len(names)) * of_class + _BAR / 2
    for i, (of_split, colour) in enumerate(zip(counts, class_colours(len(counts)), strict=True)):
        bars = axes.barh(first + i * _BAR, of_split, _BAR * 0.9, color=colour)
        axes.bar_label(bars, [f"{count:,}" for count in of_split], padding=4, fontsize=8, color=GREY)
    for name, y in zip(names, first + (len(counts) - 1) * _BAR / 2, strict=True):
        picture.write(left - 0.12, top + y, name, fit=_NAMES, ha="right", va="center_baseline")
