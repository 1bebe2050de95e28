"""Make core/idxhub/catalog/sample: the first 200 train and 50 test images of each class, in their original order.

    python tools/make_sample.py [--data-dir FOLDER] [--out FOLDER]

Prints the `Resource` lines for core/idxhub/catalog/builtin/fashion_mnist_sample.py. The .gz bytes depend on
the zlib at hand, the payloads do not: a test compares those.
"""

from __future__ import annotations

import argparse
import gzip
from pathlib import Path

import numpy as np

import idxhub
from idxhub import Resource, idx

PER_CLASS = {"train": 200, "test": 50}


def main() -> None:
    """Write the four files and print their digests."""
    parser = argparse.ArgumentParser(description=__doc__.partition("\n")[0])
    parser.add_argument("--data-dir", type=Path, help="where the four Fashion-MNIST files are")
    parser.add_argument("--out", type=Path, default=Path(__file__).parents[1] / "core/idxhub/catalog/sample")
    arguments = parser.parse_args()
    arguments.out.mkdir(parents=True, exist_ok=True)
    for split, count in PER_CLASS.items():
        data = idxhub.load("fashion-mnist", split, data_dir=arguments.data_dir)
        chosen = np.sort(np.concatenate([np.flatnonzero(data.labels == c)[:count] for c in range(len(data.classes))]))
        files = data.info.spec.splits[split]
        for resource, array in (
            (files.images, data.images[chosen]),
            (files.labels, data.labels[chosen].astype(np.uint8)),
        ):
            path = arguments.out / resource.filename
            path.write_bytes(gzip.compress(idx.encode(array), mtime=0))
            print(Resource.from_file(path))


if __name__ == "__main__":
    main()
