"""`lance`, read by pylance."""

from __future__ import annotations

from support.exports import pixels
from support.needs import need

lance = need("lance")


def test_lance(data, same):
    path = data.exported("lance")
    for name, split in data.splits.items():
        table = lance.dataset(path / f"{name}.lance").to_table()
        same((pixels(table["image"].to_pylist()), table["label"].to_numpy()), split)


def test_some_rows(odd, tmp_path):
    path = odd.export("lance", tmp_path / "out")
    rows = lance.dataset(path / "train.lance").take([28, 3])
    assert rows["label"].to_pylist() == odd.splits["train"][1][[28, 3]].tolist()
