"""A few examples, large, with their classes and positions."""

from __future__ import annotations

import os

from matplotlib.figure import Figure

from idxhub import DatasetSpec, arguments, order
from idxhub_plot.images import load_images
from idxhub_plot.style import GREY, HEADER, MARGIN, new_picture

_SIDE = 0.96  # inches, of the square of an image
_WIDTH, _HEIGHT = 1.08, 1.5  # inches, from one image to the next


def samples(
    name: str | DatasetSpec = "fashion-mnist",
    split: str = "train",
    *,
    rows: int = 4,
    columns: int = 8,
    seed: int = 0,
    data_dir: str | os.PathLike[str] | None = None,
    cache_dir: str | os.PathLike[str] | None = None,
    download: bool = True,
) -> Figure:
    """Random examples of a split, each with the name of its class and its position in the split.

    Example:
        >>> from idxhub_plot import samples
        >>> figure = samples("fashion-mnist-sample", "test", rows=2)
        >>> figure.savefig("samples.svg")

    Args:
        name (str or DatasetSpec): as for `idxhub.load`. Default: "fashion-mnist".
        split (str): as for `idxhub.load`. Default: "train".
        rows (int): how many rows of images, from 1 to 50. Default: 4.
        columns (int): how many images a row has, from 1 to 50. Default: 8.
        seed (int): which examples are chosen: the first of `idxhub.order(n, seed=seed, epoch=0)`. Default: 0.
        data_dir (path or None): as for `idxhub.load`. Default: None.
        cache_dir (path or None): as for `idxhub.load`. Default: None.
        download (bool): as for `idxhub.load`. Default: True.

    Returns:
        A figure of matplotlib.

    Raises:
        ArgumentError: an argument is out of range, or the dataset's arrays are not images, (N, H, W).
        IdxHubError: the errors of `idxhub.load`.
    """
    rows, columns = (arguments.integer(*each, 1, 50) for each in (("rows", rows), ("columns", columns)))
    seed = arguments.integer("seed", seed)
    images = load_images(name, split, data_dir, cache_dir, download)
    where = order(len(images), seed=seed, epoch=0)[: rows * columns]
    width = max(columns * _WIDTH - (_WIDTH - _SIDE) + 2 * MARGIN, 5)
    height = HEADER + -(-len(where) // columns) * _HEIGHT + MARGIN - 0.25
    title = f"{images.title}: {len(where):,} of {len(images):,} examples"
    subtitle = f"With class and position, chosen with seed {seed}"
    with new_picture(width, height, title, subtitle) as picture:
        for i, (position, pixels) in enumerate(zip(where, images.grey(where), strict=True)):
            left, top = MARGIN + i % columns * _WIDTH, HEADER + i // columns * _HEIGHT
            picture.show_image(pixels, left, top, _SIDE, cmap="gray", vmin=0, vmax=255)
            middle = left + _SIDE / 2
            label = images.class_names[images.of_class[position]]
            picture.write(middle, top + _SIDE + 0.06, label, fit=_SIDE, ha="center", fontsize=8.5)
            picture.write(middle, top + _SIDE + 0.23, f"{position:,}", fit=_SIDE, ha="center", fontsize=7, color=GREY)
    return picture
