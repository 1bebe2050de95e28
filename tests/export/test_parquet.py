"""`parquet`, read by datasets, pyarrow, polars, duckdb and Ray."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest
from support.exports import pixels
from support.needs import need

from idxhub import errors

pq = need("pyarrow.parquet")
Image = need("PIL.Image")


@pytest.fixture
def exported(data):
    """The folder, and each split's file in it."""
    path = data.exported("parquet")
    files = {name: path / "data" / f"{name}-00000-of-00001.parquet" for name in data.splits}
    assert sorted(each for each in path.rglob("*") if each.is_file()) == sorted(files.values())
    return path, files


def test_datasets(data, exported, tmp_path, same):
    datasets = need("datasets")
    path, files = exported
    names = {name: str(file) for name, file in files.items()}
    read = datasets.load_dataset("parquet", data_files=names, cache_dir=str(tmp_path / "cache"))
    by_folder = datasets.load_dataset(str(path), cache_dir=str(tmp_path / "cache"))
    assert {name: len(split) for name, split in by_folder.items()} == {
        name: len(labels) for name, (_, labels) in data.splits.items()
    }
    label = datasets.ClassLabel(names=list(data.spec.classes))
    for name, split in data.splits.items():
        assert read[name].features == datasets.Features({"image": datasets.Image(), "label": label})
        rows = read[name][:]
        same((list(map(np.asarray, rows["image"])), rows["label"]), split)


@pytest.mark.parametrize("names", [("train", "test", "test50k", "nist"), ("one", "other"), ("x.y", "the_1")])
def test_datasets_finds_each_split_by_its_name(odd, tmp_path, names):
    datasets = need("datasets")
    sizes = {name: number for number, name in enumerate(names, 1)}
    path = odd.export("parquet", tmp_path / "out", splits={name: f"train[:{size}]" for name, size in sizes.items()})
    found = datasets.load_dataset(str(path), cache_dir=str(tmp_path / "cache"))
    assert {name: len(split) for name, split in found.items()} == sizes


@pytest.mark.parametrize("splits", ["all", "train+test", {"x.": "train"}])
def test_names_that_datasets_refuses(odd, tmp_path, splits):
    with pytest.raises(errors.ArgumentError, match=r"a name in splits is .*for datasets"):
        odd.export("parquet", tmp_path / "out", splits=splits)


def test_equal_names_of_classes_are_refused(odd, tmp_path):
    with pytest.raises(errors.ArgumentError, match=r"classes is \('a', 'b', 'a'\); it must be names that differ"):
        replace(odd, spec=replace(odd.spec, classes=("a", "b", "a"))).export("parquet", tmp_path / "out")


def test_pyarrow(data, exported, same):
    for name, split in data.splits.items():
        table = pq.read_table(exported[1][name])
        assert str(table.schema.field("image").type) == "struct<bytes: binary, path: string>"
        files = table["image"].combine_chunks().field("bytes").to_pylist()
        same((pixels(files), table["label"].to_numpy()), split)


def test_polars(data, exported, same):
    polars = need("polars")
    for name, split in data.splits.items():
        frame = polars.read_parquet(exported[1][name])
        files = frame["image"].struct.field("bytes").to_list()
        same((pixels(files), frame["label"].to_numpy()), split)


def test_duckdb(data, exported, same):
    duckdb = need("duckdb")
    for name, split in data.splits.items():
        with duckdb.connect() as connection:
            query = "select image.bytes as file, label from read_parquet(?)"
            read = connection.execute(query, [str(exported[1][name])]).fetchnumpy()
        same((pixels(read["file"]), read["label"]), split)


def test_ray(data, exported, same):
    ray_data = need("ray.data")
    for name, split in data.splits.items():
        rows = ray_data.read_parquet(str(exported[1][name])).take_all()
        same((pixels(row["image"]["bytes"] for row in rows), [row["label"] for row in rows]), split)


def test_the_schema_is_that_of_datasets(data, exported):
    datasets = need("datasets")
    label = datasets.ClassLabel(names=list(data.spec.classes))
    expected = datasets.Features({"image": datasets.Image(), "label": label}).arrow_schema
    for file in exported[1].values():
        assert pq.read_schema(file).equals(expected, check_metadata=True)


def test_it_is_smaller_than_what_datasets_writes(fashion_mnist, tmp_path):
    """And so than the Hub's files, whose PNG files `datasets` has written too, with Pillow."""
    datasets = need("datasets")
    images, labels = fashion_mnist.splits["test"]
    features = datasets.Features({"image": datasets.Image(), "label": datasets.Value("int64")})
    rows = {"image": [Image.fromarray(image) for image in images], "label": labels}
    theirs = tmp_path / "theirs.parquet"
    datasets.Dataset.from_dict(rows, features=features).to_parquet(str(theirs))
    ours = fashion_mnist.exported("parquet") / "data" / "test-00000-of-00001.parquet"
    assert ours.stat().st_size < theirs.stat().st_size


def test_no_row_group_is_large(fashion_mnist):
    metadata = pq.read_metadata(fashion_mnist.exported("parquet") / "data" / "test-00000-of-00001.parquet")
    assert max(metadata.row_group(i).num_rows for i in range(metadata.num_row_groups)) < 2_000


def test_several_files(odd, tmp_path, same):
    path = odd.export("parquet", tmp_path / "out", splits="train", examples_per_shard=13)
    assert sorted(each.name for each in path.glob("data/*")) == [f"train-0000{n}-of-00003.parquet" for n in range(3)]
    table = pq.read_table(path)
    same((pixels(table["image"].combine_chunks().field("bytes").to_pylist()), table["label"]), odd.splits["train"])


def test_a_dataset_without_names_of_classes(odd, tmp_path):
    nameless = replace(odd, spec=replace(odd.spec, classes=()))
    path = nameless.export("parquet", tmp_path / "out")
    metadata = pq.read_schema(path / "data" / "train-00000-of-00001.parquet").metadata[b"huggingface"]
    assert b'"label": {"dtype": "int64", "_type": "Value"}' in metadata
