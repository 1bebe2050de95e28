"""What two datasets or releases have in common and what not, as a picture."""

from __future__ import annotations

import os
from collections.abc import Iterator
from dataclasses import dataclass

import numpy as np
from matplotlib.figure import Figure
from numpy.typing import NDArray

from idxhub import DatasetSpec, arguments, errors, order
from idxhub_plot.colours import TEN_COLOURS
from idxhub_plot.images import as_uint8
from idxhub_plot.matrix import draw_matrix, room_below, room_beside
from idxhub_plot.releases import Compared, Difference, compare
from idxhub_plot.style import GREY, HEADER, INK, MARGIN, Picture, new_picture, widest

_BAR, _BAR_STEP = 0.2, 0.28  # inches: the height of a bar, and from one to the next
_NAMES, _BARS = 3.4, 5.0  # inches: the longest name of a split, and the least width of the bars
_COLOURS = (TEN_COLOURS[9], TEN_COLOURS[1], TEN_COLOURS[3])  # light, since numbers stand on them
_MATRIX = 4.8  # inches
_GAP = 0.6  # inches, right of the matrix
_ROWS = 4  # of images
_BESIDE_MATRIX, _WITHOUT_MATRIX = 5, 8  # images in a row
_SIDE, _STEP, _ROW = 0.94, 1.12, 1.4  # inches: the square of an image, and from one to the next
_HEADING = 0.3  # inches
_FEW = 100  # images, whose labels may agree in any way


def diff(
    a: str | DatasetSpec,
    b: str | DatasetSpec | os.PathLike[str],
    *,
    seed: int = 0,
    data_dir: str | os.PathLike[str] | None = None,
    cache_dir: str | os.PathLike[str] | None = None,
    download: bool = True,
) -> Figure:
    """What two datasets or releases have in common and what not: images, and the labels of the images that both have.

    Images are matched by the digest of their bytes, in whatever order and split they are. The numbers themselves are
    those of `compare`, which takes the same datasets.

    Example:
        >>> from idxhub_plot import diff
        >>> figure = diff("fashion-mnist", "fashion-mnist-sample")
        >>> figure.savefig("diff.png")

    Args:
        a (str or DatasetSpec): as the name for `idxhub.load`.
        b (str, DatasetSpec or os.PathLike): the same, or, as a `pathlib.Path`, a folder with files of another release
            of `a`: those with the names of the files of `a` take their place, and the others are those of `a`.
        seed (int): which of the images are shown, an integer from 0. Default: 0.
        data_dir (path or None): as for `idxhub.load`. Default: None.
        cache_dir (path or None): as for `idxhub.load`. Default: None.
        download (bool): as for `idxhub.load`. Default: True.

    Returns:
        A figure of matplotlib. It shows how many images of each split are shared, a matrix of the labels that the
        shared images have in `a` and in `b`, and examples of what differs.

    Raises:
        ArgumentError: the arrays of a dataset are not images, (N, H, W); also as for `compare`.
        IdxHubError: the errors of `compare` and of `idxhub.load`.
    """
    seed = arguments.integer("seed", seed)
    return draw(compare(a, b, data_dir=data_dir, cache_dir=cache_dir, download=download), seed)


def draw(found: Difference, seed: int = 0) -> Figure:
    """The picture of a difference that is known already."""
    for side in (found.a, found.b):
        for part in side.parts:
            if part.images.ndim != 3:
                kind = f"shape of an example of {side.title}"
                raise errors.ArgumentError(kind, part.images.shape[1:], "(height, width), as that of an image")
    bars = [*_bars(found.a, found.pairs[:, 0], found), *_bars(found.b, found.pairs[:, 1], found)]
    names = widest((name for name, _ in bars), _NAMES) + 0.15
    groups = [group for group in _groups(found, seed) if group.images]
    top = HEADER + 0.3 + len(bars) * _BAR_STEP + 0.35
    matrix_left, matrix_width, matrix_height = _matrix_size(found)
    panel = MARGIN + matrix_width
    right = panel + (groups[0].per_row * _STEP - (_STEP - _SIDE) if groups else -_GAP)
    width = max(right, MARGIN + names + _BARS) + MARGIN
    height = top + max(matrix_height, sum(_height(group) for group in groups)) + MARGIN - 0.1
    with new_picture(width, height, f"{found.a.title} and {found.b.title}", summary(found)) as picture:
        _draw_bars(picture, bars, MARGIN + names, width - MARGIN - (MARGIN + names))
        if len(found.pairs):
            both = found.a.class_names, found.b.class_names
            of_axes = f"rows: {found.a.title}", f"columns: {found.b.title}"
            picture.write(MARGIN, top, "Labels of the images that both have", fontweight="bold")
            corner = matrix_left, top + _HEADING + 0.2
            draw_matrix(picture, corner, _MATRIX, found.labels, names=both, axes_names=of_axes)
        for group in groups:
            _draw_group(picture, panel, top, group)
            top += _height(group)
    return picture


def summary(found: Difference) -> str:
    """A sentence with the most important numbers."""
    a, b, pairs, differing = found.a, found.b, len(found.pairs), len(found.differing)
    if not pairs:
        return f"No image of {a.title} is in {b.title}."
    everything = "All" if pairs == len(a.shared) else f"{pairs:,} of"
    labels = "their labels are the same"
    if differing:
        labels = f"{differing:,} label{' differs' if differing == 1 else 's differ'}"
    if _is_like_chance(found):
        labels += ", as many as by chance"
    return f"{everything} {len(a.shared):,} images of {a.title} are in {b.title}; {labels}."


def _is_like_chance(found: Difference) -> bool:
    """Whether labels agree about as often as they would if those of one dataset were shuffled."""
    pairs = len(found.pairs)
    a, b = (found.labels.sum(axis=axis) / pairs for axis in (1, 0))
    if len(a) != len(b) or pairs < _FEW:
        return False
    expected = float(a @ b)
    agreeing = 1 - len(found.differing) / pairs
    return expected < 0.5 and abs(agreeing - expected) < 4 * (expected * (1 - expected) / pairs) ** 0.5


def _bars(side: Compared, paired: NDArray[np.int64], found: Difference) -> Iterator[tuple[str, list[int]]]:
    """For each split of a dataset its name, and how many images are in each of the three groups."""
    a, b = found.pairs.T
    same = np.zeros(len(side.shared), bool)
    same[paired] = found.a.of_class[a] == found.b.of_class[b]
    start = 0
    for part in side.parts:
        here = slice(start, start + len(part.images))
        start = here.stop
        shared, agreeing = int(side.shared[here].sum()), int(same[here].sum())
        yield f"{side.title}, {part.split}", [agreeing, shared - agreeing, len(part.images) - shared]


def _draw_bars(picture: Picture, bars: list[tuple[str, list[int]]], left: float, width: float) -> None:
    legend = left
    for text, colour in zip(("in both, same label", "in both, another label", "in one alone"), _COLOURS, strict=True):
        picture.write(legend, HEADER - 0.03, "\N{BLACK SQUARE}", color=colour, fontsize=11)
        legend += 0.18 + picture.width_of(picture.write(legend + 0.18, HEADER - 0.01, text, fontsize=8.5)) + 0.25
    axes = picture.add_box(left, HEADER + 0.3, width, len(bars) * _BAR_STEP)
    axes.set(xlim=(0, 1), ylim=(len(bars) * _BAR_STEP, 0))
    axes.set_axis_off()
    for row, (name, counts) in enumerate(bars):
        y, done = row * _BAR_STEP + _BAR / 2, 0.0
        picture.write(left - 0.12, HEADER + 0.3 + y, name, fit=_NAMES, ha="right", va="center_baseline", fontsize=8.5)
        for count, colour in zip(counts, _COLOURS, strict=True):
            share = count / max(sum(counts), 1)
            axes.barh(y, share, _BAR, left=done, color=colour)
            if share * width > 0.5:
                axes.text(done + share / 2, y, f"{count:,}", ha="center", va="center_baseline", fontsize=8)
            done += share


def _matrix_size(found: Difference) -> tuple[float, float, float]:
    """Where the matrix begins, and how much room it takes with its names; nothing if there is none."""
    if not len(found.pairs):
        return MARGIN, 0.0, 0.0
    beside = room_beside(found.a.class_names, _MATRIX)
    height = _HEADING + 0.2 + _MATRIX + room_below(found.b.class_names, _MATRIX)
    return MARGIN + beside, beside + _MATRIX + _GAP, height


@dataclass(frozen=True, eq=False)
class _Group:
    """Images under a heading, each with two captions."""

    per_row: int
    heading: str
    images: list[NDArray[np.uint8]]
    captions: list[tuple[str, str]]


def _groups(found: Difference, seed: int) -> Iterator[_Group]:
    a, b = found.a, found.b
    differing = found.differing
    differing = differing[order(len(differing), seed=seed, epoch=0)]
    alone = [(side, np.flatnonzero(~side.shared)) for side in (a, b)]
    kinds = sum(len(each) > 0 for each in (differing, *(where for _, where in alone)))
    per_row = _BESIDE_MATRIX if len(found.pairs) else _WITHOUT_MATRIX
    count = per_row * max(1, _ROWS // max(kinds, 1))
    pairs = differing[:count].tolist()
    yield _Group(
        per_row,
        f"The same image, another label: {len(differing):,}",
        [as_uint8(a.image(i)) for i, _ in pairs],
        [(a.class_names[a.of_class[i]], b.class_names[b.of_class[j]]) for i, j in pairs],
    )
    for side, where in alone:
        shown = where[order(len(where), seed=seed, epoch=0)][:count].tolist()
        yield _Group(
            per_row,
            f"In {side.title} alone: {len(where):,}",
            [as_uint8(side.image(i)) for i in shown],
            [(side.class_names[side.of_class[i]], _named(side, i)) for i in shown],
        )


def _named(side: Compared, position: int) -> str:
    part, position = side.locate(position)
    return f"{part.split} {position:,}"


def _height(group: _Group) -> float:
    return _HEADING + -(-len(group.images) // group.per_row) * _ROW + 0.1


def _draw_group(picture: Picture, left: float, top: float, group: _Group) -> None:
    picture.write(left, top, group.heading, fit=group.per_row * _STEP, fontweight="bold")
    for i, (pixels, captions) in enumerate(zip(group.images, group.captions, strict=True)):
        x, y = left + i % group.per_row * _STEP, top + _HEADING + i // group.per_row * _ROW
        picture.show_image(255 - pixels, x, y, _SIDE, cmap="gray", vmin=0, vmax=255)
        for row, (text, colour) in enumerate(zip(captions, (INK, GREY), strict=True)):
            where = x + _SIDE / 2, y + _SIDE + 0.04 + 0.155 * row
            picture.write(*where, text, fit=_STEP - 0.06, ha="center", fontsize=8, color=colour)
