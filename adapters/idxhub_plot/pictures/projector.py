"""The files with which TensorBoard's Embedding Projector shows a dataset; TensorBoard itself is not needed.

The format: the Projector reads `projector_config.pbtxt`, a `ProjectorConfig` in protobuf's text format, which names the
other files. Source: tensorboard/plugins/projector/projector_config.proto, and tensorflow.org/tensorboard.
"""

from __future__ import annotations

import io
import os
from collections.abc import Mapping
from math import ceil, sqrt

import numpy as np
from numpy.typing import ArrayLike, NDArray
from PIL import Image

from idxhub import DatasetSpec, arguments, errors
from idxhub_plot.images import Images, as_uint8, load_images

PROJECTOR_FILES = ("tensors.tsv", "metadata.tsv", "sprite.png", "projector_config.pbtxt")
_LARGEST_SPRITE = 8192  # pixels on a side: the largest texture that a browser's WebGL surely has


def projector(
    name: str | DatasetSpec = "fashion-mnist",
    split: str = "test",
    *,
    vectors: ArrayLike | None = None,
    invert: bool = True,
    data_dir: str | os.PathLike[str] | None = None,
    cache_dir: str | os.PathLike[str] | None = None,
    download: bool = True,
) -> Mapping[str, bytes]:
    """The four files that TensorBoard's Embedding Projector reads.

    Example:
        >>> from pathlib import Path
        >>> from idxhub_plot import projector
        >>> folder = Path("logs")
        >>> folder.mkdir(exist_ok=True)
        >>> for filename, content in projector("fashion-mnist-sample").items():
        ...     _ = (folder / filename).write_bytes(content)

    Args:
        name (str or DatasetSpec): as for `idxhub.load`. Default: "fashion-mnist".
        split (str): as for `idxhub.load`. The browser computes on all of it, so thousands of examples are enough.
            Default: "test".
        vectors (array or None): a vector for each example, (N, D), such as the activations of a network; None for the
            pixels, as pixel/255 if they are uint8. Default: None.
        invert (bool): whether 0 is white in the sprite, and not black, as the page of the Projector is. Default: True.
        data_dir (path or None): as for `idxhub.load`. Default: None.
        cache_dir (path or None): as for `idxhub.load`. Default: None.
        download (bool): as for `idxhub.load`. Default: True.

    Returns:
        The contents by file name. `tensors.tsv` has a line of D numbers for each example, `metadata.tsv` a line of
        headings and then the position, the label and the class of each example, `sprite.png` all images row by row in
        a square, and `projector_config.pbtxt` names them.

    Raises:
        ArgumentError: the dataset's arrays are not images, (N, H, W), the images do not fit into a sprite of
            8192 x 8192 pixels, or `vectors` does not have one row of numbers for each example.
        IdxHubError: the errors of `idxhub.load`.
    """
    invert = arguments.boolean("invert", invert)
    images = load_images(name, split, data_dir, cache_dir, download)
    height, width = images.split.images.shape[1:]
    side = ceil(sqrt(len(images)))
    most = min(_LARGEST_SPRITE // height, _LARGEST_SPRITE // width) ** 2
    if len(images) > most:
        what = f"{most:,} or less, since their images must fit into {_LARGEST_SPRITE} x {_LARGEST_SPRITE} pixels"
        raise errors.ArgumentError(f"number of examples of {split}", len(images), what)
    contents = (
        _tensors(images, vectors),
        _metadata(images).encode(),
        _sprite(images, side, invert=invert),
        _config(height, width).encode(),
    )
    return dict(zip(PROJECTOR_FILES, contents, strict=True))


def _tensors(images: Images, vectors: ArrayLike | None) -> bytes:
    if vectors is None:
        stored = images.split.images.reshape(len(images), -1)
        if stored.dtype == np.uint8:
            return _lines(stored, {value: f"{value / 255:.4g}" for value in range(256)})
        vectors = stored
    array = np.asarray(vectors)
    if array.ndim != 2 or len(array) != len(images) or array.dtype.kind not in "iuf" or not array.size:
        what = f"an array of numbers, ({len(images)}, D)"
        raise errors.ArgumentError("vectors", f"{array.dtype} {array.shape}", what)
    file = io.BytesIO()
    np.savetxt(file, array, fmt="%.6g", delimiter="\t")
    return file.getvalue()


def _lines(array: NDArray[np.uint8], texts: Mapping[int, str]) -> bytes:
    """The same as `np.savetxt` makes, ten times faster, since there are only 256 values."""
    return "".join("\t".join([texts[value] for value in row.tolist()]) + "\n" for row in array).encode()


def _metadata(images: Images) -> str:
    names = [" ".join(name.split()) for name in images.class_names]  # a tab or a line's end would be a new column
    rows = (f"{i}\t{label}\t{names[label]}" for i, label in enumerate(images.of_class.tolist()))
    return "\n".join(["position\tlabel\tclass", *rows, ""])


def _sprite(images: Images, side: int, *, invert: bool) -> bytes:
    count, (height, width) = len(images), images.split.images.shape[1:]
    cells = np.zeros((side * side, height, width), np.uint8)
    cells[:count] = as_uint8(images.split.images)
    if invert:
        cells = 255 - cells
    sheet = cells.reshape(side, side, height, width).swapaxes(1, 2).reshape(side * height, side * width)
    file = io.BytesIO()
    Image.fromarray(sheet).save(file, format="PNG")
    return file.getvalue()


def _config(height: int, width: int) -> str:
    tensors, metadata, sprite, _ = PROJECTOR_FILES
    return f"""embeddings {{
  tensor_name: "images"
  tensor_path: "{tensors}"
  metadata_path: "{metadata}"
  sprite {{
    image_path: "{sprite}"
    single_image_dim: {width}
    single_image_dim: {height}
  }}
}}
"""
