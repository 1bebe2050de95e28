"""The scatter plot of an embedding, and the command that draws it."""

from __future__ import annotations

import json
import os

import numpy as np
import pytest
from support import made
from support.needs import need

need("PIL.Image")
need("matplotlib")

from matplotlib.colors import to_hex  # noqa: E402 -- after the skip where it is absent

from idxhub import errors, load  # noqa: E402 -- as above
from idxhub_plot import class_colours, embed, embedding  # noqa: E402 -- as above

SAMPLE = "fashion-mnist-sample"


def texts(figure):
    return [text.get_text() for text in figure.paper.texts]


def test_each_example_is_a_point_in_the_colour_of_its_class():
    figure = embed(SAMPLE, "test")
    placed = embedding(SAMPLE, "test")
    _, axes = figure.axes
    (points,) = axes.collections
    of_place = {tuple(place): label for place, label in zip(placed.coordinates.tolist(), placed.labels, strict=True)}
    assert len(points.get_offsets()) == 500
    for place, colour in zip(points.get_offsets().tolist(), points.get_facecolors(), strict=True):
        assert to_hex(colour) == class_colours(10)[of_place[tuple(np.float32(place).tolist())]]


def test_the_legend_has_all_classes_in_their_colours():
    figure = embed(SAMPLE, "test")
    assert texts(figure) == ["Fashion-MNIST, a sample", "PCA, 500 images", *load(SAMPLE).classes]
    dots = [to_hex(line.get_color()) for line in figure.paper.lines]
    assert dots == list(class_colours(10))


@pytest.mark.parametrize("count", [1, 2, 11, 62])
def test_a_legend_of_any_number_of_classes_fits(count, tmp_path):
    names = tuple(f"the class of number {i}" for i in range(count))
    toy = made.make(tmp_path / "many", sizes={"train": 20}, classes=("ant", "bee", "cat", *names)[: max(3, count)])
    figure = embed(toy.spec, data_dir=toy.folder)
    width, height = figure.get_size_inches()
    for text in figure.paper.texts:
        box = text.get_window_extent(figure.canvas.get_renderer())
        assert 0 <= box.x0 < box.x1 <= width * figure.dpi
        assert 0 <= box.y0 < box.y1 <= height * figure.dpi
    assert len(figure.paper.lines) == max(3, count)


def test_a_second_dataset_is_drawn_beside_the_first(tmp_path):
    toy = made.make(tmp_path / "toy", sizes={"train": 30}, title="Toys")
    figure = embed(SAMPLE, "train", beside=toy.spec, data_dir=toy.folder)
    _, left, right = figure.axes
    assert [len(each.collections[0].get_offsets()) for each in (left, right)] == [2000, 30]
    assert left.get_position().x1 < right.get_position().x0
    written = texts(figure)
    assert written[:2] == ["Fashion-MNIST, a sample beside Toys", "PCA, 2,000 images / PCA, 30 images"]
    assert {"Fashion-MNIST, a sample", "Toys", "Ankle boot", *made.CLASSES} <= set(written)


@pytest.mark.parametrize(("file", "start"), [("a.png", b"\x89PNG"), ("a.svg", b"<?xm"), ("a.pdf", b"%PDF")])
def test_the_format_is_that_of_the_name(file, start, plot):
    done = plot("embed", SAMPLE, "--split", "test", "-o", file)
    assert (done.exit_code, done.output) == (0, f"wrote {file}\n")
    with open(file, "rb") as opened:
        content = opened.read()
    assert content.startswith(start)
    if file.endswith("svg"):
        assert b">Ankle boot<" in content  # text stays text
        assert content.count(b"<image") == 1  # and the points are one image
        assert len(content) < 500_000


def test_the_file_is_named_after_the_dataset_and_the_method(plot):
    assert plot("embed", SAMPLE, "--size", "50").output == f"wrote {SAMPLE}-pca.png\n"
    assert plot("embed", SAMPLE, "--size", "50", "--html").output == f"wrote {SAMPLE}-pca.html\n"
    assert plot("embed", SAMPLE, "--size", "50", "-o", "b.HTML").output == "wrote b.HTML\n"
    with open("b.HTML", encoding="utf-8") as page, open(f"{SAMPLE}-pca.html", encoding="utf-8") as same:
        assert page.read() == same.read()


def test_json_names_both_datasets(plot):
    said = json.loads(plot("embed", SAMPLE, "--beside", SAMPLE, "--split", "test", "-o", "a.png", "--json").stdout)
    assert said["picture"] == "embed"
    assert said["datasets"] == [SAMPLE, SAMPLE]


@pytest.mark.parametrize(
    ("arguments", "said"),
    [
        ([SAMPLE, "--method", "tsen"], "unknown method 'tsen'; did you mean 'tsne'?"),
        ([SAMPLE, "--html", "--beside", SAMPLE], "a page shows one dataset: leave --beside or --html out"),
        ([SAMPLE, "--html", "-o", "a.png"], "unknown picture file ending '.png'. Choices: .html."),
        ([SAMPLE, "-o", "a.jpg"], "Choices: .png, .svg, .pdf."),
        ([SAMPLE, "--beside", "mnits"], "did you mean 'mnist'?"),
        ([SAMPLE, "--size", "1"], "size is 1; it must be an integer of 2 or more"),
    ],
)
def test_what_is_wrong_is_said_before_anything_is_written(arguments, said, plot):
    done = plot("embed", *arguments)
    assert done.exit_code == 2
    assert said in done.stderr
    assert os.listdir() == []


def test_a_missing_package_is_an_error_with_the_command_that_installs_it(plot, monkeypatch):
    def absent(*_):
        raise errors.MissingFrameworkError("install it with: pip install openTSNE")

    monkeypatch.setattr("idxhub_plot.embeddings.methods.Method.load", absent)
    done = plot("embed", SAMPLE, "--method", "tsne")
    assert done.exit_code == 1
    assert "pip install openTSNE" in done.stderr
