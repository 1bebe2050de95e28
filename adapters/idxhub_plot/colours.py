"""Colours of classes that a colour-blind reader can tell apart."""

from __future__ import annotations

from functools import lru_cache

import numpy as np
from numpy.typing import NDArray

from idxhub import arguments

TEN_COLOURS = (
    *("#3f90da", "#ffa90e", "#bd1f01", "#94a4a2", "#832db6"),
    *("#a96b59", "#e76300", "#b9ac70", "#717581", "#92dadd"),
)
"""The sequence of ten colours of M. A. Petroff, "Accessible Color Sequences for Data Visualization", arXiv:2107.02270.

It was made with a minimum distance between any two colours, for normal vision and for simulated colour blindness.
matplotlib has it as the style "petroff10".
"""

# Linear RGB as a person without cones of one kind sees it: protanopia, deuteranopia and tritanopia.
# G. M. Machado, M. M. Oliveira, L. A. F. Fernandes, "A Physiologically-based Model for Simulation of Color Vision
# Deficiency", IEEE TVCG 15 (2009), severity 1.0.
_COLOUR_BLINDNESS = np.array(
    [
        [[0.152286, 1.052583, -0.204868], [0.114503, 0.786281, 0.099216], [-0.003882, -0.048116, 1.051998]],
        [[0.367322, 0.860646, -0.227968], [0.280085, 0.672501, 0.047413], [-0.011820, 0.042940, 0.968881]],
        [[1.255528, -0.076749, -0.178779], [-0.078411, 0.930809, 0.147602], [0.004733, 0.691367, 0.303900]],
    ]
)
# Oklab, in which equal distances look about equally large: B. Ottosson, bottosson.github.io/posts/oklab
_TO_CONES = np.array(
    [
        [0.4122214708, 0.5363325363, 0.0514459929],
        [0.2119034982, 0.6806995451, 0.1073969566],
        [0.0883024619, 0.2817188376, 0.6299787005],
    ]
)
_TO_OKLAB = np.array(
    [
        [0.2104542553, 0.7936177850, -0.0040720468],
        [1.9779984951, -2.4285922050, 0.4505937099],
        [0.0259040371, 0.7827717662, -0.8086757660],
    ]
)
_LEVELS = range(0, 256, 17)  # of red, green and blue, in the colours that are tried
_LIGHTNESS = (0.35, 0.86)  # of a colour that is seen on white and is not taken for black


@lru_cache
def class_colours(count: int) -> tuple[str, ...]:
    """A colour for each class, as "#rrggbb", for a light background.

    The first ten are `TEN_COLOURS`. Each one after them is the colour that is most unlike all before it, for normal
    vision and for three kinds of colour blindness. Nobody can tell apart dozens of colours in a scatter plot: a picture
    with many classes should name them too.

    Example:
        >>> from idxhub_plot.colours import class_colours
        >>> class_colours(3)
        ('#3f90da', '#ffa90e', '#bd1f01')

    Args:
        count (int): the number of classes, from 0.

    Raises:
        ArgumentError: `count` is not an integer of 0 or more.
    """
    colours = list(TEN_COLOURS[: arguments.integer("count", count)])
    if count > len(colours):
        candidates = [f"#{r:02x}{g:02x}{b:02x}" for r in _LEVELS for g in _LEVELS for b in _LEVELS]
        seen = as_seen(candidates)
        visible = (seen[0, :, 0] > _LIGHTNESS[0]) & (seen[0, :, 0] < _LIGHTNESS[1])
        nearest = np.where(visible, np.inf, -np.inf)
        for colour in colours:
            nearest = np.minimum(nearest, _distances(seen, as_seen([colour])))
        while len(colours) < count:
            farthest = int(nearest.round(9).argmax())
            colours.append(candidates[farthest])
            nearest = np.minimum(nearest, _distances(seen, seen[:, farthest : farthest + 1]))
    return tuple(colours)


def as_seen(colours: list[str]) -> NDArray[np.float64]:
    """Colours in Oklab, (4, n, 3): for normal vision, protanopia, deuteranopia and tritanopia."""
    rgb = np.array([[int(colour[i : i + 2], 16) for i in (1, 3, 5)] for colour in colours]) / 255
    linear = np.where(rgb <= 0.04045, rgb / 12.92, ((rgb + 0.055) / 1.055) ** 2.4)
    eyes = np.concatenate([linear[None], linear @ _COLOUR_BLINDNESS.transpose(0, 2, 1)]).clip(0, 1)
    oklab: NDArray[np.float64] = np.cbrt(eyes @ _TO_CONES.T) @ _TO_OKLAB.T
    return oklab


def _distances(seen: NDArray[np.float64], one: NDArray[np.float64]) -> NDArray[np.float64]:
    """How far each colour is from one colour, for the eyes that see the smallest difference."""
    least: NDArray[np.float64] = np.linalg.norm(seen - one, axis=2).min(axis=0)
    return least
