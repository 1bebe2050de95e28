"""Makes small pictures of embeddings, in 256 colours, in docs/_static/plot.

    python tools/make_embedding_pictures.py [fashion-mnist-tsne beside-mnist-tsne ...]

Those called fashion-mnist-METHOD.png show all 70,000 images. Those called beside-mnist-METHOD.png show Fashion-MNIST
beside MNIST: all images of both, but 20,000 of each by PyMDE, which the picture says. Run it where `pip install
'.[embed]'` was run and both datasets are in the cache; `idxhub get NAME` puts them there. On two cores it takes more
than an hour, unless the coordinates are in the cache.
"""

from __future__ import annotations

import io
import sys
from pathlib import Path

from PIL import Image

from idxhub_plot import embed

FOLDER = Path(__file__).parents[1] / "docs" / "_static" / "plot"
METHODS = ("pca", "tsne", "umap", "pymde")

for name in sys.argv[1:] or [f"{what}-{method}" for what in ("fashion-mnist", "beside-mnist") for method in METHODS]:
    what, _, method = name.rpartition("-")
    beside = "mnist" if what == "beside-mnist" else None
    size = 20_000 if (beside, method) == ("mnist", "pymde") else None
    figure = embed("fashion-mnist", beside=beside, method=method, size=size, progress=True)
    file = io.BytesIO()
    figure.savefig(file, format="png", dpi=80 if beside else 90)
    path = FOLDER / f"{name}.png"
    with Image.open(file) as picture:
        picture.convert("RGB").quantize(256, Image.Quantize.MAXCOVERAGE, dither=Image.Dither.NONE).save(
            path, optimize=True
        )
    print(path, path.stat().st_size, "bytes")
