"""Draw the pictures of docs/_static/plot from the full Fashion-MNIST.

    python tools/draw_docs_pictures.py --data-dir FOLDER --first-release FOLDER

FOLDER has the four files; that of the first release has its two files of labels. The predictions are those of linear
least squares (ridge regression on the pixels), which is made here, in seconds. To keep each file below 200 kB, some of
the pictures have fewer colours here than those that idxhub itself writes.
"""

from __future__ import annotations

import argparse
import io
from pathlib import Path
from typing import Any

import numpy as np
from PIL import Image

from idxhub import get_dataset
from idxhub_plot import classes, diff, mean, mistakes, samples, sprite

FOLDER = Path(__file__).parents[1] / "docs" / "_static" / "plot"
COLOURS = {"sprite": 16, "mistakes": 256, "diff": 256}  # the others keep all of theirs


def least_squares(data_dir: Path) -> Any:
    """The scores of the test images, (10000, 10): those of how-to/plot.md, for the full dataset."""
    train, test = get_dataset(split=("train", "test"), dtype="float32", data_dir=data_dir)
    pixels, unknown = (np.c_[each.images.reshape(-1, 784), np.ones(len(each.images))] for each in (train, test))
    wanted = np.eye(10)[train.labels]
    weights = np.linalg.solve(pixels.T @ pixels + 10 * np.eye(pixels.shape[1]), pixels.T @ wanted)
    return unknown @ weights


def main() -> None:
    """Draw each picture, and write it with few colours."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    for option in ("--data-dir", "--first-release"):
        parser.add_argument(option, type=Path, required=True)
    given = parser.parse_args()
    source = {"data_dir": given.data_dir}
    np.save(scores := FOLDER / "least-squares.npy", least_squares(given.data_dir))
    drawn = {
        "sprite": sprite(**source),
        "samples": samples(**source),
        "classes": classes(**source),
        "mean": mean(**source),
        "mistakes": mistakes(scores, **source),
        "diff": diff("fashion-mnist", given.first_release, **source),
    }
    scores.unlink()
    for name, picture in drawn.items():
        path = FOLDER / f"fashion-mnist-{name}.png"
        image = picture if isinstance(picture, Image.Image) else Image.open(io.BytesIO(picture.encode("png")))
        image = image.convert("L" if name == "sprite" else "RGB")
        if name in COLOURS:
            image = image.quantize(COLOURS[name], dither=Image.Dither.NONE)
        image.save(path, optimize=True)
        print(f"{path.name}: {path.stat().st_size:,} bytes")


if __name__ == "__main__":
    main()
