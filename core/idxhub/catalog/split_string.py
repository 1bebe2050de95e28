"""Split strings, as TFDS writes them: "train", "train[:80%]", "train[-1000:]", "train+test", "all".

`parse` knows the grammar, `resolve` the sizes, and `ranges` does both for a dataset. Rules and rounding are those of
tensorflow_datasets/core/splits.py: percentages in [-100, 100] are rounded to the closest example (`round(percent * n /
100)`, halves to even), and a bound outside the split is an error. Here, percentages are whole numbers.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterable, Mapping
from typing import NamedTuple

from idxhub.catalog.spec import DatasetSpec
from idxhub.errors import ArgumentError, UnknownNameError, describe_value

# compiled when they are needed: most calls ask for a whole split, and compiling both takes as long as a module's import
_PIECE = r"\s*(?P<name>[\w.-]+)\s*(?:\[(?P<bounds>[^\[\]]*)\])?\s*"
# ASCII digits, at most 19: more than any split can have, and int() raises another error for thousands of digits
_BOUND = r"\s*(?:(?P<value>-?[0-9](?:_?[0-9]){0,18})(?P<percent>%?))?\s*"
_GRAMMAR = "name[start:stop] in examples or percent, and + between several"


class Bound(NamedTuple):
    """One end of a slice, in percent or in examples."""

    value: int
    percent: bool


class Piece(NamedTuple):
    """`name[start:stop]`; None is an open end. `text` is the piece as the caller wrote it."""

    name: str
    start: Bound | None = None
    stop: Bound | None = None
    text: str = ""


class Range(NamedTuple):
    """Examples `start` up to, not including, `stop` of the split `name`."""

    name: str
    start: int
    stop: int

    @property
    def size(self) -> int:
        """The number of examples."""
        return self.stop - self.start


def ranges(spec: DatasetSpec, text: str) -> tuple[Range, ...]:
    """The index ranges that a split string means in a dataset. Raises `ArgumentError` or `UnknownNameError`.

    Images of one shape and type alone can be joined.
    """
    found = resolve(parse(text, spec.splits, lambda: spec.everything), spec.sizes)
    if len(found) > 1:
        images = {part.name: spec.splits[part.name].arrays[0] for part in found}
        forms = {name: f"{each.dtype} of shape {each.shape[1:]}" for name, each in images.items()}
        if len(set(forms.values())) > 1:
            shown = ", ".join(f"{name} has {form}" for name, form in forms.items())
            raise _unusable(text, spec.splits, f"images of different shapes or types cannot be joined: {shown}")
    return found


def parse(text: str, names: Iterable[str], everything: Callable[[], Iterable[str]] | None = None) -> tuple[Piece, ...]:
    """The pieces of a split string.

    `names` are the splits that exist. `everything` returns those that "all" stands for, by default all of them.
    """
    if not isinstance(text, str):
        raise ArgumentError("split", text, f"a string: a name, or {_GRAMMAR}")
    known = tuple(names)
    pieces: list[Piece] = []
    for part in text.split("+"):
        if part in known:
            pieces.append(Piece(part, text=part))
            continue
        match = re.fullmatch(_PIECE, part)
        if match is None:
            raise _unusable(text, known, _why_unreadable(text, part))
        name, bounds = match["name"], match["bounds"]
        if name == "all" and "all" not in known:
            meant = known if everything is None else everything()
            if bounds is not None:
                each = " + ".join(f"{split}[{bounds}]" for split in meant)
                raise _unusable(text, known, f"'all' cannot be sliced; slice each of its splits: {each}")
            pieces.extend(Piece(each, text=each) for each in meant)
            continue
        if name not in known:
            raise UnknownNameError("split", name, known)
        pieces.append(Piece(name, *_bounds(bounds, text, known), part.strip()))
    return tuple(pieces)


def resolve(pieces: Iterable[Piece], sizes: Mapping[str, int]) -> tuple[Range, ...]:
    """Index ranges, given each split's number of examples."""
    ranges = []
    for piece in pieces:
        size = sizes[piece.name]
        for bound in (piece.start, piece.stop):
            if bound is not None and not bound.percent and abs(bound.value) > size:
                raise _unusable(piece.text, sizes, f"{piece.name} has only {size:,} examples")
        start, stop = _position(piece.start, size, 0), _position(piece.stop, size, size)
        if start > stop:
            raise _unusable(piece.text, sizes, f"the start, {start:,}, is after the stop, {stop:,}")
        ranges.append(Range(piece.name, start, stop))
    return tuple(ranges)


def _why_unreadable(text: str, part: str) -> str:
    if part.strip():
        return f"{describe_value(part.strip())} is malformed; write {_GRAMMAR}"
    return "the name of a split is missing before or after a +" if text.strip() else "it is empty"


def _bounds(text: str | None, whole: str, known: tuple[str, ...]) -> tuple[Bound | None, Bound | None]:
    if text is None:
        return None, None
    sides = text.split(":")
    if len(sides) != 2:
        problem = "has a step" if len(sides) > 2 else "has no colon"
        raise _unusable(whole, known, f"{describe_value(f'[{text}]')} {problem}; write {_GRAMMAR}")
    bounds: list[Bound | None] = []
    for side in sides:
        match = re.fullmatch(_BOUND, side)
        if match is None:
            shown = describe_value(side.strip())
            raise _unusable(whole, known, f"{shown} is neither a whole number nor a whole percentage")
        if match["value"] is None:
            bounds.append(None)
            continue
        bound = Bound(int(match["value"]), bool(match["percent"]))
        if bound.percent and abs(bound.value) > 100:
            raise _unusable(whole, known, f"{side.strip()} is not between -100% and 100%")
        bounds.append(bound)
    return bounds[0], bounds[1]


def _position(bound: Bound | None, size: int, default: int) -> int:
    if bound is None:
        return default
    value = round(bound.value * size / 100) if bound.percent else bound.value
    # "-0%" and a "-1%" that rounds to nothing are position 0, as in TFDS
    return value + size if value < 0 else value


def _unusable(text: str, known: Iterable[str], why: str) -> UnknownNameError:
    return UnknownNameError("split", text, known, why=why, problem="cannot use")
