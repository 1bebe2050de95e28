"""The examples as a scatter plot in the colours of their classes."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, Unpack

import numpy as np
from matplotlib.figure import Figure
from numpy.typing import NDArray

from idxhub import DatasetSpec, order
from idxhub_plot.colours import class_colours
from idxhub_plot.embeddings.coordinates import Embedding, EmbeddingOptions, embedding
from idxhub_plot.images import dataset_title
from idxhub_plot.style import HEADER, MARGIN, Picture, new_picture, widest

_SIDE = 5.0  # inches, of the square of a dataset
_NAME, _ROW, _DOT = 0.35, 0.22, 0.17  # inches, of a dataset's name, and of a row and a dot of the legend
_LETTERS: dict[str, Any] = {"fontsize": 8.5}  # of the legend


def embed(
    name: str | DatasetSpec = "fashion-mnist",
    split: str = "all",
    *,
    beside: str | DatasetSpec | None = None,
    **options: Unpack[EmbeddingOptions],
) -> Figure:
    """A scatter plot of the examples, in the colours of their classes, with a legend.

    Example:
        >>> from idxhub_plot import embed
        >>> figure = embed("fashion-mnist-sample", "test")
        >>> figure.savefig("pca.svg")

    Args:
        name (str or DatasetSpec): as for `embedding`. Default: "fashion-mnist".
        split (str): as for `embedding`. Default: "all".
        beside (str, DatasetSpec or None): another dataset, which is shown at the right of the first. Default: None.
        **options: the keyword arguments of `embedding`: `method`, `parameters`, `size`, `seed`, `progress`, `data_dir`,
            `cache_dir` and `download`.

    Returns:
        A figure of matplotlib. The points are one image in it, also in an SVG or a PDF, so that the size of the file
        does not depend on their number.

    Raises:
        IdxHubError: the errors of `embedding`.
    """
    names = [name] if beside is None else [name, beside]
    return scatter([embedding(each, split, **options) for each in names])


def scatter(placed: Sequence[Embedding]) -> Figure:
    """The figure of some embeddings, side by side."""
    names = [dataset_title(each.images.split) for each in placed]
    grids = [_grid(each.class_names) for each in placed]
    top = HEADER + (_NAME if len(placed) > 1 else 0)
    rows = max(-(-len(each.class_names) // columns) for each, (columns, _) in zip(placed, grids, strict=True))
    width = len(placed) * (_SIDE + MARGIN) + MARGIN
    side = _SIDE * max(0.5, *(_flatness(each.bounds) for each in placed))
    height = top + side + 0.2 + rows * _ROW + MARGIN
    # the second dataset may have another number of examples: then each has its own line
    subtitle = " / ".join(dict.fromkeys(each.description for each in placed))
    with new_picture(width, height, " beside ".join(names), subtitle) as picture:
        for i, (each, name, grid) in enumerate(zip(placed, names, grids, strict=True)):
            left = MARGIN + i * (_SIDE + MARGIN)
            if len(placed) > 1:
                picture.write(left, HEADER, name, fit=_SIDE, fontsize=11, fontweight="bold")
            _draw_points(picture, each, left, top, side)
            _draw_legend(picture, each, grid, left, top + side + 0.2)
    return picture


def _flatness(bounds: NDArray[np.float32]) -> float:
    """The height as a part of the width; 1 if the height is larger."""
    width, height = np.ptp(bounds, axis=0).tolist()
    return min(1.0, height / width) if width else 1.0


def _draw_points(picture: Picture, placed: Embedding, left: float, top: float, height: float) -> None:
    axes = picture.add_box(left, top, _SIDE, height)
    mixed = order(len(placed), 0, 0)  # so that no class hides the others
    colours = np.array(class_colours(len(placed.class_names)))
    x, y = placed.coordinates[mixed].T
    area = float(np.clip(30_000 / len(placed), 0.6, 16))  # square points
    axes.scatter(x, y, s=area, c=colours[placed.labels[mixed]], alpha=0.8, linewidths=0, rasterized=True)
    low, high = placed.bounds
    unit = max(float(high[0] - low[0]) / _SIDE, float(high[1] - low[1]) / height) * 1.03 or 1.0  # of an inch
    for middle, side, limit in zip((low + high) / 2, (_SIDE, height), (axes.set_xlim, axes.set_ylim), strict=True):
        limit(middle - unit * side / 2, middle + unit * side / 2)
    axes.set_axis_off()


def _grid(names: Sequence[str]) -> tuple[int, float]:
    """The columns of a legend, and the width of one in inches: all names are in it, row by row."""
    column = widest(names, _SIDE - _DOT, **_LETTERS) + _DOT + 0.18
    columns = max(1, min(len(names), int((_SIDE + 0.18) / column)))
    rows = -(-len(names) // columns)
    return -(-len(names) // rows), column  # the same number in each row, as nearly as possible


def _draw_legend(picture: Picture, placed: Embedding, grid: tuple[int, float], left: float, top: float) -> None:
    columns, width = grid
    for i, (name, colour) in enumerate(zip(placed.class_names, class_colours(len(placed.class_names)), strict=True)):
        x, y = left + i % columns * width, top + (i // columns + 0.5) * _ROW
        picture.paper.plot([x + 0.06], [y - 0.01], marker="o", markersize=6, color=colour)
        picture.write(x + _DOT, y, name, fit=width - _DOT, va="center_baseline", **_LETTERS)
