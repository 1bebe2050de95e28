"""The colours of the classes: told apart by every reader, as the numbers say."""

from __future__ import annotations

from itertools import combinations

import numpy as np
import pytest

from idxhub import errors
from idxhub_plot.colours import TEN_COLOURS, as_seen, class_colours


@pytest.mark.parametrize(("count", "least"), [(2, 0.06), (10, 0.06), (26, 0.06), (47, 0.04), (62, 0.035)])
def test_any_two_colours_differ_for_every_kind_of_eyes(count, least):
    colours = class_colours(count)
    assert len(set(colours)) == count
    seen = as_seen(list(colours))  # normal vision, protanopia, deuteranopia, tritanopia
    assert seen.shape == (4, count, 3)
    assert min(np.linalg.norm(seen[:, i] - seen[:, j], axis=1).min() for i, j in combinations(range(count), 2)) > least


def test_the_usual_ten_colours_are_no_match():
    seen = as_seen(["#ff7f0e", "#2ca02c"])  # of matplotlib's tab10: alike for readers without red cones
    distances = np.linalg.norm(seen[:, 0] - seen[:, 1], axis=1)
    assert distances[0] > 0.2
    assert distances[1] < 0.06


def test_black_and_white_are_the_ends_of_lightness():
    seen = as_seen(["#000000", "#ffffff"])
    assert np.allclose(seen[:, 0], 0)
    assert np.allclose(seen[:, 1], [1, 0, 0], atol=1e-3)


def test_fewer_classes_have_the_first_of_the_colours():
    assert class_colours(0) == ()
    assert class_colours(10) == TEN_COLOURS
    for count in range(1, 30):
        assert class_colours(30)[:count] == class_colours(count)


@pytest.mark.parametrize("count", [-1, 2.5, "10", None])
def test_a_wrong_count_is_refused(count):
    with pytest.raises(errors.ArgumentError, match="an integer of 0 or more"):
        class_colours(count)
