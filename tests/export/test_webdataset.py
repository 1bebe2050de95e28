"""`webdataset`, read by webdataset, datasets and Python's tarfile."""

from __future__ import annotations

import tarfile

import numpy as np
import pytest
from support.needs import need

from idxhub.errors import ArgumentError


# webdataset leaves it to Python to close the files
@pytest.mark.filterwarnings("ignore:Exception ignored in:pytest.PytestUnraisableExceptionWarning")
@pytest.mark.parametrize(("which", "per_shard"), [("fashion_mnist", None), ("odd", None), ("odd", 8)])
def test_webdataset(request, same, which, per_shard):
    reader = need("webdataset")
    data = request.getfixturevalue(which)
    path = data.exported("webdataset", **({"examples_per_shard": per_shard} if per_shard else {}))
    for name, split in data.splits.items():
        shards = sorted(map(str, path.glob(f"{name}-*.tar")))
        assert len(shards) == -(-len(split[1]) // (per_shard or 10_000))
        # "l8": grey pixels as they are
        dataset = reader.WebDataset(shards, shardshuffle=False).decode("l8").to_tuple("__key__", "png", "cls")
        keys, images, labels = zip(*dataset, strict=True)
        assert keys == tuple(f"{index:06}" for index in range(len(labels)))
        same((np.stack(images), labels), split)


def test_datasets(data, tmp_path, same):
    datasets = need("datasets")
    path = data.exported("webdataset")
    files = {name: str(path / f"{name}-*.tar") for name in data.splits}
    read = datasets.load_dataset("webdataset", data_files=files, cache_dir=str(tmp_path / "cache"))
    for name, split in data.splits.items():
        rows = read[name][:]
        same((list(map(np.asarray, rows["png"])), rows["cls"]), split)


def test_the_archive_is_that_of_tarfile(odd, tmp_path):
    path = odd.export("webdataset", tmp_path / "out", splits="test") / "test-000000.tar"
    again = tmp_path / "again.tar"
    with tarfile.open(path) as ours, tarfile.open(again, "w", format=tarfile.USTAR_FORMAT) as theirs:
        for member in ours:
            assert (member.mtime, member.uid, member.gid, member.uname, member.gname) == (0, 0, 0, "", "")
            theirs.addfile(member, ours.extractfile(member))
    assert path.read_bytes() == again.read_bytes()


@pytest.mark.parametrize("count", [0, -1, 2.5, True, "many"])
def test_a_wrong_number_of_examples(odd, tmp_path, count):
    with pytest.raises(ArgumentError, match="examples_per_shard"):
        odd.export("webdataset", tmp_path / "out", examples_per_shard=count)
    assert not (tmp_path / "out").exists()
