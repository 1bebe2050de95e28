"""Read the four files of `idxhub get NAME --to DIR` and print the SHA-256 of the images and of the labels.

It needs neither NumPy nor idxhub::

    python3 read_idx.py DIR
"""

import gzip
import hashlib
import math
import struct
import sys
import zlib
from pathlib import Path


def read_idx(path: Path, magic: int) -> memoryview:
    """Return the array of a file: `images[i, row, column]` is a pixel, and `labels[i]` a label."""
    try:
        content = gzip.decompress(path.read_bytes())
        found, *shape = struct.unpack_from(f">{1 + (magic & 0xFF)}I", content)
    except (EOFError, gzip.BadGzipFile, struct.error, zlib.error) as error:
        raise ValueError(f"{path}: {error}") from error
    if found != magic:
        raise ValueError(f"{path}: wrong magic number")
    data = memoryview(content)[4 + 4 * len(shape) :]
    if len(data) != math.prod(shape):
        raise ValueError(f"{path}: {len(data)} bytes of data, but the shape is {shape}")
    return data.cast("B", shape)


def main(folder: Path) -> None:
    """Print the digests of the train examples and then the test examples."""
    images_sha256, labels_sha256 = hashlib.sha256(), hashlib.sha256()
    for name in ("train", "t10k"):
        images = read_idx(folder / f"{name}-images-idx3-ubyte.gz", 0x803)
        labels = read_idx(folder / f"{name}-labels-idx1-ubyte.gz", 0x801)
        if len(images) != len(labels):
            raise ValueError(f"{name}: {len(images)} images, {len(labels)} labels")
        images_sha256.update(images.cast("B"))
        labels_sha256.update(labels)
    print(f"images {images_sha256.hexdigest()} labels {labels_sha256.hexdigest()}")


if __name__ == "__main__":
    main(Path(sys.argv[1]))
