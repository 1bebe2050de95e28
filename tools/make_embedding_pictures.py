"""Makes docs/_static/plot/fashion-mnist-{pca,tsne,umap,pymde}.png: small pictures of all 70,000 images, in 256 colours.

Run it where `pip install '.[embed]'` was run. On two cores it takes about half an hour, unless the coordinates are in
the cache. Names of methods as arguments: only those.
"""

from __future__ import annotations

import io
import sys
from pathlib import Path

from PIL import Image

from idxhub_plot import embed

FOLDER = Path(__file__).parents[1] / "docs" / "_static" / "plot"

for method in sys.argv[1:] or ("pca", "tsne", "umap", "pymde"):
    file = io.BytesIO()
    embed("fashion-mnist", method=method, progress=True).savefig(file, format="png", dpi=90)
    path = FOLDER / f"fashion-mnist-{method}.png"
    with Image.open(file) as picture:
        picture.convert("RGB").quantize(256, Image.Quantize.MAXCOVERAGE, dither=Image.Dither.NONE).save(
            path, optimize=True
        )
    print(path, path.stat().st_size, "bytes")
