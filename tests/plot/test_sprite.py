"""The sprite: its pixels are those of the arrays."""

from __future__ import annotations

import numpy as np
import pytest
from support import made
from support.needs import need

need("PIL.Image")
need("matplotlib")

from idxhub import errors, load  # noqa: E402 -- after the skip where they are absent
from idxhub_plot import sprite  # noqa: E402 -- as above

SAMPLE = "fashion-mnist-sample"


def cells(picture, height, width):
    """(rows, columns, H, W)"""
    pixels = np.asarray(picture)
    return pixels.reshape(len(pixels) // height, height, -1, width).swapaxes(1, 2)


def test_each_row_shows_images_of_its_class_each_of_them_once():
    split = load(SAMPLE, "test")
    shown = cells(sprite(SAMPLE, "test", rows=2, columns=7), 28, 28)
    assert shown.shape == (20, 7, 28, 28)
    of_image = {(255 - image).tobytes(): label for image, label in zip(split.images, split.labels, strict=True)}
    for row in range(20):
        assert {of_image[cell.tobytes()] for cell in shown[row]} == {row // 2}
    assert len({cell.tobytes() for row in shown for cell in row}) == 20 * 7


def test_pixels_are_kept_or_inverted():
    paper, screen = (np.asarray(sprite(SAMPLE, invert=invert)) for invert in (True, False))
    assert paper.dtype == np.uint8
    assert paper.shape == (840, 840)
    assert (paper == 255 - screen).all()
    assert paper.mean() > 128 > screen.mean()


def test_the_seed_decides_which_images_are_shown():
    first, again, other = (sprite(SAMPLE, seed=seed).tobytes() for seed in (1, 1, 2))
    assert first == again != other


def test_a_class_with_few_examples_leaves_its_row_empty(tmp_path):
    toy = made.make(tmp_path / "few", sizes={"train": 5})
    labels = load(toy.spec, data_dir=toy.folder).labels
    for invert, empty in ((True, 255), (False, 0)):
        shown = cells(sprite(toy.spec, rows=1, columns=6, invert=invert, data_dir=toy.folder), 6, 5)
        assert shown.shape == (3, 6, 6, 5)
        for label in range(3):
            count = int((labels == label).sum())
            assert (shown[label, count:] == empty).all()
            assert not (shown[label, :count] == empty).all(axis=(1, 2)).any()


def test_other_types_are_scaled(tmp_path):
    toy = made.make(tmp_path / "wide", dtype="int16", sizes={"train": 40})
    pixels = np.asarray(sprite(toy.spec, rows=1, columns=40, data_dir=toy.folder, invert=False))
    assert pixels.dtype == np.uint8
    assert (pixels.min(), pixels.max()) == (0, 255)


@pytest.mark.parametrize(
    ("argument", "value"), [("rows", 0), ("columns", -1), ("rows", 1.5), ("seed", -1), ("seed", "x"), ("invert", 2)]
)
def test_a_wrong_argument_is_named(argument, value):
    with pytest.raises(errors.ArgumentError, match=argument):
        sprite(SAMPLE, **{argument: value})
