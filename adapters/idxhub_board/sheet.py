"""Suspicious examples as one picture: each image with its label, and with what the models say."""

from __future__ import annotations

import io
from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray
from PIL import Image, ImageDraw

from idxhub import Split
from idxhub_board.suspects import Suspect

_COLUMNS, _SIDE, _LINE, _GAP = 8, 112, 14, 8  # images in a row; pixels
_WIDTH, _HEIGHT = _SIDE + 2 * _GAP, _SIDE + 3 * _LINE + _GAP


def contact_sheet(split: Split, suspects: Sequence[Suspect]) -> bytes:
    """A PNG of the suspects in rows of eight, the most suspicious first; ink is dark on white."""
    rows = max(1, -(-len(suspects) // _COLUMNS))
    sheet = Image.new("L", (_COLUMNS * _WIDTH, rows * _HEIGHT), 255)
    draw = ImageDraw.Draw(sheet)
    starts = _starts(split)
    for i, each in enumerate(suspects):
        left, top = i % _COLUMNS * _WIDTH + _GAP, i // _COLUMNS * _HEIGHT
        image = _picture(split.images[starts[each.split] + each.index])
        sheet.paste(image.resize((_SIDE, _SIDE), Image.Resampling.NEAREST), (left, top))
        said = max(each.predicted.values(), key=lambda pair: pair[1])
        lines = (
            f"{each.split}[{each.index}]",
            f"is: {split.classes[each.label]}",
            f"said: {split.classes[said[0]]} {said[1]:.2f}",
        )
        for number, text in enumerate(lines):
            draw.text((left, top + _SIDE + 1 + number * _LINE), text, fill=0)
    file = io.BytesIO()
    sheet.save(file, format="PNG", optimize=True)
    return file.getvalue()


def _starts(split: Split) -> dict[str, int]:
    """Where position 0 of each of the dataset's splits would be in the arrays."""
    starts, at = {}, 0
    for part in split.info.parts:
        starts[part.name] = at - part.start
        at += part.stop - part.start
    return starts


def _picture(image: NDArray[np.generic]) -> Image.Image:
    pixels = image.astype(np.float64)
    most = 255.0 if image.dtype == np.uint8 else float(pixels.max()) or 1.0
    return Image.fromarray(np.round(255 - 255 * pixels / most).clip(0, 255).astype(np.uint8))
