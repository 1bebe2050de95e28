"""A small picture of some images of a dataset, as a PNG. Pillow makes it; without Pillow there is none."""

from __future__ import annotations

import contextlib
import io
from collections.abc import Sequence
from typing import Any, NamedTuple

import numpy as np
from numpy.typing import NDArray

try:
    from PIL import Image
except ImportError:  # Pillow is optional: a dataset can be described without a picture
    Image = None

_SIDE = 32  # pixels: larger images are reduced to this
_GREYS = 16  # or colours: PNG stores so many in 4 bits
# what numpy.from_dlpack raises for an object without DLPack, a dtype that NumPy lacks, a GPU's memory, a gradient
_NO_DLPACK = (AttributeError, TypeError, ValueError, BufferError, RuntimeError)


class Sprite(NamedTuple):
    """A PNG, and its width and height in pixels."""

    png: bytes
    width: int
    height: int


def draw_sprite(images: Any, cells: Sequence[Sequence[int]], height: int, per_cell: int, size: int) -> Sprite | None:
    """The images at the positions in each cell, side by side; `height` cells below each other, then the next column.

    `images` is (N, ...), an array of any framework. Each cell has `per_cell` images, or fewer and smaller ones if the
    PNG would have more than `size` bytes. Returns None without Pillow, for arrays that are not images, and for those
    that this process cannot read.
    """
    if Image is None:
        return None
    local, cells = _read(images, cells)
    pictures = _as_pictures(local)
    per_cell = min(per_cell, max(map(len, cells), default=0))
    if pictures is None or not per_cell:
        return None
    fewer = [per_cell >> i for i in range(per_cell.bit_length())]  # half, and so on down to 1
    for count, side in [*((each, _SIDE) for each in fewer), (1, _SIDE // 2)]:
        sheet = _sheet(pictures, cells, height, count, side)
        png = _encode(sheet)
        if len(png) <= size:
            return Sprite(png, sheet.shape[1], sheet.shape[0])
    return None


def _read(images: Any, cells: Sequence[Sequence[int]]) -> tuple[NDArray[Any] | None, Sequence[Sequence[int]]]:
    """An array of this process's memory that has the images, and the positions of each cell's images in it."""
    if isinstance(images, np.ndarray):
        return images, cells
    with contextlib.suppress(*_NO_DLPACK):
        return np.from_dlpack(images), cells  # all of them, without a copy
    positions = np.array([position for cell in cells for position in cell])
    try:
        chosen = np.asarray(images[positions])
    except Exception:  # noqa: BLE001 -- each framework has errors of its own for what is no longer there
        return None, cells
    new = iter(range(len(positions)))
    return chosen, [[next(new) for _ in cell] for cell in cells]


def _as_pictures(images: NDArray[Any] | None) -> NDArray[Any] | None:
    """The images as (N, H, W), or in colour as (N, H, W, 3): a view. None if they cannot be shown so."""
    if images is None or not images.size or images.dtype.kind not in "buif":
        return None
    if images.ndim == 4:
        if images.shape[1] == 1:
            return images[:, 0]
        if images.shape[3] == 1:
            return images[..., 0]
        return images if images.shape[3] == 3 else None
    return images if images.ndim == 3 else None


def _sheet(
    pictures: NDArray[Any], cells: Sequence[Sequence[int]], height: int, per_cell: int, side: int
) -> NDArray[np.uint8]:
    """The picture as uint8 pixels: (H, W), or (H, W, 3) in colour."""
    step = -(-max(pictures.shape[1:3]) // side)
    h, w, *colours = pictures[0, ::step, ::step].shape
    columns = -(-len(cells) // height)
    stride = per_cell * w + (w // 2 if columns > 1 else 0)
    sheet = np.zeros((height * h, (columns - 1) * stride + per_cell * w, *colours), pictures.dtype)
    for number, cell in enumerate(cells):
        column, row = divmod(number, height)
        for i, position in enumerate(cell[:per_cell]):
            left = column * stride + i * w
            if position < len(pictures):
                sheet[row * h : (row + 1) * h, left : left + w] = pictures[position, ::step, ::step]
    return _as_pixels(sheet)


def _as_pixels(values: NDArray[Any]) -> NDArray[np.uint8]:
    """Values from 0 to 255; those that are in 0 to 1, or in another range, are scaled to it."""
    if values.dtype == np.uint8:
        return values
    finite = np.nan_to_num(values.astype(np.float64), posinf=0, neginf=0)
    lowest, highest = min(0.0, finite.min()), finite.max()
    if values.dtype.kind in "bf" and highest <= 1:
        highest = 1.0
    elif highest <= 255:
        highest = 255.0
    with np.errstate(all="ignore"):  # the range of float64 cannot be subtracted
        pixels: NDArray[np.uint8] = ((finite - lowest) / (highest - lowest) * 255).astype(np.uint8)
    return pixels


def _encode(pixels: NDArray[np.uint8]) -> bytes:
    if pixels.ndim == 3:
        image = Image.fromarray(pixels).quantize(_GREYS, Image.Quantize.FASTOCTREE)
    else:
        image = Image.frombytes("P", pixels.shape[::-1], (pixels // (256 // _GREYS)).tobytes())
        image.putpalette([grey * 255 // (_GREYS - 1) for grey in range(_GREYS) for _ in "RGB"])
    file = io.BytesIO()
    image.save(file, "PNG", bits=4)
    return file.getvalue()
