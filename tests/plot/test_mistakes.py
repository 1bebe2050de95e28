"""The confusion matrix and the mistakes: the right numbers, from every form of predictions."""

from __future__ import annotations

import numpy as np
import pytest
from support import made
from support.needs import need

need("PIL.Image")
need("matplotlib")

from idxhub import errors, load  # noqa: E402 -- after the skip where they are absent
from idxhub_plot import mistakes  # noqa: E402 -- as above
from idxhub_plot.pictures.mistakes import confusion_matrix  # noqa: E402 -- as above
from idxhub_plot.predictions import read_predictions  # noqa: E402 -- as above

SAMPLE = "fashion-mnist-sample"
NAMES = ("ant", "bee", "cat")


def captions(figure):
    """The true class, the predicted class and the number of each mistake."""
    texts = [text.get_text() for text in figure.paper.texts]
    texts = texts[next(i for i, text in enumerate(texts) if "mistakes" in text.lower()) + 1 :]
    return [tuple(texts[i : i + 3]) for i in range(0, len(texts), 3)]


def test_a_matrix_counts_each_pair_of_classes():
    true, predicted = np.array([0, 0, 1, 2, 2, 2]), np.array([0, 1, 1, 2, 2, 0])
    assert confusion_matrix(true, predicted, 3).tolist() == [[1, 1, 0], [0, 1, 0], [1, 0, 2]]


def test_the_numbers_in_the_picture_are_those_of_the_predictions():
    labels = load(SAMPLE, "test").labels
    predicted = np.where(np.arange(500) % 4, labels, (labels + 1) % 10)
    figure = mistakes(predicted, SAMPLE)
    wanted = np.zeros((10, 10), int)
    for true, guess in zip(labels, predicted, strict=True):
        wanted[true, guess] += 1
    cells = {tuple(text.get_position()[::-1]): text.get_text() for text in figure.axes[1].texts}
    assert cells == {(row, column): str(wanted[row, column]) for row, column in np.argwhere(wanted)}
    shares = figure.axes[1].get_images()[0].get_array()
    assert np.allclose(shares, wanted / wanted.sum(axis=1, keepdims=True))
    assert figure.paper.texts[0].get_text() == "Fashion-MNIST, a sample, test: 75.00% right"
    assert figure.paper.texts[1].get_text() == "375 of 500 predictions in an array are right"


def test_the_worst_mistakes_are_those_of_the_largest_margin():
    split = load(SAMPLE, "test")
    scores = np.eye(10)[split.labels]
    for example, margin in ((7, 0.25), (3, 0.75), (90, 0.5)):
        scores[example] = 0
        scores[example, (split.labels[example] + 1) % 10] = margin
    figure = mistakes(scores, SAMPLE, count=2)
    shown = [image.get_array() for image in figure.paper.get_images()]
    assert [(255 - split.images[i] == image).all() for i, image in zip((3, 90), shown, strict=True)] == [True, True]
    names, labels = split.classes, split.labels
    wanted = [(i, number) for i, number in ((3, "0.00 < 0.75"), (90, "0.00 < 0.50"))]
    assert captions(figure) == [(names[labels[i]], names[(labels[i] + 1) % 10], number) for i, number in wanted]


def test_without_scores_the_most_frequent_mistakes_are_shown():
    labels = load(SAMPLE, "test").labels
    predicted = labels.copy()
    predicted[np.flatnonzero(labels == 0)[:5]] = 6
    predicted[np.flatnonzero(labels == 9)[:1]] = 7
    figure = mistakes(predicted, SAMPLE)
    assert captions(figure) == [("T-shirt/top", "Shirt", "5 times"), ("Ankle boot", "Sneaker", "once")]


@pytest.mark.parametrize(("change", "said"), [(0, "No mistakes"), (1, "mistakes: true class, predicted class")])
def test_a_model_that_is_always_right_and_one_that_never_is(change, said):
    labels = load(SAMPLE, "test").labels
    figure = mistakes((labels + change) % 10, SAMPLE)
    assert any(said in text.get_text() for text in figure.paper.texts)
    assert figure.paper.texts[0].get_text().endswith(f"{1 - change:.2%} right")


SCORES = [[0.5, 0.25, 0.25], [0, 1, 0], [0.125, 0.125, 0.75], [-3, 1e3, 2]]


@pytest.mark.parametrize(
    "text",
    [
        "0\n1\n2\n1\n",
        "label\n0\n1\n2\n1\n",
        "0.0\n1.000e+00\n2\n1\n",
        "\ufeffant\r\nbee\r\ncat\r\nbee\r\n",
        "class\nant\nbee\n\ncat\n1\n",
        '"ant"\n"bee"\n"cat"\n"bee"',
    ],
)
def test_a_csv_file_of_classes(text, tmp_path):
    path = tmp_path / "p.csv"
    path.write_text(text, encoding="utf-8")
    read = read_predictions(path, NAMES, 4)
    assert (read.labels.tolist(), read.scores, read.source) == ([0, 1, 2, 1], None, "p.csv")


@pytest.mark.parametrize(
    ("heading", "order"),
    [("", (0, 1, 2)), ("ant,bee,cat\n", (0, 1, 2)), ("cat,ant,bee\n", (2, 0, 1)), ("0,1,2\n", (0, 1, 2)),
     ("a,b,c\n", (0, 1, 2))],
)  # fmt: skip
def test_a_csv_file_of_scores(heading, order, tmp_path):
    path = tmp_path / "p.CSV"
    path.write_text(heading + "".join(",".join(str(row[i]) for i in order) + "\n" for row in SCORES))
    read = read_predictions(str(path), NAMES, 4)
    assert read.scores.tolist() == SCORES
    assert read.labels.tolist() == [0, 1, 2, 1]


@pytest.mark.parametrize(
    "array",
    [[0, 1, 2, 1], np.array([0, 1, 2, 1], np.uint8), np.array([[0], [1], [2], [1]]), np.array([0.0, 1, 2, 1]), SCORES],
)
def test_an_array_and_a_npy_file(array, tmp_path):
    np.save(tmp_path / "p.npy", array)
    for given in (array, tmp_path / "p.npy"):
        assert read_predictions(given, NAMES, 4).labels.tolist() == [0, 1, 2, 1]


@pytest.mark.parametrize(
    ("given", "said"),
    [
        ([0, 1, 2], r"shape of an array is \(3,\); it must be \(4,\) or \(4, 3\): a class, or a score for each class"),
        ([[0.5, 0.5]] * 4, r"shape of an array is \(4, 2\)"),
        ([0, 1, 3, 1], "row 2 of an array, counted from 0, is 3; it must be a class: an integer from 0 to 2"),
        ([0, -1, 2, 1], "row 1 of an array, counted from 0, is -1"),
        ([0, 1, 0.5, 1], "row 2 of an array, counted from 0, is 0.5"),
        ([0, 1, np.nan, 1], "row 2 of an array, counted from 0, is nan; it must be finite numbers"),
        ([[0, 0, 0], [0, 0, 0], [0, np.inf, 0], [0, 0, 0]], r"row 2 of an array, counted from 0, is \[0.0, inf, 0.0\]"),
        ([True, False, True, True], "dtype of an array is 'bool'; it must be one of integers or floats"),
        (["ant", "bee", "cat", "ant"], "dtype of an array is 'str96'"),
    ],
)
def test_a_wrong_array_is_named(given, said):
    with pytest.raises(errors.ArgumentError, match=said):
        read_predictions(given, NAMES, 4)


@pytest.mark.parametrize(
    ("name", "content", "said"),
    [
        ("p.txt", b"0\n", "unknown predictions file ending '.txt'"),
        ("p.csv", b"", "number of columns of p.csv is 0; it must be 1, of classes, or 3"),
        ("p.csv", b"0,0\n1,1\n2,2\n3,1\n", r"number of columns of p.csv is 2; .* \(and no column of indices\)"),
        ("p.csv", b"label\n0\n1\ndog\n1\n", "line 4 of p.csv is 'dog'; it must be a class: its name, or its number"),
        ("p.csv", b"0\n1\n2\n1\n0\n", r"shape of p.csv is \(5,\)"),
        ("p.csv", b"1,2,3\n1,2\n", "number of columns in line 2 of p.csv is 2; it must be 3"),
        ("p.csv", b"1,2,3\n1,x,3\n", "line 2 of p.csv is '1,x,3'; it must be numbers"),
        ("p.csv", b"\xff\xfe0\n", "p.csv'; it must be a .csv file in UTF-8"),
        ("p.npy", b"nothing", "p.npy'; it must be a .npy file of numbers"),
        ("p.npy", b"", "p.npy'; it must be a .npy file of numbers"),
    ],
)
def test_a_wrong_file_is_named(name, content, said, tmp_path):
    (tmp_path / name).write_bytes(content)
    with pytest.raises(errors.UnknownNameError, match=said):
        read_predictions(tmp_path / name, NAMES, 4)


def test_a_pickle_is_not_read(tmp_path):
    np.save(tmp_path / "p.npy", np.array([object()]), allow_pickle=True)
    with pytest.raises(errors.ArgumentError, match=r"a \.npy file of numbers"):
        read_predictions(tmp_path / "p.npy", NAMES, 4)


def test_a_file_that_is_absent():
    with pytest.raises(FileNotFoundError):
        mistakes("absent.csv", SAMPLE)


def test_a_dataset_of_ones_own(tmp_path):
    toy = made.make(tmp_path / "toy")
    (tmp_path / "p.csv").write_text("\n".join(["ant"] * 12))
    labels = load(toy.spec, "test", data_dir=toy.folder).labels
    figure = mistakes(tmp_path / "p.csv", toy.spec, data_dir=toy.folder)
    assert f"{(labels == 0).sum()} of 12 predictions in p.csv are right" == figure.paper.texts[1].get_text()
