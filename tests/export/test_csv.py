"""`csv`, read by pandas, polars and duckdb."""

from __future__ import annotations

import numpy as np
import pytest
from support import made
from support.needs import need

import idxhub


def columns(images):
    return ["label", *(f"pixel{number}" for number in range(1, images[0].size + 1))]


def by_pandas(path):
    table = need("pandas").read_csv(path)
    return list(table.columns), table.to_numpy()


def by_polars(path):
    table = need("polars").read_csv(path)
    return table.columns, table.to_numpy()


def by_duckdb(path):
    # it guesses the types from these lines
    found = need("duckdb").connect().read_csv(str(path), sample_size=100)
    return found.columns, np.stack(list(found.fetchnumpy().values()), axis=1)


@pytest.mark.parametrize("read", [by_pandas, by_polars, by_duckdb])
def test_readers(data, same, read):
    path = data.exported("csv")
    assert {each.name for each in path.iterdir()} == {f"{data.spec.name}_{name}.csv" for name in data.splits}
    for name, (images, labels) in data.splits.items():
        names, table = read(path / f"{data.spec.name}_{name}.csv")
        assert names == columns(images)
        assert table.dtype == np.int64
        same((table[:, 1:].reshape(images.shape), table[:, 0]), (images, labels))


def test_the_bytes_are_those_of_pandas(odd, tmp_path):
    path = odd.export("csv", tmp_path / "out")
    pandas = need("pandas")
    for name, (images, labels) in odd.splits.items():
        table = np.concatenate([labels[:, None], images.reshape(len(images), -1)], axis=1)
        expected = pandas.DataFrame(table, columns=columns(images)).to_csv(index=False, lineterminator="\n")
        assert (path / f"toy_{name}.csv").read_bytes() == expected.encode()


@pytest.mark.parametrize("dtype", ["int8", "int16", "int32", "float32", "float64"])
def test_other_types(tmp_path, dtype):
    toy = made.make(tmp_path / "published", dtype=dtype, shape=(3, 2, 2))
    path = idxhub.export(toy.spec, "csv", tmp_path / "out", data_dir=toy.folder, progress=False)
    for name, split in toy.spec.splits.items():
        images = toy.array(split.images)
        table = np.loadtxt(path / f"toy_{name}.csv", delimiter=",", skiprows=1, dtype=np.float64)
        assert np.array_equal(table[:, 1:].astype(images.dtype).reshape(images.shape), images)
        assert np.array_equal(table[:, 0], toy.array(split.labels))


def test_floats_are_read_as_they_were(tmp_path):
    """The text of a number is that from which the same bits are read."""
    random = np.random.default_rng(0)
    images = random.standard_normal((50, 4)).astype(np.float32) * np.float32(10.0) ** random.integers(-30, 30, (50, 4))
    files = (
        made.write(tmp_path / "p", "x-idx2-float.gz", images.astype(np.float32)),
        made.write(tmp_path / "p", "y-idx1-ubyte.gz", np.zeros(50, np.uint8)),
    )
    spec = idxhub.DatasetSpec("mine", {"train": idxhub.SplitSpec(*files)})
    path = idxhub.export(spec, "csv", tmp_path / "out", data_dir=tmp_path / "p", progress=False)
    lines = (path / "mine_train.csv").read_text().splitlines()[1:]
    read = np.array([[np.float32(text) for text in line.split(",")[1:]] for line in lines])
    assert np.array_equal(read, images.astype(np.float32))
