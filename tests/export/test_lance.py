"""`lance`, read by pylance."""

from __future__ import annotations

import io

import numpy as np
from support.needs import need

lance = need("lance")
Image = need("PIL.Image")


def test_lance(data, same):
    path = data.exported("lance")
    for name, split in data.splits.items():
        table = lance.dataset(path / f"{name}.lance").to_table()
        images = [np.asarray(Image.open(io.BytesIO(file))) for file in table["image"].to_pylist()]
        same((images, table["label"].to_numpy()), split)


def test_some_rows(odd, tmp_path):
    path = odd.export("lance", tmp_path / "out")
    rows = lance.dataset(path / "train.lance").take([28, 3])
    assert rows["label"].to_pylist() == odd.splits["train"][1][[28, 3]].tolist()
