"""What a notebook shows for a dataset: complete, safe, small, quick, and never an error."""

from __future__ import annotations

import base64
import io
import re
from dataclasses import replace
from html.parser import HTMLParser
from time import perf_counter

import numpy as np
import pytest
from support import made
from support.needs import need
from support.processes import python

from idxhub import Arrays, get_dataset, get_loader, load
from idxhub.data import notebook

SAMPLE = "fashion-mnist-sample"
MAX_SIZE = 30_000  # bytes
RANDOM = np.random.default_rng(0)
EVIL = """<script>alert("1")</script>&'`"""


class Shown(HTMLParser):
    """What a browser makes of HTML: its texts, and the attributes of its tags. Tags must be closed in order."""

    def __init__(self, html):
        super().__init__()
        self.open, self.tags, self.texts = [], [], []
        self.feed(html)
        self.close()
        assert not self.open

    def handle_starttag(self, tag, attrs):
        self.tags.append((tag, dict(attrs)))
        if tag != "img":
            self.open.append(tag)

    def handle_endtag(self, tag):
        assert self.open.pop() == tag

    def handle_data(self, data):
        if self.open[-1] != "style":
            self.texts.append(data)


def html_of(value):
    html = value._repr_html_()
    assert len(html.encode()) <= MAX_SIZE  # which also shows that it can be encoded
    return html


def texts_of(value):
    return Shown(html_of(value)).texts


def rows_of(value, *names):
    """The rows of the table of facts that have these names."""
    texts = texts_of(value)
    return [(name, texts[i + 1]) for i, name in enumerate(texts) if name in names]


def classes_of(value):
    """Labels, names and counts: what comes after the table of facts, in threes. Labels without a name have two."""
    rows = re.findall(r'<th>(-?\d+)</th><td>([^<]*)</td><td class="n">([\d,]+)</td>', html_of(value))
    return [(int(label), name, int(count.replace(",", ""))) for label, name, count in rows]


def picture_of(value):
    """The picture as an array of grey levels, or of colours."""
    image = need("PIL.Image")
    (encoded,) = re.findall(r'src="data:image/png;base64,([^"]*)"', html_of(value))
    opened = image.open(io.BytesIO(base64.b64decode(encoded, validate=True)))
    assert opened.format == "PNG"
    return np.asarray(opened.convert("RGB"))


def noise(*shape, high=256, dtype=np.uint8):
    return RANDOM.integers(0, high, shape).astype(dtype)


def of_classes(images, count=3):
    return Arrays(images, np.arange(len(images)) % count)


def test_arrays():
    arrays = get_dataset(SAMPLE)
    texts = texts_of(arrays)
    assert texts[:3] == [SAMPLE, " train, 2,000 examples ", "Arrays"]
    assert rows_of(arrays, "images", "labels", "licence") == [
        ("images", "uint8 (2000, 28, 28), HW"),
        ("labels", "int64 (2000,)"),
        ("licence", "MIT, (c) 2017 Zalando SE"),
    ]
    files = [(each.filename, each.sha256) for each in arrays.info.records]
    assert rows_of(arrays, "file") == [("file", f"{name}, SHA-256 {digest}") for name, digest in files]
    assert classes_of(arrays) == list(zip(range(10), load(SAMPLE).classes, np.bincount(arrays.labels), strict=True))


def test_a_split():
    split = load(SAMPLE, "train[:30]+test")
    assert texts_of(split)[:3] == [SAMPLE, " train[:30]+test, 530 examples ", "Split"]
    assert len(rows_of(split, "file")) == 4
    assert rows_of(split, "images") == [("images", "uint8 (530, 28, 28), HW")]
    assert split._repr_html_() == split.to_html()
    assert texts_of(split)[2:] == Shown(split.to_html("Split")).texts[2:]
    more = Shown(split.to_html("Mine", [("nodes", "8 <edges>")])).texts
    assert more[2] == "Mine"
    assert more[more.index("nodes") + 1] == "8 <edges>"


@pytest.mark.parametrize(
    ("asked", "described"),
    [
        ({}, "uint8 (2000, 28, 28), HW"),
        ({"layout": "CHW"}, "uint8 (2000, 1, 28, 28), CHW; stored as uint8 (2000, 28, 28)"),
        ({"dtype": "float32", "layout": "HWC"}, "float32 (2000, 28, 28, 1), HWC; stored as uint8 (2000, 28, 28)"),
    ],
)
def test_a_loader(asked, described):
    loader = get_loader(SAMPLE, batch_size=128, seed=3, **asked)
    assert texts_of(loader)[2] == "Loader"
    assert rows_of(loader, "images", "loader") == [
        ("images", described),
        ("loader", "16 batches of 128, shuffled by seed 3"),
    ]


@pytest.mark.parametrize(
    ("asked", "described"),
    [
        ({"layout": "CHW"}, "uint8 (2000, 1, 28, 28), CHW"),
        ({"dtype": "float32", "layout": "HWC"}, "float32 (2000, 28, 28, 1), HWC"),
    ],
)
def test_arrays_of_another_layout(asked, described):
    arrays = get_dataset(SAMPLE, **asked)
    assert rows_of(arrays, "images") == [("images", described)]
    assert np.abs(picture_of(arrays) - picture_of(get_dataset(SAMPLE)).astype(int)).max() <= 17  # one grey level


def test_the_picture_has_the_first_images_of_each_class():
    arrays = get_dataset(SAMPLE)
    picture = picture_of(arrays)[..., 0]
    assert picture.shape == (10 * 28, 8 * 28)
    for label in range(10):
        first = arrays.images[np.flatnonzero(arrays.labels == label)[:8]]
        row = np.concatenate(list(first), axis=1)
        assert np.abs(picture[28 * label : 28 * (label + 1)].astype(int) - row).max() <= 16


@pytest.mark.parametrize(
    ("images", "shape"),
    [
        (noise(9, 6, 5), (3 * 6, 3 * 5)),
        (noise(9, 1, 6, 5), (3 * 6, 3 * 5)),
        (noise(9, 6, 5, 1), (3 * 6, 3 * 5)),
        (noise(9, 6, 5, 3), (3 * 6, 3 * 5)),
        (noise(9, 100, 50), (3 * 25, 3 * 13)),
        (noise(9, 1, 1), (3, 3)),
        (noise(9, 6, 5, dtype=np.int32, high=70_000), (3 * 6, 3 * 5)),
        (noise(9, 6, 5, high=2, dtype=bool), (3 * 6, 3 * 5)),
        (np.full((9, 6, 5), np.nan), (3 * 6, 3 * 5)),
        (np.full((9, 6, 5), -np.inf), (3 * 6, 3 * 5)),
        (np.full((9, 6, 5), -7.0), (3 * 6, 3 * 5)),
        (np.array([-1.7e308, 0, 1.7e308]).repeat(90).reshape(9, 6, 5), (3 * 6, 3 * 5)),
        (noise(9, 6, 5)[::2, ::-1], (3 * 6, 2 * 5)),
    ],
    ids=lambda value: f"{value.dtype}-{value.shape}" if isinstance(value, np.ndarray) else "",
)
def test_images_of_other_shapes_and_types(images, shape):
    assert picture_of(of_classes(images)).shape == (*shape, 3)


@pytest.mark.parametrize(
    ("low", "high", "shown"),
    [(0.0, 1.0, (0, 255)), (0.0, 0.5, (0, 119)), (0, 128, (0, 136)), (0, 4000, (0, 255)), (-1.0, 1.0, (0, 255))],
)
def test_the_range_of_the_values_is_shown(low, high, shown):
    images = np.zeros((2, 4, 4)) + low
    images[1] = high
    picture = picture_of(Arrays(images, np.array([0, 0])))
    assert (picture[0, 0, 0], picture[0, 4, 0]) == shown


@pytest.mark.parametrize(
    "arrays",
    [
        Arrays(noise(9), np.zeros(9, np.int64)),
        Arrays(noise(9, 7), np.zeros(9, np.int64)),
        Arrays(noise(9, 2, 6, 5), np.zeros(9, np.int64)),
        Arrays(noise(9, 2, 2, 2, 2), np.zeros(9, np.int64)),
        Arrays(noise(0, 6, 5), np.zeros(0, np.int64)),
        Arrays(noise(9, 0, 5), np.zeros(9, np.int64)),
        Arrays(noise(9, 6, 5).astype(complex), np.zeros(9, np.int64)),
        Arrays(noise(9, 6, 5).astype(object), np.zeros(9, np.int64)),
        Arrays(noise(9, 6, 5).astype(str), np.zeros(9, np.int64)),
        Arrays(np.array(5), np.array(5)),
        Arrays([[1, 2], [3]], [[1, 2], [3]]),
        Arrays([[[1, 2], [3, 4]]], [0]),
        Arrays(object(), 3),
        Arrays(None, None),
        Arrays("images", "labels"),
    ],
    ids=lambda arrays: repr(arrays)[:60],
)
def test_what_has_no_picture_is_described(arrays):
    html = html_of(arrays)
    assert "<img" not in html
    assert rows_of(arrays, "images", "labels")[0][0] == "images"
    assert len(rows_of(arrays, "images", "labels")) == 2


@pytest.mark.parametrize(
    ("labels", "classes"),
    [
        (np.array([2, 0, 2], np.uint8), [(0, "", 1), (2, "", 2)]),
        (np.array([-1, 5, -1], np.int64), [(-1, "", 2), (5, "", 1)]),
        (np.array([1, 2**64 - 1, 1], np.uint64), [(1, "", 2), (2**64 - 1, "", 1)]),
        (np.array([70_000, 1, 1]), [(1, "", 2), (70_000, "", 1)]),
        ([1, 0, 1], [(0, "", 1), (1, "", 2)]),
        (np.array([0.5, 1, 1]), []),
        (np.array([[1, 2]] * 3), []),
        (np.array(["a", "b", "b"]), []),
        (np.array([0, 1] * 5), [(0, "", 5), (1, "", 5)]),  # more labels than images
    ],
    ids=repr,
)
def test_labels_of_other_kinds(labels, classes):
    arrays = Arrays(noise(3, 6, 5), labels)
    assert classes_of(arrays) == classes
    assert picture_of(arrays).any()


def test_classes_without_examples_and_labels_without_a_class(toy):
    arrays = get_dataset(toy.spec, data_dir=toy.folder)
    arrays.labels[:] = [0] * 29 + [7]
    assert classes_of(arrays) == [(0, "ant", 29), (1, "bee", 0), (2, "cat", 0), (7, "", 1)]


@pytest.mark.parametrize("count", [1, 3])
def test_a_picture_has_no_empty_columns(count):
    assert picture_of(of_classes(noise(3 * count, 6, 5))).shape == (3 * 6, count * 5, 3)


def test_images_without_labels_have_no_picture():
    assert "<img" not in html_of(Arrays(noise(9, 6, 5), np.zeros(0, np.int64)))


@pytest.mark.parametrize("split", ["train[:0]", "train[0:0]+test[:0]"])
def test_an_empty_split(toy, split):
    shown = load(toy.spec, split, data_dir=toy.folder)
    assert classes_of(shown) == [(0, "ant", 0), (1, "bee", 0), (2, "cat", 0)]
    assert "<img" not in html_of(shown)


@pytest.mark.parametrize("shape", [(), (7,), (2, 3, 4), (2, 2, 2, 2)], ids=str)
def test_a_dataset_of_another_rank(tmp_path, shape):
    toy = made.make(tmp_path, shape=shape)
    for shown in (get_dataset(toy.spec, data_dir=tmp_path), get_loader(toy.spec, data_dir=tmp_path, batch_size=3)):
        assert rows_of(shown, "images") == [("images", f"uint8 {(30, *shape)}")]
        assert sum(count for _, _, count in classes_of(shown)) == 30


def test_a_spec_that_says_nothing_else(toy):
    shown = load(replace(toy.spec, classes=(), license=""), data_dir=toy.folder)
    assert rows_of(shown, "licence") == [("licence", "not stated")]
    assert [label for label, _, _ in classes_of(shown)] == [0, 1, 2]


def test_a_digest_that_is_not_known(toy):
    split = load(toy.spec, data_dir=toy.folder)
    record = split.info.records[0]._replace(sha256=None)
    shown = replace(split, info=split.info._replace(records=(record,)))
    assert rows_of(shown, "file") == [("file", f"{record.filename}, MD5 {record.md5}")]


@pytest.mark.parametrize("text", [EVIL, "a\x00b\x1b[31m\ud800", "\n\t", "</td></table>", "&lt;b&gt;"], ids=ascii)
def test_text_is_escaped(toy, text):
    spec = replace(toy.spec, classes=(text, "bee", "cat"), license=text)
    shown = load(spec, data_dir=toy.folder)
    cleaned = re.sub(r"[\x00-\x1f\ud800]", "\ufffd", text)
    assert texts_of(shown).count(cleaned) == 2
    assert {tag for tag, _ in Shown(html_of(shown)).tags} == {
        *("style", "div", "b", "small", "table", "tr", "th", "td"),
        *({"img"} & {tag for tag, _ in Shown(html_of(shown)).tags}),
    }
    assert cleaned in Shown(shown.to_html(text, [(text, text)])).texts


def test_long_text_is_shortened(toy):
    spec = replace(toy.spec, classes=("x" * 10_000, "bee", "cat"), license="y" * 10_000)
    texts = texts_of(load(spec, data_dir=toy.folder))
    assert "x" * 29 + "…" in texts
    assert "y" * 159 + "…" in texts


@pytest.mark.parametrize("count", [20, 21, 47, 62, 64, 65, 1000])
@pytest.mark.parametrize("images", [noise(5000, 28, 28), noise(5000, 64, 64, 3)], ids=["grey", "colour"])
def test_many_classes(count, images):
    arrays = of_classes(images, count)
    picture_of(arrays)
    assert [label for label, _, _ in sorted(classes_of(arrays))] == list(range(min(count, 64)))
    left_out = [text for text in texts_of(arrays) if "more classes" in text]
    assert left_out == ([] if count <= 64 else [f"{count - 64:,} more classes are not shown."])


def test_the_longest_texts_leave_room(toy):
    """Every text of the greatest length, each character of which takes six bytes, and as many rows as there may be."""
    labels = np.arange(30) - 2**62
    split = load(replace(toy.spec, classes=('"' * 99,) * 99, license='"' * 999), data_dir=toy.folder)
    split = replace(split, labels=labels)
    assert len(split.to_html('"' * 999, [('"' * 999, '"' * 999)]).encode()) <= MAX_SIZE


def test_many_files(toy):
    split = load(toy.spec, data_dir=toy.folder)
    shown = replace(split, info=split.info._replace(records=split.info.records * 6))
    assert rows_of(shown, "file")[7:] == [rows_of(split, "file")[1], ("file", "and 4 more")]


def test_only_the_first_million_labels_are_counted(monkeypatch):
    monkeypatch.setattr(notebook, "_MAX_COUNTED", 5)
    arrays = of_classes(noise(9, 6, 5))
    assert sum(count for _, _, count in classes_of(arrays)) == 5
    assert "The counts and the images are those of the first 5 examples." in texts_of(arrays)


class Elsewhere:
    """An array of a framework: on a device (no memory here, but rows can be taken), or gone."""

    dtype, shape = "uint8", (9, 6, 5)

    def __init__(self, values=None):
        self.values = values

    def __getitem__(self, rows):
        if self.values is None:
            raise RuntimeError("gone")
        assert len(rows) <= 16  # those that are shown
        return self.values[rows]

    def __array__(self, *_, **__):
        raise RuntimeError("not in this memory")


def test_arrays_on_a_device():
    images = np.zeros((900, 6, 5), np.uint8)
    images[1::2] = 255
    picture = picture_of(Arrays(Elsewhere(images), np.arange(900) % 2))
    assert picture.shape == (2 * 6, 8 * 5, 3)
    assert (picture[:6] == 0).all()
    assert (picture[6:] == 255).all()


def test_arrays_that_cannot_be_read():
    arrays = Arrays(Elsewhere(), Elsewhere())
    assert "<img" not in html_of(arrays)
    assert rows_of(arrays, "images", "labels") == [("images", "uint8 (9, 6, 5)"), ("labels", "uint8 (9, 6, 5)")]


@pytest.mark.parametrize(
    "hidden", ["sys.modules['PIL'] = None", "sys.modules['PIL.Image'] = None"], ids=["without Pillow", "a broken one"]
)
def test_without_pillow(hidden):
    code = f"""
        import sys
        {hidden}
        from idxhub import get_dataset
        print(get_dataset("{SAMPLE}")._repr_html_())
    """
    shown = python(code).stdout
    assert "<img" not in shown
    assert re.sub(r"<td rowspan.*?>(?=<th>)|\s+$", "", html_of(get_dataset(SAMPLE)), flags=re.DOTALL) == shown.strip()


def test_nothing_is_imported_before_a_notebook_asks():
    code = f"""
        import sys
        from idxhub import get_dataset
        arrays = get_dataset("{SAMPLE}")
        repr(arrays)
        print(*(name for name in sys.modules if name in ("PIL", "html", "idxhub.data.notebook", "idxhub.data.sprite")))
    """
    assert python(code).stdout.strip() == ""


def test_it_is_quick():
    arrays = Arrays(noise(1000, 28, 28).repeat(60, axis=0), noise(60_000, high=10))
    html_of(arrays)

    def seconds():
        start = perf_counter()
        arrays._repr_html_()
        return perf_counter() - start

    assert min(seconds() for _ in range(10)) < 0.05  # on an idle machine about 0.005
