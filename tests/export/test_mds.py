"""`mds`, read by Mosaic's streaming; tox's environment `export-mds` has it."""

from __future__ import annotations

import json
from importlib.util import find_spec

import numpy as np
import pytest
from support.needs import need

from idxhub_export.png_bytes import encode

if find_spec("streaming"):
    from idxhub_bench.vision import modules

    modules()  # it imports torchvision, whose compiled part may be for another build of torch
streaming = need("streaming")


@pytest.mark.parametrize("per_shard", [None, 11_000])
def test_streaming(data, tmp_path, same, per_shard):
    path = data.export("mds", tmp_path / "out", **({"examples_per_shard": per_shard} if per_shard else {}))
    for name, split in data.splits.items():
        streaming.base.util.clean_stale_shared_memory()
        dataset = streaming.StreamingDataset(local=str(path), split=name, batch_size=1, shuffle=False)
        read = [dataset[index] for index in range(len(dataset))]
        same(([np.asarray(each["image"]) for each in read], [each["label"] for each in read]), split)


def test_the_files_are_those_of_its_writer(odd, tmp_path, monkeypatch):
    path = odd.export("mds", tmp_path / "out", splits="train", examples_per_shard=30) / "train"
    images, labels = odd.splits["train"]
    # it takes the PNG files as they are, because it would compress them differently
    png = need("streaming.base.format.mds.encodings").PNG
    monkeypatch.setattr(png, "encode", lambda _, file: file)
    theirs = tmp_path / "theirs"
    columns = {"image": "png", "label": "int"}
    with streaming.MDSWriter(out=str(theirs), columns=columns, size_limit=None) as writer:
        for image, label in zip(encode(images, small=True), labels, strict=True):
            writer.write({"image": image, "label": int(label)})
    assert sorted(each.name for each in path.iterdir()) == ["index.json", "shard.00000.mds"]
    assert (path / "shard.00000.mds").read_bytes() == (theirs / "shard.00000.mds").read_bytes()
    ours, expected = (json.loads((folder / "index.json").read_text("utf-8")) for folder in (path, theirs))
    assert ours == expected
