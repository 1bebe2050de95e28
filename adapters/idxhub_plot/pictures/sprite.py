"""The best-known picture of the dataset: some rows of images for each class."""

from __future__ import annotations

import os

import numpy as np
from PIL import Image

from idxhub import DatasetSpec, arguments
from idxhub_plot.images import load_images


def sprite(
    name: str | DatasetSpec = "fashion-mnist",
    split: str = "train",
    *,
    rows: int = 3,
    columns: int = 30,
    seed: int = 0,
    invert: bool = True,
    data_dir: str | os.PathLike[str] | None = None,
    cache_dir: str | os.PathLike[str] | None = None,
    download: bool = True,
) -> Image.Image:
    """One picture of many images: some rows for each class, pixel for pixel.

    Example:
        >>> from idxhub_plot import sprite
        >>> picture = sprite("fashion-mnist-sample")
        >>> picture.size
        (840, 840)

    Args:
        name (str or DatasetSpec): as for `idxhub.load`. Default: "fashion-mnist".
        split (str): as for `idxhub.load`. Default: "train".
        rows (int): how many rows each class has, from 1. Default: 3.
        columns (int): how many images a row has, from 1. Default: 30.
        seed (int): which images are chosen, an integer from 0. The same seed gives the same images on every platform.
            Default: 0.
        invert (bool): whether 0 is white, as ink on paper, and not black. Default: True.
        data_dir (path or None): as for `idxhub.load`. Default: None.
        cache_dir (path or None): as for `idxhub.load`. Default: None.
        download (bool): as for `idxhub.load`. Default: True.

    Returns:
        A grey image of Pillow (mode "L"). For images of H x W in C classes, it is `columns * W` wide and
        `C * rows * H` high. If a class has too few examples, the rest of its rows is empty. uint8 pixels are kept as
        they are, or inverted. Pixels of another type are scaled to 0..255.

    Raises:
        ArgumentError: an argument is out of range, or the dataset's arrays are not images, (N, H, W).
        IdxHubError: the errors of `idxhub.load`.
    """
    rows, columns = arguments.integer("rows", rows, 1), arguments.integer("columns", columns, 1)
    seed, invert = arguments.integer("seed", seed), arguments.boolean("invert", invert)
    images = load_images(name, split, data_dir, cache_dir, download)
    chosen = images.chosen(rows * columns, seed)
    pixels = images.grey(np.concatenate(chosen), invert=invert)
    height, width = pixels.shape[1:]
    cells = np.full((len(chosen), rows * columns, height, width), 255 if invert else 0, np.uint8)
    start = 0
    for cell, where in zip(cells, chosen, strict=True):
        cell[: len(where)] = pixels[start : start + len(where)]
        start += len(where)
    sheet = cells.reshape(-1, columns, height, width).swapaxes(1, 2)
    return Image.fromarray(sheet.reshape(-1, columns * width))
