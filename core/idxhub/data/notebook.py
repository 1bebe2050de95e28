"""The HTML that a notebook shows for a dataset: facts, the examples in each class, and a few images of each class.

Imported when a notebook asks for it, and not before. The HTML has at most 30 kB, whatever the dataset is.
"""

from __future__ import annotations

import base64
import re
from collections.abc import Iterable, Iterator, Sequence
from html import escape
from typing import Any, NamedTuple

import numpy as np
from numpy.typing import NDArray

from idxhub.data.load import DatasetInfo
from idxhub.data.sprite import draw_sprite

_MAX_SIZE = 30_000  # bytes
_MAX_COUNTED = 1_000_000  # examples whose labels are counted, in about 10 ms
_MAX_CLASSES = 64
_MAX_FILES = 8
_MAX_NAME = 30  # characters of the name of a class
_MAX_TEXT = 160  # characters of any other text
_ROWS = 16  # of the table of classes if it has several columns of classes
_ONE_COLUMN = 20  # classes, at most, that one column shows
_PICTURES = 8  # in a row of the table
_ROW_HEIGHT = 28  # pixels
_MAX_WIDTH = 600  # pixels of the picture
_MARKUP = 250  # bytes, at most, of the tags around the picture

# Colours are inherited: a notebook may be dark. Jupyter has rules for tables, which are more specific than these.
_STYLE = f"""<style>
.idxhub {{font-size: 13px; line-height: 1.4}}
.idxhub table {{border-collapse: collapse; border: 0; margin: 6px 0; font-size: inherit; color: inherit}}
.idxhub tr, .idxhub td, .idxhub th {{background: none !important; border: 0; color: inherit}}
.idxhub td, .idxhub th {{padding: 0 10px 0 0; text-align: left !important; vertical-align: top; max-width: none}}
.idxhub th {{font-weight: normal}}
.idxhub th, .idxhub small {{opacity: .7}}
.idxhub .classes tr {{height: {_ROW_HEIGHT}px}}
.idxhub .classes td, .idxhub .classes th {{vertical-align: middle; white-space: nowrap}}
.idxhub .classes .n {{text-align: right !important; padding-right: 24px}}
.idxhub img {{display: block; margin: 0; max-width: none}}
</style>"""


class _Class(NamedTuple):
    """A class as it is shown: its label and name, how many examples it has, and the positions of the first ones."""

    label: str
    name: str
    examples: int
    positions: list[int]


def to_html(
    title: str,
    images: Any,
    labels: Any,
    info: DatasetInfo | None = None,
    *,
    given: tuple[str, tuple[int, ...]] | None = None,
    facts: Iterable[tuple[str, str]] = (),
) -> str:
    """HTML about images (N, ...) and labels (N,), which may be arrays of any framework.

    `title` is the name of the object that contains them. `given` is the dtype and the shape in which the object returns
    the images, if they are stored in another. `facts` are more names and texts for the table of facts. All text is
    escaped. What this process cannot read is left out.
    """
    classes, counted = _count_classes(labels, () if info is None else info.spec.classes)
    notes = []
    if counted is not None:
        notes.append(f"The counts and the images are those of the first {counted:,} examples.")
    if len(classes) > _MAX_CLASSES:
        notes.append(f"{len(classes) - _MAX_CLASSES:,} more classes are not shown.")
    before = f'{_STYLE}<div class="idxhub">{_heading(title, images, info)}'
    before += _fact_table([*_array_facts(images, labels, info, given), *facts, *_origin_facts(info)])
    after = "".join(f"<div><small>{note}</small></div>" for note in notes) + "</div>"
    return before + _class_table(classes[:_MAX_CLASSES], images, _MAX_SIZE - len(before.encode()) - len(after)) + after


def _text(value: str, most: int = _MAX_TEXT) -> str:
    """`value` as HTML, shortened, without the characters that cannot be shown or stored in a notebook's file."""
    shown = re.sub(r"[\x00-\x1f\x7f-\x9f\ud800-\udfff]", "\ufffd", value)
    return escape(shown if len(shown) <= most else shown[: most - 1] + "…")


def _heading(title: str, images: Any, info: DatasetInfo | None) -> str:
    if info is None:
        return f"<div><b>{_text(title)}</b></div>"
    count = (_shape(images) or (info.num_examples,))[0]
    return (
        f"<div><b>{_text(info.dataset)}</b> {_text(info.split)}, {count:,} examples <small>{_text(title)}</small></div>"
    )


def _fact_table(facts: Iterable[tuple[str, str]]) -> str:
    rows = "".join(f"<tr><th>{_text(name)}</th><td>{_text(value)}</td></tr>" for name, value in facts)
    return f"<table>{rows}</table>"


def _array_facts(
    images: Any, labels: Any, info: DatasetInfo | None, given: tuple[str, tuple[int, ...]] | None
) -> Iterator[tuple[str, str]]:
    stored = str(getattr(images, "dtype", "")), _shape(images)
    shown = stored if given is None else given
    if shown[1] is None:
        yield "images", type(images).__name__
    else:
        layout = _layout(shown[1][1:], info)
        differs = f"; stored as {stored[0]} {stored[1]}" if shown != stored else ""
        yield "images", f"{shown[0]} {shown[1]}{layout}{differs}"
    shape = _shape(labels)
    yield "labels", type(labels).__name__ if shape is None else f"{labels.dtype} {shape}"


def _shape(array: Any) -> tuple[int, ...] | None:
    """The shape of an array; None for what is no array, or has no dimension."""
    dtype, shape = getattr(array, "dtype", None), getattr(array, "shape", None)
    return tuple(shape) if dtype is not None and shape else None


def _layout(element: tuple[int, ...], info: DatasetInfo | None) -> str:
    """The layout of an image of the shape `element`, if the dataset's images have two dimensions."""
    if info is None or not info.parts:
        return ""
    image = info.spec.splits[info.parts[0].name].arrays[0].shape[1:]
    layouts = {image: ", HW", (1, *image): ", CHW", (*image, 1): ", HWC"}
    return layouts.get(element, "") if len(image) == 2 else ""


def _origin_facts(info: DatasetInfo | None) -> Iterator[tuple[str, str]]:
    """The licence, and the digest of each file that the arrays were read from."""
    if info is None:
        return
    yield "licence", info.spec.license or "not stated"
    for record in info.records[:_MAX_FILES]:
        digest = f"MD5 {record.md5}" if record.sha256 is None else f"SHA-256 {record.sha256}"
        yield "file", f"{record.filename}, {digest}"
    if len(info.records) > _MAX_FILES:
        yield "file", f"and {len(info.records) - _MAX_FILES:,} more"


def _count_classes(labels: Any, names: Sequence[str]) -> tuple[list[_Class], int | None]:
    """The classes in the order of their labels, and the number of counted examples if that is not all of them.

    If the labels are not one integer for each example, all examples are one class without a label.
    """
    try:
        array = np.asarray(labels)
    except Exception:  # noqa: BLE001 -- a framework may raise anything for an array that is not in this memory
        array = np.empty(0, object)
    if array.ndim != 1 or array.dtype.kind not in "iu":
        return [_Class("", "", 0, list(range(_PICTURES)))], None
    some = array[:_MAX_COUNTED]
    values, numbers = _distinct(some)
    counts = np.bincount(numbers, minlength=len(values)).tolist()
    order = np.argsort(numbers, kind="stable")
    classes = {label: _Class(str(label), name, 0, []) for label, name in enumerate(names)}
    start = 0
    for label, count in zip(values.tolist(), counts, strict=True):
        name = classes[label].name if label in classes else ""
        classes[label] = _Class(str(label), name, count, order[start : start + min(count, _PICTURES)].tolist())
        start += count
    return [classes[label] for label in sorted(classes)], len(some) if len(some) < len(array) else None


def _distinct(labels: NDArray[Any]) -> tuple[NDArray[Any], NDArray[Any]]:
    """The distinct labels in ascending order, and for each example the number of its label among them."""
    largest = 1 << 16
    if not len(labels) or labels.min() < 0 or labels.max() >= largest:
        return np.unique(labels, return_inverse=True)
    # small labels need no sort here, and NumPy sorts 16-bit integers in linear time
    values = np.flatnonzero(np.bincount(labels.astype(np.intp)))
    number_of = np.zeros(largest, np.uint16)
    number_of[values] = np.arange(len(values))
    return values, number_of[labels]


def _class_table(classes: list[_Class], images: Any, size: int) -> str:
    """A table of the classes, of at most `size` bytes, and beside it a picture whose rows are those of the table."""
    columns = 1 if len(classes) <= _ONE_COLUMN else -(-len(classes) // _ROWS)
    height = -(-len(classes) // columns)
    rows = ["".join(map(_cells, classes[row::height])) for row in range(height)]
    table = "".join(f"<tr>{row}</tr>" for row in rows)
    picture = _picture(classes, images, height, columns, size - len(table.encode()))
    if picture:
        table = f'<tr><td rowspan="{height}">{picture}</td>' + table.removeprefix("<tr>")
    return f'<table class="classes">{table}</table>'


def _cells(each: _Class) -> str:
    if not each.label:
        return ""
    return f'<th>{each.label}</th><td>{_text(each.name, _MAX_NAME)}</td><td class="n">{each.examples:,}</td>'


def _picture(classes: list[_Class], images: Any, height: int, columns: int, size: int) -> str:
    """An image of at most `size` bytes that has `height` rows; "" for none."""
    room = (size - _MARKUP) * 3 // 4  # base64 makes 4 bytes of 3
    cells = [each.positions for each in classes]
    sprite = draw_sprite(images, cells, height, max(1, _PICTURES // columns), room)
    if sprite is None:
        return ""
    shown = height * _ROW_HEIGHT
    width = min(_MAX_WIDTH, round(shown * sprite.width / sprite.height))
    pixelated = ' style="image-rendering: pixelated"' if sprite.height < shown else ""
    source = f"data:image/png;base64,{base64.b64encode(sprite.png).decode()}"
    return f'<img alt="the first images of each class" width="{width}" height="{shown}"{pixelated} src="{source}">'
