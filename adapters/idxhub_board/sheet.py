"""Suspicious examples as one picture: each image with its label, and with what the models say."""

from __future__ import annotations

import io
from collections import Counter
from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray
from PIL import Image, ImageDraw

from idxhub import Split
from idxhub_board.suspects import Suspect

_COLUMNS, _SIDE, _LINE, _GAP = 8, 112, 14, 8  # images in a row; pixels
_WIDTH, _HEIGHT = _SIDE + 2 * _GAP, _SIDE + 3 * _LINE + 2 * _GAP
_TITLE = 28  # pixels above the first row


def contact_sheet(split: Split, suspects: Sequence[Suspect]) -> bytes:
    """A PNG of the suspects in rows of eight, the most suspicious first; ink is dark on white.

    Below each image are its position, its label, and the other class that most models predict.
    """
    rows = max(1, -(-len(suspects) // _COLUMNS))
    sheet = Image.new("L", (_COLUMNS * _WIDTH, _TITLE + rows * _HEIGHT), 255)
    draw = ImageDraw.Draw(sheet)
    draw.text((_GAP, _GAP), f"{split.info.dataset}: labels that models doubt. A suspicion, and not the truth.", fill=0)
    starts = _starts(split)
    for i, each in enumerate(suspects):
        left, top = i % _COLUMNS * _WIDTH + _GAP, _TITLE + i // _COLUMNS * _HEIGHT
        image = _picture(split.images[starts[each.split] + each.index])
        sheet.paste(image.resize((_SIDE, _SIDE), Image.Resampling.NEAREST), (left, top))
        lines = (f"{each.split}[{each.index}]", f"label: {split.classes[each.label]}", _said(each, split.classes))
        for number, text in enumerate(lines):
            draw.text((left, top + _SIDE + 1 + number * _LINE), text, fill=0)
    file = io.BytesIO()
    sheet.save(file, format="PNG", optimize=True)
    return file.getvalue()


def _said(suspect: Suspect, classes: Sequence[str]) -> str:
    others = Counter(label for label, _ in suspect.predicted.values() if label != suspect.label)
    if not others:
        return "no model differs"
    (predicted, models), *_ = others.most_common(1)
    return f"{models} of {len(suspect.predicted)}: {classes[predicted]}"


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
