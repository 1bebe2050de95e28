"""Where a model is wrong: which classes it confuses, and its worst mistakes."""

from __future__ import annotations

import os
from dataclasses import dataclass

import numpy as np
from matplotlib.figure import Figure
from numpy.typing import ArrayLike, NDArray

from idxhub import DatasetSpec, arguments
from idxhub_plot.images import Images, load_images
from idxhub_plot.matrix import draw_matrix, room_below, room_beside
from idxhub_plot.predictions import Predictions, read_predictions
from idxhub_plot.style import GREY, HEADER, INK, MARGIN, Picture, new_picture

_MATRIX = 5.4  # inches
_HEADING = 0.25  # inches, above the matrix and above the images
_PER_ROW = 5  # mistakes
_SIDE, _STEP, _ROW = 0.94, 1.06, 1.58  # inches: the square of an image, and from one to the next
_WRONG = "#bd1f01"


def mistakes(
    predictions: str | os.PathLike[str] | ArrayLike,
    name: str | DatasetSpec = "fashion-mnist",
    split: str = "test",
    *,
    count: int = 20,
    data_dir: str | os.PathLike[str] | None = None,
    cache_dir: str | os.PathLike[str] | None = None,
    download: bool = True,
) -> Figure:
    """The confusion matrix of predictions, and the worst mistakes.

    The worst mistakes are those in which the score of the predicted class is farthest above that of the true class. If
    there are no scores, one example of each of the most frequent mistakes is shown.

    Example:
        >>> import numpy as np
        >>> from idxhub_plot import mistakes
        >>> always_bag = np.full(500, 8)
        >>> figure = mistakes(always_bag, "fashion-mnist-sample", count=5)

    Args:
        predictions (path or array): one prediction for each example, in the order of the split: an array of integers,
            (N,), or of scores such as probabilities or logits, (N, C). A path is that of a .npy file with such an
            array, or of a .csv file with one column of classes (numbers or names) or C columns of scores.
        name (str or DatasetSpec): as for `idxhub.load`. Default: "fashion-mnist".
        split (str): the split that was predicted, as for `idxhub.load`. Default: "test".
        count (int): how many mistakes are shown, from 0 to 100. Default: 20.
        data_dir (path or None): as for `idxhub.load`. Default: None.
        cache_dir (path or None): as for `idxhub.load`. Default: None.
        download (bool): as for `idxhub.load`. Default: True.

    Returns:
        A figure of matplotlib.

    Raises:
        ArgumentError: the predictions are not such an array, their number is not that of the examples, a class does not
            exist, or the dataset's arrays are not images, (N, H, W).
        UnknownNameError: the path ends neither in .csv nor in .npy.
        OSError: the file cannot be read.
        IdxHubError: the errors of `idxhub.load`.
    """
    count = arguments.integer("count", count, 0, 100)
    images = load_images(name, split, data_dir, cache_dir, download)
    predicted = read_predictions(predictions, images.class_names, len(images))
    confusion = confusion_matrix(images.of_class, predicted.labels, len(images.class_names))
    shown = _worst(images, predicted, confusion, count)
    right = int(confusion.trace())
    top = HEADER + _HEADING
    left = MARGIN + room_beside(images.class_names, _MATRIX)
    panel = left + _MATRIX + 0.55
    width = panel + (_PER_ROW * _STEP - (_STEP - _SIDE)) + MARGIN
    below = room_below(images.class_names, _MATRIX)
    height = top + max(_MATRIX + below, -(-len(shown.where) // _PER_ROW) * _ROW - 0.1) + MARGIN
    title = f"{images.title}: {right / len(images):.2%} right"
    subtitle = f"{right:,} of {len(images):,} predictions in {predicted.source} are right"
    with new_picture(width, height, title, subtitle) as picture:
        both, titles = (images.class_names,) * 2, ("rows: true class", "columns: predicted class")
        draw_matrix(picture, (left, top), _MATRIX, confusion, names=both, axes_names=titles)
        _draw_mistakes(picture, (panel, top), images, shown)
    return picture


def confusion_matrix(true: NDArray[np.int64], predicted: NDArray[np.int64], classes: int) -> NDArray[np.int64]:
    """(C, C): in row i and column j the number of examples of class i that were predicted as class j."""
    counts: NDArray[np.int64] = np.bincount(true * classes + predicted, minlength=classes**2)
    return counts.reshape(classes, classes)


@dataclass(frozen=True, eq=False)
class _Shown:
    """The mistakes that are shown, the worst first, each with its true class, its predicted class and a number."""

    heading: str
    where: NDArray[np.int64]
    captions: list[tuple[str, str, str]]


def _worst(images: Images, predicted: Predictions, confusion: NDArray[np.int64], count: int) -> _Shown:
    wrong = np.flatnonzero(images.of_class != predicted.labels)
    if not len(wrong):
        return _Shown("No mistakes", wrong, [])
    true, guessed = images.of_class[wrong], predicted.labels[wrong]
    if predicted.scores is not None:
        heading = "The worst mistakes: true class, predicted class, their scores"
        of_true, of_guess = predicted.scores[wrong, true], predicted.scores[wrong, guessed]
        shown = np.argsort(of_true - of_guess, kind="stable")[:count]
        form = ".2f" if np.abs(predicted.scores[wrong]).max() < 1000 else ".3g"
        numbers = [f"{of_true[i]:{form}} < {of_guess[i]:{form}}" for i in shown]
    else:  # one example of each kind, the most frequent kind first
        heading = "The most frequent mistakes: true class, predicted class"
        kinds, first = np.unique(true * len(confusion) + guessed, return_index=True)
        times = confusion.ravel()[kinds]
        frequent = np.argsort(-times, kind="stable")[:count]
        shown, numbers = first[frequent], ["once" if times[i] == 1 else f"{times[i]:,} times" for i in frequent]
    names = images.class_names
    captions = [(names[true[i]], names[guessed[i]], number) for i, number in zip(shown, numbers, strict=True)]
    return _Shown(heading, wrong[shown], captions)


def _draw_mistakes(picture: Picture, corner: tuple[float, float], images: Images, shown: _Shown) -> None:
    left, top = corner
    picture.write(left, top - 0.1, shown.heading, va="bottom", fontsize=8.5, color=GREY)
    for i, (pixels, captions) in enumerate(zip(images.grey(shown.where), shown.captions, strict=True)):
        x, y = left + i % _PER_ROW * _STEP, top + i // _PER_ROW * _ROW
        picture.show_image(pixels, x, y, _SIDE, cmap="gray", vmin=0, vmax=255)
        for row, (text, size, colour) in enumerate(zip(captions, (8, 8, 7), (INK, _WRONG, GREY), strict=True)):
            where = x + _SIDE / 2, y + _SIDE + 0.04 + 0.155 * row
            picture.write(*where, text, fit=_STEP - 0.06, ha="center", fontsize=size, color=colour)
