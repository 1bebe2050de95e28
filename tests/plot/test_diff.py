"""What two datasets share: every image finds its like, whatever its split, its position and its label."""

from __future__ import annotations

import gzip
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
from support import made
from support.needs import need

need("PIL.Image")
need("matplotlib")

from idxhub import DatasetSpec, SplitSpec, errors, idx  # noqa: E402 -- after the skip where they are absent
from idxhub_plot import compare, diff  # noqa: E402 -- as above
from idxhub_plot.pictures.diff import summary  # noqa: E402 -- as above

SAMPLE = "fashion-mnist-sample"
IMAGES = np.arange(8 * 6, dtype=np.uint8).reshape(8, 3, 2)


def dataset(folder: Path, name: str, **splits: tuple[list[int], list[int]]) -> DatasetSpec:
    """A dataset that has in each split these images of `IMAGES`, with these labels."""
    specs = {}
    for split, (which, labels) in splits.items():
        images = made.write(folder / name, f"{split}-images-idx3-ubyte.gz", IMAGES[which])
        specs[split] = SplitSpec(
            images, made.write(folder / name, f"{split}-labels-idx1-ubyte.gz", np.array(labels, np.uint8))
        )
    return DatasetSpec(name, specs, classes=("ant", "bee", "cat"), folders=(str(folder / name),))


def test_images_are_matched_by_their_bytes(tmp_path):
    a = dataset(tmp_path, "a", train=([0, 1, 2, 3], [0, 1, 2, 0]), test=([4, 5], [1, 2]))
    b = dataset(tmp_path, "b", train=([5, 6, 1], [2, 0, 0]), test=([7, 0], [1, 0]))
    found = compare(a, b)
    assert found.pairs.tolist() == [[0, 4], [1, 2], [5, 0]]
    assert found.differing.tolist() == [[1, 2]]
    assert found.a.shared.tolist() == [True, True, False, False, False, True]
    assert found.b.shared.tolist() == [True, False, True, False, True]
    assert found.labels.tolist() == [[1, 0, 0], [1, 0, 0], [0, 0, 1]]
    assert summary(found) == "3 of 6 images of a are in b; 1 label differs."


def test_the_picture_has_these_numbers(tmp_path):
    a = dataset(tmp_path, "a", train=([0, 1, 2, 3], [0, 1, 2, 0]), test=([4, 5], [1, 2]))
    b = dataset(tmp_path, "b", train=([5, 6, 1], [2, 0, 0]), test=([7, 0], [1, 0]))
    figure = diff(a, b)
    bars = [bar.get_width() for bar in figure.axes[1].patches]
    assert np.allclose(bars, [1 / 4, 1 / 4, 2 / 4, 1 / 2, 0, 1 / 2, 1 / 3, 1 / 3, 1 / 3, 1 / 2, 0, 1 / 2])
    cells = {tuple(text.get_position()[::-1]): text.get_text() for text in figure.axes[2].texts}
    assert cells == {(0, 0): "1", (1, 0): "1", (2, 2): "1"}
    headings = [text.get_text() for text in figure.paper.texts if text.get_fontweight() == "bold"][2:]
    assert headings == ["The same image, another label: 1", "In a alone: 3", "In b alone: 2"]
    first = figure.paper.get_images()[0].get_array()
    assert (255 - first == IMAGES[1]).all()


def test_an_image_that_is_there_twice_needs_a_like_that_is_there_twice(tmp_path):
    a = dataset(tmp_path, "a", train=([0, 0, 0], [0, 1, 2]))
    b = dataset(tmp_path, "b", train=([0, 1, 0], [0, 1, 1]))
    found = compare(a, b)
    assert found.pairs.tolist() == [[0, 0], [1, 2]]
    assert len(found.differing) == 0


def test_images_of_another_shape_or_type_are_others(tmp_path):
    for shape, dtype in (((3, 2), "int8"), ((2, 3), "uint8"), ((6,), "uint8")):
        a, b = (made.make(tmp_path / f"{n}{shape}{dtype}", shape=s, dtype=d, sizes={"train": 5}, name=n)
                for n, s, d in (("a", (3, 2), "uint8"), ("b", shape, dtype)))  # fmt: skip
        for toy in (a, b):
            resource = toy.spec.splits["train"].images
            zeros = made.write(toy.folder, resource.filename, np.zeros(resource.shape, resource.dtype))
            toy.spec.splits["train"] = replace(toy.spec.splits["train"], images=zeros)
        specs = [replace(toy.spec, folders=(str(toy.folder),)) for toy in (a, b)]
        assert len(compare(*specs).pairs) == 0
        assert summary(compare(*specs)) == "No image of a is in b."
        assert len(compare(specs[0], specs[0]).pairs) == 5


def test_a_sample_is_a_part_of_the_whole(full_data_dir):
    found = compare("fashion-mnist", SAMPLE, data_dir=full_data_dir)
    assert len(found.pairs) == 2500
    assert (found.pairs[:, 0] < 60000).tolist() == (found.pairs[:, 1] < 2000).tolist()
    assert found.b.shared.all()
    assert len(found.differing) == 0
    assert summary(found).startswith(
        "2,500 of 70,000 images of Fashion-MNIST are in Fashion-MNIST, a sample; their labels"
    )


@pytest.fixture
def base(tmp_path):
    return dataset(tmp_path, "base", train=([0, 1, 2], [0, 1, 2]), test=([3, 4], [0, 1]))


@pytest.mark.parametrize("name", ["train-labels-idx1-ubyte.gz", "train-labels-idx1-ubyte"])
def test_files_in_a_folder_take_the_place_of_those_with_their_names(name, base, tmp_path):
    folder = tmp_path / "older"
    made.write(folder, name, np.array([0, 2, 2], np.uint8)) if name.endswith(".gz") else (
        folder.mkdir(), (folder / name).write_bytes(idx.encode(np.array([0, 2, 2], np.uint8))))  # fmt: skip
    found = compare(base, folder)
    assert found.b.title == "older"
    assert found.pairs.tolist() == [[i, i] for i in range(5)]
    assert found.differing.tolist() == [[1, 1]]


def test_images_in_a_folder_take_the_place_too(base, tmp_path):
    made.write(tmp_path / "newer", "test-images-idx3-ubyte.gz", IMAGES[[3, 7]])
    found = compare(base, tmp_path / "newer")
    assert found.pairs.tolist() == [[0, 0], [1, 1], [2, 2], [3, 3]]


def test_what_a_split_does_to_its_files_is_done_to_those_in_the_folder(tmp_path):
    table = np.array([[9, 1], [9, 2], [9, 3], [9, 1]], np.uint8)
    split = SplitSpec(
        made.write(tmp_path / "t", "images.gz", IMAGES[:4]),
        made.write(tmp_path / "t", "labels.gz", table),
        label_column=1,
        label_offset=1,
        transposed=True,
        start=1,
    )
    spec = DatasetSpec("t", {"train": split}, classes=("ant", "bee", "cat"), folders=(str(tmp_path / "t"),))
    other = table.copy()
    other[2, 1] = 2
    made.write(tmp_path / "f", "labels.gz", other)
    made.write(tmp_path / "f", "images.gz", IMAGES[:4])
    found = compare(spec, tmp_path / "f")
    assert found.pairs.tolist() == [[0, 0], [1, 1], [2, 2]]
    assert found.differing.tolist() == [[1, 1]]


@pytest.mark.parametrize(
    ("name", "content", "kind", "said"),
    [
        ("other.gz", b"", errors.ArgumentError, "it must be one with at least one of these files: train-images"),
        ("train-labels-idx1-ubyte.gz", b"no gzip", errors.IdxFormatError, "Not a gzipped file"),
        ("train-labels-idx1-ubyte", b"none", errors.IdxFormatError, "not IDX"),
        ("train-labels-idx1-ubyte.gz", gzip.compress(idx.encode(np.zeros(4, np.uint8))), errors.ArgumentError,
         r"is \(4,\); it must be \(3,\), as that of the file it replaces"),
        ("train-labels-idx1-ubyte.gz", gzip.compress(idx.encode(np.zeros(3, np.uint8)))[:-12], errors.IdxFormatError,
         "end-of-stream"),
        ("train-labels-idx1-ubyte.gz", gzip.compress(idx.encode(np.zeros(3, np.uint8))[:-1]), errors.IdxFormatError,
         "too short"),
        ("train-labels-idx1-ubyte", idx.encode(np.full(3, 7, np.uint8)), errors.ArgumentError, "label in .* is 7"),
    ],
)  # fmt: skip
def test_a_wrong_folder_is_named(name, content, kind, said, base, tmp_path):
    folder = tmp_path / "f"
    folder.mkdir()
    (folder / name).write_bytes(content)
    with pytest.raises(kind, match=said):
        compare(base, folder)


def test_the_labels_of_the_first_release_belong_to_images_in_another_order(full_data_dir, mnist_dir):
    folder = mnist_dir.parent / "fashion-mnist-v1-labels"
    if not folder.is_dir():
        pytest.skip("needs the labels of the first release of Fashion-MNIST, beside the files of MNIST")
    found = compare("fashion-mnist", folder, data_dir=full_data_dir)
    assert (len(found.pairs), len(found.differing)) == (70_000, 63_008)
    assert found.labels.sum(axis=0).tolist() == found.labels.sum(axis=1).tolist() == [7000] * 10
    assert summary(found) == (
        "All 70,000 images of Fashion-MNIST are in fashion-mnist-v1-labels; 63,008 labels differ, as many as by chance."
    )
