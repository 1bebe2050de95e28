"""What the images of a class have in common, and where they differ."""

from __future__ import annotations

import os
from typing import Any

import numpy as np
from matplotlib.figure import Figure
from numpy.typing import NDArray

from idxhub import DatasetSpec
from idxhub_plot.images import Images, as_finite, load_images
from idxhub_plot.style import GREY, HEADER, LINE, MARGIN, Picture, new_picture

_PER_BAND = 10  # classes side by side
_SIDE, _STEP = 0.96, 1.04  # inches: the square of an image, and from one to the next
_NAMES = 0.3  # inches, above the two images of a class
_BAND = _NAMES + 2 * _STEP + 0.15  # inches, from one row of classes to the next
_SCALE = 0.5  # inches, of the two colour bars below
_LEFT = MARGIN + 0.85  # inches, right of "mean" and "deviation"
_AT_ONCE = 4096  # images whose sum is made in one step


def mean(
    name: str | DatasetSpec = "fashion-mnist",
    split: str = "train",
    *,
    data_dir: str | os.PathLike[str] | None = None,
    cache_dir: str | os.PathLike[str] | None = None,
    download: bool = True,
) -> Figure:
    """The mean and the standard deviation of each pixel over the images of each class.

    Example:
        >>> from idxhub_plot import mean
        >>> figure = mean("fashion-mnist-sample")
        >>> figure.savefig("mean.png")

    Args:
        name (str or DatasetSpec): as for `idxhub.load`. Default: "fashion-mnist".
        split (str): as for `idxhub.load`. Default: "train".
        data_dir (path or None): as for `idxhub.load`. Default: None.
        cache_dir (path or None): as for `idxhub.load`. Default: None.
        download (bool): as for `idxhub.load`. Default: True.

    Returns:
        A figure of matplotlib. Its images have the values of the pixels, float64 (H, W); the deviation is that of all
        images of the class (divided by their number). A class without examples is left empty.

    Raises:
        ArgumentError: the dataset's arrays are not images, (N, H, W).
        IdxHubError: the errors of `idxhub.load`.
    """
    images = load_images(name, split, data_dir, cache_dir, download)
    means, deviations = _moments(images)
    count = len(images.class_names)
    width = max(_LEFT + min(count, _PER_BAND) * _STEP - (_STEP - _SIDE) + MARGIN, _LEFT + 5 + MARGIN)
    height = HEADER + -(-count // _PER_BAND) * _BAND + _SCALE + MARGIN
    title = f"{images.title}: the mean of each class"
    subtitle = f"Mean and standard deviation of each pixel over the images of each class, {len(images):,} in all"
    with new_picture(width, height, title, subtitle) as picture:
        for row, (what, values, options) in enumerate(_scales(means, deviations, images)):
            for label, of_class in enumerate(values):
                left = _LEFT + label % _PER_BAND * _STEP
                top = HEADER + label // _PER_BAND * _BAND
                if row == 0:
                    named = images.class_names[label]
                    picture.write(left + _SIDE / 2, top, named, fit=_STEP - 0.04, ha="center", fontsize=8.5)
                if label % _PER_BAND == 0:
                    middle = top + _NAMES + row * _STEP + _SIDE / 2
                    picture.write(MARGIN, middle, what, va="center_baseline", color=GREY, fontsize=8.5)
                if not np.isnan(of_class).any():
                    picture.show_image(of_class, left, top + _NAMES + row * _STEP, _SIDE, **options)
            _draw_scale(picture, _LEFT + row * 2.7, height - MARGIN - 0.2, what, options)
    return picture


def _moments(images: Images) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
    """The mean and standard deviation of each class, (C, H, W) each; NaN for a class without examples."""
    shape = (len(images.class_names), *images.split.images.shape[1:])
    means, deviations = np.full(shape, np.nan), np.full(shape, np.nan)
    for label in range(len(means)):
        where = np.flatnonzero(images.of_class == label)
        if not len(where):
            continue
        parts = [where[i : i + _AT_ONCE] for i in range(0, len(where), _AT_ONCE)]
        means[label] = sum(_values(images, part).sum(axis=0) for part in parts) / len(where)
        squares = sum(np.square(_values(images, part) - means[label]).sum(axis=0) for part in parts)
        deviations[label] = np.sqrt(squares / len(where))
    return means, deviations


def _values(images: Images, where: NDArray[np.int64]) -> NDArray[np.float64]:
    return as_finite(images.split.images[where])


def _scales(
    means: NDArray[np.float64], deviations: NDArray[np.float64], images: Images
) -> list[tuple[str, NDArray[np.float64], dict[str, Any]]]:
    """The two rows: what they show, the values, and how values become colours, in all classes alike."""
    least, most = (0.0, 255.0) if images.split.images.dtype == np.uint8 else (np.nanmin(means), np.nanmax(means))
    return [
        ("mean", means, {"cmap": "gray_r", "vmin": least, "vmax": most}),
        ("deviation", deviations, {"cmap": "BuPu", "vmin": 0.0, "vmax": np.nanmax(deviations)}),
    ]


def _draw_scale(picture: Picture, left: float, top: float, what: str, options: dict[str, Any]) -> None:
    """A bar with the colours of the values."""
    axes = picture.add_box(left, top, 2.2, 0.1)
    ramp = np.linspace(0, 1, 256)[None]
    extent = (options["vmin"], max(options["vmax"], options["vmin"] + 1e-9), 0, 1)
    axes.imshow(ramp, cmap=options["cmap"], extent=extent, aspect="auto")
    axes.set(yticks=[], xticks=extent[:2], xticklabels=[f"{value:,.4g}" for value in extent[:2]])
    axes.tick_params(length=2, labelsize=7, labelcolor=GREY)
    axes.spines[:].set_color(LINE)
    picture.write(left, top - 0.19, what, fontsize=8, color=GREY)
