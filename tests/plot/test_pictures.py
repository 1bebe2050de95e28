"""What all figures promise, and what each of them shows."""

from __future__ import annotations

import re
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
from support import made
from support.docstrings import assert_example_holds
from support.needs import need
from support.processes import raised_in

need("PIL.Image")
need("matplotlib")

from matplotlib.text import Text  # noqa: E402 -- after the skip where they are absent

import idxhub_plot  # noqa: E402 -- as above
from idxhub import DatasetSpec, SplitSpec, errors, load, order  # noqa: E402 -- as above
from idxhub_plot import classes, diff, mean, mistakes, projector, samples, sprite  # noqa: E402 -- as above
from idxhub_plot.style import Picture  # noqa: E402 -- as above

SAMPLE = "fashion-mnist-sample"
LONG = tuple(f"a class with a name that costs $5 or $6, number {i}" for i in range(62))


def guesses(name, **source):
    """Predictions that are wrong in many ways."""
    labels = load(name, "test", **source).labels
    return np.roll(labels, 1)


FIGURES = {
    "samples": samples,
    "classes": classes,
    "mean": mean,
    "mistakes": lambda name, **source: mistakes(guesses(name, **source), name, **source),
    "diff": lambda name, **source: diff(name, SAMPLE, **source),
    "diff with itself": lambda name, **source: diff(name, name, **source),
}


def dataset(folder, case):
    """(name, arguments of load) of a dataset that is awkward to draw."""
    if case == "sample":
        return SAMPLE, {}
    if case == "62 long names":
        toy = made.make(folder, shape=(7, 12), sizes={"train": 300, "test": 90}, classes=LONG, title="A long one " * 9)
    elif case == "no names":
        toy = made.make(folder, classes=())
    elif case == "one class":
        toy = made.make(folder, classes=("only",), sizes={"train": 3, "test": 1})
        labels = {
            each.labels.stem: made.write(folder, each.labels.filename, np.zeros(n, np.uint8))
            for each, n in zip(toy.spec.splits.values(), (3, 1), strict=True)
        }
        splits = {name: replace(each, labels=labels[each.labels.stem]) for name, each in toy.spec.splits.items()}
        return replace(toy.spec, splits=splits), {"data_dir": folder}
    elif case == "floats":
        toy = made.make(folder, dtype="float32")
    elif case == "not finite":
        return not_finite(folder), {"data_dir": folder}
    elif case == "line breaks":
        toy = made.make(folder, classes=("an ant\nor two", "\ta bee", "a\r\ncat\n"))
    else:
        toy = made.make(folder, shape=(90, 300), sizes={"train": 40, "test": 9})
    return toy.spec, {"data_dir": folder}


def not_finite(folder):
    """The spec of a dataset with two classes, (30, 4, 4) float64: a few pixels are NaN, inf or -inf, others 1."""
    images = np.ones((30, 4, 4))
    images[:2, 0, :3] = np.nan, np.inf, -np.inf
    labels = np.arange(30, dtype=np.uint8) % 2
    split = SplitSpec(made.write(folder, "images.gz", images), made.write(folder, "labels.gz", labels))
    return DatasetSpec(name="not-finite", splits={"train": split, "test": split}, classes=("ant", "bee"))


CASES = ("sample", "62 long names", "no names", "one class", "floats", "not finite", "line breaks", "large images")


@pytest.mark.parametrize("case", CASES)
@pytest.mark.parametrize("figure", FIGURES)
def test_no_text_is_cut_off_or_lies_on_another(figure, case, tmp_path):
    name, source = dataset(tmp_path / "data", case)
    drawn = FIGURES[figure](name, **source)
    renderer = drawn.canvas.get_renderer()
    drawn.draw(renderer)
    texts = [each for each in drawn.findobj(Text) if each.get_visible() and each.get_text().strip()]
    assert len(texts) > 3
    boxes = [each.get_window_extent(renderer) for each in texts]
    for text, box in zip(texts, boxes, strict=True):
        assert box.x0 >= 0, text
        assert box.y0 >= 0, text
        assert box.x1 <= drawn.bbox.width, text
        assert box.y1 <= drawn.bbox.height, text
    level = [(text, box) for text, box in zip(texts, boxes, strict=True) if not text.get_rotation()]
    for i, (text, box) in enumerate(level):
        for other, beside in level[:i]:
            assert not box.padded(-1).overlaps(beside.padded(-1)), (text, other)


@pytest.mark.parametrize("figure", FIGURES)
def test_an_svg_has_the_names_of_the_classes_as_text(figure):
    text = FIGURES[figure](SAMPLE).encode("svg").decode()
    found = [name for name in load(SAMPLE).classes if f">{name}</text>" in text]
    assert len(found) >= (8 if figure == "samples" else 10)
    assert ">Fashion-MNIST, a sample" in text


@pytest.mark.parametrize("ending", ["png", "svg", "pdf"])
@pytest.mark.parametrize("figure", ["samples", "mean"])
def test_the_same_picture_is_the_same_file(figure, ending):
    first, again = (FIGURES[figure](SAMPLE).encode(ending) for _ in range(2))
    assert first == again
    assert first.startswith({"png": b"\x89PNG", "svg": b"<?xml", "pdf": b"%PDF"}[ending])


def test_a_figure_shows_itself_in_a_notebook():
    figure = classes(SAMPLE)
    assert figure._repr_png_() == figure.encode("png")


def test_samples_are_the_first_in_the_order_of_the_seed():
    split = load(SAMPLE, "test")
    figure = samples(SAMPLE, "test", rows=2, columns=3, seed=5)
    where = order(500, seed=5, epoch=0)[:6]
    shown = [image.get_array() for image in figure.paper.get_images()]
    assert len(shown) == 6
    assert all((255 - split.images[i] == image).all() for i, image in zip(where, shown, strict=True))
    captions = [text.get_text() for text in figure.paper.texts[2:]]
    assert captions == [text for i in where for text in (split.classes[split.labels[i]], f"{i:,}")]


@pytest.mark.parametrize("splits", ["train", ("train[:80%]", "train[80%:]"), ("train", "test"), None])
def test_bars_are_as_long_as_there_are_examples(splits):
    figure = classes(SAMPLE, splits)
    named = ["train", "test"] if splits is None else [splits] if isinstance(splits, str) else list(splits)
    bars = [[bar.get_width() for bar in bars] for bars in figure.axes[1].containers]
    assert bars == [np.bincount(load(SAMPLE, each).labels, minlength=10).tolist() for each in named]
    numbers = [text.get_text() for text in figure.axes[1].texts]
    assert numbers == [f"{count:.0f}" for of_split in bars for count in of_split]


def test_classes_without_names_are_the_labels_of_all_splits(tmp_path):
    toy = made.make(tmp_path, classes=())
    figure = classes(toy.spec, data_dir=tmp_path)
    assert [text.get_text() for text in figure.paper.texts][-3:] == ["0", "1", "2"]


def test_classes_need_no_images(tmp_path):
    toy = made.make(tmp_path, shape=(4,))
    bars = classes(toy.spec, "train", data_dir=tmp_path).axes[1].containers[0]
    assert sum(bar.get_width() for bar in bars) == 30


def test_mean_and_deviation_are_those_of_each_class():
    split = load(SAMPLE)
    shown = [image.get_array() for image in mean(SAMPLE).paper.get_images()]
    assert len(shown) == 20
    for label in range(10):
        of_class = split.images[split.labels == label].astype(float)
        assert np.allclose(shown[label], of_class.mean(axis=0), rtol=1e-12)
        assert np.allclose(shown[10 + label], of_class.std(axis=0), rtol=1e-9)


def test_pixels_that_are_not_finite_hide_no_mean(tmp_path):
    images = [image.get_array() for image in mean(not_finite(tmp_path), data_dir=tmp_path).paper.get_images()]
    assert len(images) == 4
    assert images[0][0].tolist() == pytest.approx([14 / 15, 1, 1, 1])


def test_a_name_that_is_too_long_keeps_as_much_as_fits():
    picture = Picture(3, 1)
    whole = "".join(map(chr, range(97, 123)))
    for fit in (0.01, 0.3, 0.71, 1, 2.5):
        written = picture.write(0, 0, whole, fit=fit)
        start, dots, end = written.get_text().partition("\N{HORIZONTAL ELLIPSIS}")
        assert whole == start + end if not dots else whole.startswith(start) and whole.endswith(end)
        assert picture.width_of(written) <= fit or len(start + end) == 2
        if dots:
            longer = whole[: len(start) + 1] + dots + whole[-len(end) :]
            assert len(start) == len(end) + 1 or picture.width_of(picture.write(0, 0, longer)) > fit


def test_a_class_without_examples_has_no_mean(tmp_path):
    toy = made.make(tmp_path, classes=("ant", "bee", "cat", "dog"))
    assert len(mean(toy.spec, data_dir=tmp_path).paper.get_images()) == 6


IMAGES_ONLY = {
    "sprite": sprite,
    "samples": samples,
    "mean": mean,
    "projector": projector,
    "mistakes": lambda name, **source: mistakes(np.zeros(12, int), name, **source),
    "diff": lambda name, **source: diff(name, SAMPLE, **source),
}


@pytest.mark.parametrize("shape", [(), (4,), (6, 5, 3)])
@pytest.mark.parametrize("picture", IMAGES_ONLY)
def test_arrays_that_are_no_images_are_refused(picture, shape, tmp_path):
    toy = made.make(tmp_path, shape=shape)
    with pytest.raises(errors.ArgumentError, match=r"shape of an example of toy is .*; it must be \(height, width\)"):
        IMAGES_ONLY[picture](toy.spec, data_dir=tmp_path)


@pytest.mark.parametrize(
    ("draw", "kind", "said"),
    [
        (lambda: samples(SAMPLE, rows=51), errors.ArgumentError, "rows is 51"),
        (lambda: samples(SAMPLE, columns=0), errors.ArgumentError, "columns is 0"),
        (lambda: samples(SAMPLE, seed=-1), errors.ArgumentError, "seed is -1"),
        (lambda: samples(SAMPLE, "trian"), errors.UnknownNameError, "did you mean 'train'"),
        (lambda: samples("fashion"), errors.UnknownNameError, "did you mean 'fashion-mnist'"),
        (lambda: mean(SAMPLE, "train[:0]"), errors.ArgumentError, "a part of fashion-mnist-sample that has examples"),
        (lambda: classes(SAMPLE, []), errors.ArgumentError, "a sequence of at least one"),
        (lambda: classes(3), errors.UnknownNameError, "unknown dataset 3"),
        (lambda: diff(SAMPLE, SAMPLE, seed="a"), errors.ArgumentError, "seed is 'a'"),
    ],
)
def test_what_is_wrong_is_said(draw, kind, said):
    with pytest.raises(kind, match=said):
        draw()


def test_labels_that_are_no_classes_are_too_many(tmp_path):
    toy = made.make(tmp_path, sizes={"train": 1001}, classes=())
    labels = made.write(tmp_path, "train-labels-idx1-ubyte.gz", np.arange(1001, dtype=np.int32))
    spec = replace(toy.spec, splits={"train": replace(toy.spec.splits["train"], labels=labels)})
    with pytest.raises(errors.ArgumentError, match="number of classes of toy is 1001; it must be 1,000 or less"):
        classes(spec, data_dir=tmp_path)


FUNCTIONS = [getattr(idxhub_plot, name) for name in idxhub_plot.__all__ if name[0].islower()]


@pytest.mark.parametrize("function", FUNCTIONS, ids=lambda function: function.__name__)
def test_the_example_of_a_docstring(function, full_data_dir, tmp_path, monkeypatch):
    load(split="train+test", data_dir=full_data_dir)  # into the cache
    monkeypatch.chdir(tmp_path)
    assert_example_holds(function)


@pytest.mark.parametrize("name", idxhub_plot.__all__)
def test_public_names_are_described(name):
    page = (Path(__file__).parents[2] / "docs" / "reference" / "plot.md").read_text(encoding="utf-8")
    assert re.search(rf"^\.\. (auto\w+|py:\w+):: idxhub_plot\.{name}(\(.*\))?$", page, re.MULTILINE)
    assert name in dir(idxhub_plot)


def test_a_name_that_does_not_exist():
    with pytest.raises(AttributeError, match="module 'idxhub_plot' has no attribute 'sprit'"):
        idxhub_plot.sprit  # noqa: B018 -- it raises


@pytest.mark.parametrize("absent", ["matplotlib", "PIL"])
def test_a_missing_package_is_named_with_what_installs_it(absent):
    code = """
        import sys
        sys.modules[sys.argv[1]] = None
        import idxhub_plot  # without any of them
        idxhub_plot.mean
    """
    error = raised_in(code, absent)
    assert isinstance(error, errors.MissingFrameworkError)
    assert str(error).endswith("install it with: pip install matplotlib pillow")
