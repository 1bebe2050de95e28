"""Draws the pictures of `arrows`; prints what dataset.py says of their files."""

import gzip
from pathlib import Path

import numpy as np

from idxhub import Resource, idx

FILES = Path(__file__).parent / "src" / "idxhub_arrow" / "files"
SIDE = 12


def arrow(random: np.random.RandomState) -> np.ndarray:
    """An arrow that points up, somewhere, of some length and brightness."""
    picture = np.zeros((SIDE, SIDE), np.uint8)
    length, brightness = random.randint(5, 10), random.randint(120, 256)
    top, middle = random.randint(0, SIDE - length + 1), random.randint(2, SIDE - 2)
    picture[top : top + length, middle] = brightness
    for step in (1, 2):
        picture[top + step, [middle - step, middle + step]] = brightness
    return picture


def main() -> None:
    """Write the four files."""
    random = np.random.RandomState(0)
    FILES.mkdir(exist_ok=True)
    for split, count in (("train", 320), ("test", 80)):
        labels = random.permutation(np.arange(count) % 4).astype(np.uint8)
        # a quarter turn to the right for each class
        images = np.stack([np.rot90(arrow(random), -int(label)) for label in labels])
        for name, array in (
            (f"{split}-images-idx3-ubyte.gz", images),
            (f"{split}-labels-idx1-ubyte.gz", labels),
        ):
            (FILES / name).write_bytes(gzip.compress(idx.encode(array), mtime=0))
            print(Resource.from_file(FILES / name))  # noqa: T201 -- to be copied


if __name__ == "__main__":
    main()
