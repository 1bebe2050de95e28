"""The examples as one web page with all their images inside it, which asks for nothing over the network."""

from __future__ import annotations

import base64
import hashlib
import html
import json
import re
from collections.abc import Mapping, Sequence
from importlib.resources import files
from typing import Unpack

import numpy as np
from numpy.typing import NDArray

from idxhub import DatasetSpec, errors, order
from idxhub_plot.colours import class_colours
from idxhub_plot.embeddings.coordinates import Embedding, EmbeddingOptions, embedding
from idxhub_plot.embeddings.sheets import along_curve, sheet_size, sheets
from idxhub_plot.images import dataset_title

MOST_PIXELS = 1 << 28  # of all images: a page of more would not open
_HERE = files("idxhub_plot.embeddings")


def embed_page(
    name: str | DatasetSpec = "fashion-mnist",
    split: str = "all",
    **options: Unpack[EmbeddingOptions],
) -> str:
    """One web page with each example as a point, and with its image.

    The page needs no network and no other file. It can be zoomed and moved by mouse, touch and keyboard; it shows the
    image under the pointer, shows or hides classes, and finds an image by its position.

    Example:
        >>> from idxhub_plot import embed_page
        >>> page = embed_page("fashion-mnist-sample", "test")
        >>> page[:15]
        '<!doctype html>'

    Args:
        name (str or DatasetSpec): as for `embedding`. Default: "fashion-mnist".
        split (str): as for `embedding`. Default: "all".
        **options: the keyword arguments of `embedding`: `method`, `parameters`, `size`, `seed`, `progress`, `data_dir`,
            `cache_dir` and `download`.

    Returns:
        The text of an HTML file. It has 39 MB for the 70,000 images of Fashion-MNIST. The images are in it as PNG, in
        shades of grey; uint8 pixels are kept as they are.

    Raises:
        ArgumentError: all images together have more than 268 million pixels.
        IdxHubError: the errors of `embedding`.
    """
    return page(embedding(name, split, **options))


def page(placed: Embedding) -> str:
    """The page of an embedding."""
    images = placed.images
    height, width = images.split.images.shape[1:]
    if len(placed) * height * width > MOST_PIXELS:
        most = f"{MOST_PIXELS // (height * width):,} or less for a page, because each has {height} x {width} pixels"
        raise errors.ArgumentError("number of images", len(placed), most)
    drawn = order(len(placed), 0, 0)  # mixed, so that no class hides the others
    curve = along_curve(placed.coordinates.clip(*placed.bounds))
    places = np.empty(len(placed), np.int64)
    places[curve] = np.arange(len(placed))
    packed = sheets(images.grey(placed.indices[curve], invert=False))
    description = {
        "classes": placed.class_names,
        "colours": class_colours(len(placed.class_names)),
        "parts": images.split.info.parts,
        "total": len(images),
        "sheetSize": sheet_size(height),
        "height": height,
        "width": width,
    }
    style, script, library = (_text(each) for each in ("page.css", "page.js", "vendor/library.js"))
    last = images.split.info.parts[-1]
    return _filled(
        {
            "policy": _policy([library, script], style),
            "title": html.escape(dataset_title(images.split)),
            "method": html.escape(placed.title),
            "about": html.escape(placed.description),
            "example": html.escape(f"{last[0]}[{last[1]}]"),
            "count": f"{len(placed):,}",
            "data_licence": _licence(images.split.info.spec),
            "licences": html.escape(_text("vendor/LICENSES.txt")),
            "style": style,
            "description": json.dumps(description).replace("<", "\\u003c"),
            "coordinates": _base64(_normalised(placed)[drawn].astype("<f4")),
            "labels": _base64(placed.labels[drawn].astype("<u2")),
            "indices": _base64(placed.indices[drawn].astype("<u4")),
            "places": _base64(places[drawn].astype("<u4")),
            "library": library,
            "script": script,
            "sheets": "\n".join(
                f'<script type="text/plain" id="sheet-{i}">{base64.b64encode(sheet).decode()}</script>'
                for i, sheet in enumerate(packed)
            ),
        }
    )


def _filled(values: Mapping[str, str]) -> str:
    """The template with its values: each {{name}} is in it once."""
    parts = re.split(r"\{\{(\w+)\}\}", _text("page.html"))
    return "".join(values[part] if i % 2 else part for i, part in enumerate(parts))


def _normalised(placed: Embedding) -> NDArray[np.float32]:
    """The coordinates with 0 in the middle of their bounds, whose longer side is from -1 to 1."""
    low, high = placed.bounds
    longer = float((high - low).max()) or 1.0
    found: NDArray[np.float32] = (placed.coordinates - (low + high) / 2) * (2 / longer)
    return found


def _licence(spec: DatasetSpec) -> str:
    return f"The images are under the licence {html.escape(spec.license)}." if spec.license else ""


def _policy(scripts: Sequence[str], style: str) -> str:
    """A policy under which a browser runs these scripts and no other, and requests nothing."""
    hashes = " ".join(map(_hash, scripts))
    return f"default-src 'none'; img-src data:; script-src {hashes}; style-src {_hash(style)}"


def _hash(code: str) -> str:
    """How a policy names a script or a style: by the digest of what stands between the tags."""
    return f"'sha256-{base64.b64encode(hashlib.sha256(code.encode()).digest()).decode()}'"


def _base64(array: NDArray[np.generic]) -> str:
    return base64.b64encode(array.tobytes()).decode()


def _text(name: str) -> str:
    return (_HERE / name).read_text(encoding="utf-8")
