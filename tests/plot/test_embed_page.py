"""The page of an embedding: what is in the file. How it behaves in a browser is in test_embed_browser.py."""

from __future__ import annotations

import base64
import hashlib
import io
import json
import re
from pathlib import Path

import numpy as np
import pytest
from support import made
from support.needs import need

need("PIL.Image")
need("matplotlib")

from PIL import Image  # noqa: E402 -- after the skip where it is absent

from idxhub import errors, load  # noqa: E402 -- as above
from idxhub_plot import embed_page, embedding  # noqa: E402 -- as above
from idxhub_plot.embeddings import page as pages  # noqa: E402 -- as above
from idxhub_plot.embeddings.sheets import along_curve, sheet_size, sheets  # noqa: E402 -- as above

ROOT = Path(__file__).parents[2]
VENDOR = ROOT / "adapters" / "idxhub_plot" / "embeddings" / "vendor"
SAMPLE = "fashion-mnist-sample"


def part(page, name):
    return re.search(rf'<script type="[^"]*" id="{name}">(.*?)</script>', page)[1]


def array(page, name, dtype):
    return np.frombuffer(base64.b64decode(part(page, name)), dtype)


def images_of(page):
    """The images in the order of the points."""
    size = json.loads(part(page, "description"))["sheetSize"]
    images = []
    for number in range(page.count('id="sheet-')):
        with Image.open(io.BytesIO(base64.b64decode(part(page, f"sheet-{number}")))) as sheet:
            assert sheet.mode == "L"
            images.append(np.asarray(sheet).reshape(-1, 28, 28))
    assert all(len(each) == size for each in images[:-1])
    return np.concatenate(images)[array(page, "places", "<u4")]


def test_the_page_has_every_example_with_its_image_and_class():
    page, placed, split = embed_page(SAMPLE), embedding(SAMPLE), load(SAMPLE, "all")
    indices = array(page, "indices", "<u4")
    assert sorted(indices.tolist()) == list(range(2500))
    assert (images_of(page) == split.images[indices]).all()
    assert (array(page, "labels", "<u2") == split.labels[indices]).all()
    places = array(page, "coordinates", "<f4").reshape(-1, 2)
    assert np.abs(places).max() == pytest.approx(1)
    factors = np.ptp(placed.coordinates, axis=0) / np.ptp(places, axis=0)
    assert factors[0] == pytest.approx(factors[1])  # the same in both directions
    back = places * factors + (placed.coordinates.max(axis=0) + placed.coordinates.min(axis=0)) / 2
    np.testing.assert_allclose(back, placed.coordinates[indices], atol=1e-4)
    said = json.loads(part(page, "description"))
    assert said["classes"] == list(split.classes)
    assert said["parts"] == [["train", 0, 2000], ["test", 0, 500]]
    assert said["total"] == 2500


def test_neighbours_on_the_curve_are_neighbours_in_the_plane():
    places = np.random.default_rng(0).random((4000, 2), np.float32)
    along = along_curve(places)
    assert sorted(along.tolist()) == list(range(4000))
    steps = np.linalg.norm(np.diff(places[along], axis=0), axis=1)
    assert np.median(steps) < 0.03  # in a random order it would be 0.5


def test_a_sheet_is_no_larger_than_a_canvas_may_be():
    assert sheet_size(28) == 512
    assert sheet_size(1000) == 14
    assert sheet_size(20_000) == 1
    assert [Image.open(io.BytesIO(sheet)).size for sheet in sheets(np.zeros((520, 28, 30), np.uint8))] == [
        (30, 14_336),
        (30, 224),
    ]


def test_nothing_but_its_own_scripts_may_run_and_nothing_be_requested():
    page = embed_page(SAMPLE, "test")
    policy = re.search(r'http-equiv="Content-Security-Policy" content="([^"]*)"', page)[1]
    rules = dict(rule.split(" ", 1) for rule in policy.split("; "))
    assert rules["default-src"] == "'none'"
    for rule, found in (("script-src", r"<script>(.*?)</script>"), ("style-src", r"<style>(.*?)</style>")):
        hashes = [
            base64.b64encode(hashlib.sha256(text.encode()).digest()).decode()
            for text in re.findall(found, page, re.DOTALL)
        ]
        assert rules[rule] == " ".join(f"'sha256-{each}'" for each in hashes)
    assert not re.search(r"(src|href)=\"(?!data:)", page)
    assert "{{" not in page.replace(re.search(r"<script>(.*?)</script>", page, re.DOTALL)[1], "")


def test_names_are_text_and_no_markup(tmp_path):
    names = ("<b>", "</script><script>alert(1)</script>", "a & b")
    toy = made.make(tmp_path / "odd", classes=names, title="<i>Odd</i>", license="<MIT>")
    page = embed_page(toy.spec, data_dir=toy.folder)
    assert json.loads(part(page, "description"))["classes"] == list(names)
    assert "<h1>&lt;i&gt;Odd&lt;/i&gt;</h1>" in page
    assert "&lt;MIT&gt;" in page
    assert "alert(1)</script>" not in page


def test_images_of_another_type_are_scaled(tmp_path):
    wide = made.make(tmp_path / "wide", shape=(28, 28), dtype="int16", sizes={"train": 20})
    found = images_of(embed_page(wide.spec, data_dir=wide.folder))
    assert (found.min(), found.max()) == (0, 255)


def test_a_page_that_could_not_be_opened_is_refused(monkeypatch):
    monkeypatch.setattr(pages, "MOST_PIXELS", 28 * 28 * 100)
    with pytest.raises(errors.ArgumentError, match="500; it must be 100 or less for a page"):
        embed_page(SAMPLE, "test")
    assert embed_page(SAMPLE, "test", size=100)


def test_the_library_is_the_one_that_the_note_describes():
    note = (ROOT / "tools" / "plot-page-library" / "README.md").read_text(encoding="utf-8")
    assert hashlib.sha256((VENDOR / "library.js").read_bytes()).hexdigest() in note
    versions = json.loads((ROOT / "tools" / "plot-page-library" / "package.json").read_text())["dependencies"]
    licences = (VENDOR / "LICENSES.txt").read_text(encoding="utf-8")
    for package, version in versions.items():
        assert f"{package} {version} (" in licences
        assert f"| {package} | {version} |" in note
