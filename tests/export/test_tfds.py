"""`tfrecord` and `arrayrecord`, read by TensorFlow, TFDS and grain; and described as TFDS does it."""

from __future__ import annotations

import io
import json
import re
from dataclasses import replace

import numpy as np
import pytest
from support import made
from support.needs import need

from idxhub import errors
from idxhub_export.tfds_files import encode_example

Image = need("PIL.Image")
WHOLE = 200_000  # examples in a file: a split is in one file


def paths(path, data, name, file_format):
    """The files of a split."""
    dataset = data.spec.name.replace("-", "_")
    return sorted(map(str, path.glob(f"{dataset}-{name}.{file_format}-*")))


def test_tensorflow(data, same):
    tf = need("tensorflow")
    path = data.exported("tfrecord", examples_per_shard=WHOLE)
    features = {"image": tf.io.FixedLenFeature((), tf.string), "label": tf.io.FixedLenFeature((), tf.int64)}

    def parse(example):
        read = tf.io.parse_single_example(example, features)
        return tf.io.decode_png(read["image"]), read["label"]

    for name, split in data.splits.items():
        records = tf.data.TFRecordDataset(paths(path, data, name, "tfrecord"))
        (images, labels), *more = records.map(parse).batch(len(split[1])).as_numpy_iterator()
        assert more == []
        same((images[..., 0], labels), split)


@pytest.mark.parametrize("per_shard", [WHOLE, 8])
def test_tfds(data, same, per_shard, request):
    tfds = need("tensorflow_datasets")
    if "fashion_mnist" in request.node.name and per_shard == 8:
        per_shard = 9_000
    path = data.exported("tfrecord", examples_per_shard=per_shard)
    builder = tfds.builder_from_directory(str(path))
    height, width = data.splits["train"][0].shape[1:]
    assert builder.info.features["image"].shape == (height, width, 1)
    assert builder.info.features["label"].names == list(data.spec.classes)
    for name, split in data.splits.items():
        info = builder.info.splits[name]
        assert (info.num_examples, info.num_shards) == (len(split[1]), -(-len(split[1]) // per_shard))
        in_order = tfds.ReadConfig(interleave_cycle_length=1)  # otherwise it takes turns with the shards
        read = builder.as_dataset(split=name, as_supervised=True, batch_size=len(split[1]), read_config=in_order)
        ((images, labels),) = read.as_numpy_iterator()
        same((images[..., 0], labels), split)


def test_tfds_reads_a_part(odd, tmp_path, same):
    tfds = need("tensorflow_datasets")
    builder = tfds.builder_from_directory(str(odd.export("tfrecord", tmp_path / "out", examples_per_shard=8)))
    read = list(tfds.as_numpy(builder.as_dataset(split="train[5:20]", as_supervised=True)))
    images, labels = odd.splits["train"]
    same(([image[..., 0] for image, _ in read], [label for _, label in read]), (images[5:20], labels[5:20]))


def test_tfds_data_source(data, same):
    tfds = need("tensorflow_datasets")
    need("array_record")
    builder = tfds.builder_from_directory(str(data.exported("arrayrecord")))
    for name, (images, labels) in data.splits.items():
        source = builder.as_data_source(split=name)
        assert len(source) == len(labels)
        indices = range(0, len(labels), max(1, len(labels) // 1_000))
        read = [source[index] for index in indices]
        same(
            ([each["image"][..., 0] for each in read], [each["label"] for each in read]),
            (images[indices], labels[indices]),
        )


def test_grain(data, same):
    """The records are read in another order than theirs, and parsed by TensorFlow."""
    grain = need("grain.python")
    tf = need("tensorflow")
    path = data.exported("arrayrecord")
    for name, split in data.splits.items():
        source = grain.ArrayRecordDataSource(paths(path, data, name, "array_record"))
        count = len(split[1])
        assert len(source) == count
        images, labels = np.zeros_like(split[0]), np.zeros_like(split[1])
        for index in reversed(range(count)):
            features = tf.train.Example.FromString(source[index]).features.feature
            images[index] = np.asarray(Image.open(io.BytesIO(features["image"].bytes_list.value[0])))
            labels[index] = features["label"].int64_list.value[0]
        same((images, labels), split)


def test_grain_reads_several_shards(odd, tmp_path):
    grain = need("grain.python")
    path = odd.export("arrayrecord", tmp_path / "out", examples_per_shard=8)
    files = paths(path, odd, "train", "array_record")
    assert len(files) == 4
    labels = odd.splits["train"][1]
    source = grain.ArrayRecordDataSource(files)
    assert all(encode_example(b"", int(label))[-5:] in source[index] for index, label in enumerate(labels))


@pytest.mark.parametrize("label", [0, 9, 127, 128, 300, 1 << 40, -1, -(1 << 63)])
@pytest.mark.parametrize("size", [0, 1, 127, 128, 20_000])
def test_an_example(label, size):
    tf = need("tensorflow")
    features = tf.train.Example.FromString(encode_example(bytes(size), label)).features.feature
    assert sorted(features) == ["image", "label"]
    assert list(features["image"].bytes_list.value) == [bytes(size)]
    assert list(features["label"].int64_list.value) == [label]


@pytest.mark.parametrize("classes", [True, False])
@pytest.mark.parametrize("file_format", ["tfrecord", "arrayrecord"])
def test_the_json_files_are_those_of_tfds(odd, tmp_path, file_format, classes):
    """Opened by TFDS and written again, they are the same."""
    tfds = need("tensorflow_datasets")
    spec = odd.spec
    if file_format == "tfrecord":
        spec = replace(spec, description="Drawn.", homepage="https://example.org/", citation="@misc{}", license="MIT")
    data = replace(odd, spec=spec if classes else replace(spec, classes=()))
    path = data.export(file_format, tmp_path / "out")
    again = tmp_path / "again"
    again.mkdir()
    tfds.builder_from_directory(str(path)).info.write_to_directory(str(again))
    for name in ("dataset_info.json", "features.json"):
        ours, theirs = (json.loads((folder / name).read_text("utf-8")) for folder in (path, again))
        theirs.pop("moduleName", None)  # of the class that has written it
        assert ours == {key: value for key, value in theirs.items() if value}
    labels = [(folder / "label.labels.txt") for folder in (path, again)]
    if classes:
        assert labels[0].read_bytes() == labels[1].read_bytes()
    assert [each.exists() for each in labels] == [classes, classes]


def test_the_number_of_bytes(odd, tmp_path):
    """That of the examples, without what TFRecord adds to each of them: 16 bytes."""
    path = odd.export("tfrecord", tmp_path / "out")
    described = json.loads((path / "dataset_info.json").read_text("utf-8"))["splits"]
    for split in described:
        (file,) = paths(path, odd, split["name"], "tfrecord")
        with open(file, "rb") as stream:
            size = len(stream.read())
        assert int(split["numBytes"]) == size - 16 * int(split["shardLengths"][0])


def test_a_name_that_tfds_does_not_accept(odd, tmp_path):
    with pytest.raises(errors.ArgumentError, match="for TFDS"):
        odd.export("tfrecord", tmp_path / "out", splits={"a.b": "train"})


def test_a_name_with_a_hyphen(odd, tmp_path):
    tfds = need("tensorflow_datasets")
    path = odd.export("tfrecord", tmp_path / "out", splits={"train-a": "train[:4]"})
    assert tfds.builder_from_directory(str(path)).info.splits["train-a"].num_examples == 4


@pytest.mark.parametrize("format_name", ["tfrecord", "arrayrecord"])
@pytest.mark.parametrize(
    ("described", "splits", "says"),
    [
        ({}, "all", "a name in splits is 'all'"),
        ({}, {"a.b": "train"}, "a name in splits is 'a.b'"),
        ({"classes": ("a", "", "c")}, None, "classes is ('a', '', 'c')"),
        ({"classes": ("a", "b\nc", "d")}, None, "classes is ('a', 'b\\nc', 'd')"),
    ],
)
def test_what_tfds_would_not_read_is_refused(format_name, odd, tmp_path, described, splits, says):
    need({"tfrecord": "google_crc32c", "arrayrecord": "array_record.python.array_record_module"}[format_name])
    changed = replace(odd, spec=replace(odd.spec, **described))
    with pytest.raises(errors.ArgumentError, match=re.escape(says)):
        changed.export(format_name, tmp_path / "out", splits=splits)


def test_images_of_two_shapes_are_refused(odd, tmp_path):
    """The description has one shape for all splits, with which TFDS decodes the images."""
    need("google_crc32c")
    other = made.make(tmp_path / "other", sizes={"other": 3}, shape=(9, 6))
    spec = replace(odd.spec, splits={**odd.spec.splits, **other.spec.splits})
    with pytest.raises(errors.ArgumentError, match=r"of shapes \[\(9, 5\), \(9, 6\)\]'; it must be of one shape"):
        replace(odd, spec=spec).export("tfrecord", tmp_path / "out")
