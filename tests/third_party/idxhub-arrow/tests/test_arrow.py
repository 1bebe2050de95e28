"""What is this distribution's own: the table, the dataset, the entry points."""

import json
from importlib.metadata import distribution

import numpy as np
import pyarrow as pa
import pytest
from idxhub_arrow import adapter

import idxhub


@pytest.fixture(autouse=True)
def _cache(tmp_path, monkeypatch):
    monkeypatch.setenv("IDXHUB_CACHE", str(tmp_path / "cache"))
    monkeypatch.setenv("IDXHUB_OFFLINE", "1")


def table(split="train", **arguments):
    return idxhub.get_dataset("arrows", framework="arrow", split=split, **arguments)


def test_idxhub_is_another_distribution_and_knows_nothing_of_this_one():
    names = [entry_point.name for entry_point in distribution("idxhub").entry_points]
    assert "arrow" not in names
    assert {
        entry_point.group for entry_point in distribution("idxhub-arrow").entry_points
    } == {*("idxhub.adapters", "idxhub.conformance", "idxhub.datasets")}
    assert "arrow" in idxhub.adapters()
    assert "arrows" in idxhub.datasets()


def test_a_table_of_tensors_and_labels():
    train = table()
    assert train.num_rows == 320
    assert train.schema.field("image").type == pa.fixed_shape_tensor(
        pa.uint8(), (12, 12)
    )
    assert train.schema.field("label").type == pa.int64()
    assert json.loads(train.schema.metadata[b"classes"]) == [
        "up",
        "right",
        "down",
        "left",
    ]
    assert table(layout="CHW", dtype="float32").schema.field(
        "image"
    ).type == pa.fixed_shape_tensor(pa.float32(), (1, 12, 12))


def test_the_images_are_the_mapped_file():
    split = idxhub.load("arrows")
    (chunk,) = adapter.idxhub_dataset(split, {})["image"].chunks
    assert chunk.storage.values.buffers()[1].address == split.images.ctypes.data


def test_names_as_labels():
    labels = table("test", names=True)["label"].combine_chunks()
    assert labels.dictionary.to_pylist() == ["up", "right", "down", "left"]
    assert (
        labels.indices.to_numpy().tolist()
        == idxhub.load("arrows", "test").labels.tolist()
    )


def test_get_loader_gives_record_batches_in_the_shared_order():
    batch = next(
        iter(idxhub.get_loader("arrows", framework="arrow", batch_size=16, seed=3))
    )
    assert isinstance(batch, pa.RecordBatch)
    where = idxhub.order(320, 3, 0)[:16]
    whole = idxhub.load("arrows")
    assert np.array_equal(batch["image"].to_numpy_ndarray(), whole.images[where])
    assert batch["label"].to_pylist() == whole.labels[where].tolist()


@pytest.mark.parametrize("split", ["train", "test"])
def test_an_arrow_is_widest_behind_its_tip(split):
    whole = idxhub.load("arrows", split)
    assert np.bincount(whole.labels).tolist() == [len(whole) // 4] * 4
    for image, label in zip(whole.images, whole.labels, strict=True):
        upright = np.rot90(image, label)  # back to where it points up
        tip = upright.any(axis=1).argmax()
        assert [np.count_nonzero(row) for row in upright[tip : tip + 4]] == [1, 3, 3, 1]


def test_every_framework_has_the_dataset():
    images, labels = idxhub.get_dataset("arrows")
    assert (images.shape, labels.shape) == ((320, 12, 12), (320,))


def test_a_spec_describes_the_installed_files():
    spec = idxhub.load("arrows").info.spec
    (folder,) = spec.folders
    for resource in spec.resources:
        assert idxhub.Resource.from_file(f"{folder}/{resource.filename}") == resource
