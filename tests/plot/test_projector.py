"""The files of the Embedding Projector: what is in them, and that TensorBoard reads it."""

from __future__ import annotations

import io
import json

import numpy as np
import pytest
from support import made
from support.needs import need

need("PIL.Image")
need("matplotlib")

from PIL import Image  # noqa: E402 -- after the skip where they are absent

from idxhub import errors, load  # noqa: E402 -- as above
from idxhub_plot import PROJECTOR_FILES, projector  # noqa: E402 -- as above

SAMPLE = "fashion-mnist-sample"


def tensors(files):
    return np.loadtxt(io.BytesIO(files["tensors.tsv"]), delimiter="\t", ndmin=2)


def test_the_files_hold_the_examples_in_their_order():
    split = load(SAMPLE, "test")
    files = projector(SAMPLE)
    assert tuple(files) == PROJECTOR_FILES
    assert np.allclose(tensors(files), split.images.reshape(500, -1) / 255, atol=5e-5)
    heading, *rows = files["metadata.tsv"].decode().splitlines()
    assert heading == "position\tlabel\tclass"
    assert rows == [f"{i}\t{label}\t{split.classes[label]}" for i, label in enumerate(split.labels)]


@pytest.mark.parametrize("invert", [True, False])
def test_the_sprite_has_every_image_row_by_row(invert):
    images = load(SAMPLE, "test").images
    with Image.open(io.BytesIO(projector(SAMPLE, invert=invert)["sprite.png"])) as picture:
        sheet = np.asarray(picture)
    assert sheet.shape == (23 * 28, 23 * 28)  # 23 is the least square root of 500 and more
    cells = sheet.reshape(23, 28, 23, 28).swapaxes(1, 2).reshape(-1, 28, 28)
    assert (cells[:500] == (255 - images if invert else images)).all()
    assert (cells[500:] == (255 if invert else 0)).all()


def test_vectors_of_ones_own():
    vectors = np.linspace(-1, 1, 1000).reshape(500, 2)
    assert np.allclose(tensors(projector(SAMPLE, vectors=vectors)), vectors, rtol=1e-5)


def test_pixels_of_another_type_are_kept(tmp_path):
    toy = made.make(tmp_path, dtype="float32")
    images = load(toy.spec, data_dir=tmp_path).images
    assert np.allclose(tensors(projector(toy.spec, "train", data_dir=tmp_path)), images.reshape(30, -1))


def test_a_name_with_a_tab_is_one_column(tmp_path):
    toy = made.make(tmp_path, classes=("a\tnt", "be\ne", "cat"))
    rows = projector(toy.spec, "train", data_dir=tmp_path)["metadata.tsv"].decode().splitlines()
    assert len(rows) == 31
    assert {row.split("\t")[2] for row in rows[1:]} <= {"a nt", "be e", "cat"}


@pytest.mark.parametrize(
    "vectors", [np.zeros(500), np.zeros((499, 2)), np.zeros((500, 0)), [["a"]] * 500, np.zeros((500, 2), bool)]
)
def test_wrong_vectors_are_refused(vectors):
    with pytest.raises(errors.ArgumentError, match=r"vectors is .*; it must be an array of numbers, \(500, D\)"):
        projector(SAMPLE, vectors=vectors)


def test_a_sprite_that_no_browser_can_show_is_refused(tmp_path):
    toy = made.make(tmp_path, shape=(1, 2049), sizes={"train": 10})
    with pytest.raises(errors.ArgumentError, match="number of examples of train is 10; it must be 9 or less"):
        projector(toy.spec, "train", data_dir=tmp_path)


def test_tensorboard_reads_the_files(tmp_path):
    need("tensorboard")
    from tensorboard.plugins.base_plugin import TBContext  # noqa: PLC0415 -- here only
    from tensorboard.plugins.projector.projector_plugin import ProjectorPlugin  # noqa: PLC0415 -- as above
    from werkzeug.test import Client  # noqa: PLC0415 -- as above

    toy = made.make(tmp_path / "toy")
    files = projector(toy.spec, "train", data_dir=tmp_path / "toy")
    for name, content in files.items():
        (tmp_path / name).write_bytes(content)
    apps = ProjectorPlugin(TBContext(logdir=str(tmp_path))).get_plugin_apps()

    def get(route):
        answer = Client(apps[route]).get(route, query_string={"run": ".", "name": "images"})
        assert answer.status_code == 200
        return answer.data

    assert json.loads(get("/runs")) == ["."]
    assert json.loads(get("/info"))["embeddings"] == [
        {
            "tensorName": "images",
            "tensorShape": [30, 30],
            "tensorPath": "tensors.tsv",
            "metadataPath": "metadata.tsv",
            "sprite": {"imagePath": "sprite.png", "singleImageDim": [5, 6]},
        }
    ]
    images = load(toy.spec, data_dir=tmp_path / "toy").images
    assert np.allclose(
        np.frombuffer(get("/tensor"), np.float32).reshape(30, 30), images.reshape(30, 30) / 255, atol=1e-4
    )
    assert get("/metadata") == files["metadata.tsv"]
    assert get("/sprite_image") == files["sprite.png"]
