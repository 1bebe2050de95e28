"""The results as records: which fields a line of a store has, what identifies it, and what a status means."""

from __future__ import annotations

import base64
import binascii
import json
import math
import zlib
from collections.abc import Callable, Mapping
from typing import Any

import numpy as np
from numpy.typing import NDArray

FORMAT = 1
DONE = "done"
# what became of a job: with `lost`, its process or its cluster ended, so that it must run again
STATUSES = (DONE, "failed", "out of memory", "timeout", "killed", "lost")
FINAL = tuple(status for status in STATUSES if status != "lost")

Record = dict[str, Any]
Key = tuple[Any, ...]


def _number(value: Any) -> bool:
    return type(value) in (int, float) and math.isfinite(value)


def _count(value: object) -> bool:
    return type(value) is int and 0 <= value < 1 << 63


def _text(value: object) -> bool:
    return isinstance(value, str) and not any("\ud800" <= each <= "\udfff" for each in value)


def _parameter(value: object) -> bool:
    return value is None or isinstance(value, bool) or _number(value) or _text(value)


def _parameters(value: object) -> bool:
    """Whether these are parameters by name; one may be a list."""
    return isinstance(value, dict) and all(
        _text(name) and all(map(_parameter, each if isinstance(each, list) else [each])) for name, each in value.items()
    )


def _optional(rule: Callable[[object], bool]) -> Callable[[object], bool]:
    return lambda value: value is None or rule(value)


_FIELDS: Mapping[str, tuple[str, Callable[[Any], bool]]] = {
    "dataset": ("text", _text),
    "digest": ("64 hexadecimal digits", lambda value: _text(value) and len(value) == 64),
    "examples": ("a count or null", _optional(_count)),
    "preprocessing": ("text", _text),
    "classifier": ("text", _text),
    "parameters": ("an object of numbers, text, true, false, null, and lists of these", _parameters),
    "seed": ("a count", _count),
    "versions": ("an object of text", lambda value: isinstance(value, dict) and all(map(_text, value.values()))),
    "backend": ("text", _text),
    "accelerated": ("true or false", lambda value: isinstance(value, bool)),
    "status": (" or ".join(map(repr, STATUSES)), lambda value: value in STATUSES),
}
_DONE_FIELDS: Mapping[str, tuple[str, Callable[[Any], bool]]] = {
    "accuracy": ("a number from 0 to 1", lambda value: _number(value) and 0 <= value <= 1),
    "fit_seconds": ("a number from 0", lambda value: _number(value) and value >= 0),
    "predict_seconds": ("a number from 0", lambda value: _number(value) and value >= 0),
    "predictions": ("text or null", _optional(_text)),
}
_MORE_FIELDS: Mapping[str, tuple[str, Callable[[Any], bool]]] = {  # which a record may lack
    "test_examples": ("a count or null", _optional(_count)),
    "threads": ("a count or null", _optional(_count)),
    "finished": ("text or null", _optional(_text)),
    "error": ("text or null", _optional(_text)),
}


def problem(record: object) -> str | None:
    """Why an object is not a record of this version; None if it is one."""
    if not isinstance(record, dict) or "format" not in record:
        return "is not a result of idxhub board"
    if record["format"] != FORMAT:
        return f"was written by another version: its format is {record['format']!r}, not {FORMAT}"
    fields = {**_FIELDS, **(_DONE_FIELDS if record.get("status") == DONE else {}), **_MORE_FIELDS}
    for name, (must_be, accepts) in fields.items():
        if name not in record and name not in _MORE_FIELDS:
            return f"has no field {name!r}"
        if not accepts(record.get(name)):
            return f"has {record[name]!r} as {name!r}, which must be {must_be}"
    return None


def key(record: Mapping[str, Any]) -> Key:
    """What identifies a result: two records with the same key say the same."""
    return (
        record["classifier"],
        canonical(record["parameters"]),
        record["digest"],
        record["preprocessing"],
        record["seed"],
        canonical(record["versions"]),
        record["backend"],
        record["accelerated"],
    )


def canonical(value: Any) -> str:
    """JSON with sorted keys and without spaces."""
    return json.dumps(value, sort_keys=True, separators=(",", ":"))


def encode_predictions(predictions: NDArray[Any]) -> str:
    """The predicted class of each test example as text: uint8, deflated, in base64."""
    return base64.b64encode(zlib.compress(predictions.astype(np.uint8).tobytes(), 9)).decode()


def decode_predictions(text: str, count: int) -> NDArray[np.uint8]:
    """The predicted classes of `count` test examples. Raises ValueError if the text is not of that many."""
    try:
        inflater = zlib.decompressobj()
        data = inflater.decompress(base64.b64decode(text, validate=True), count + 1)
    except (binascii.Error, zlib.error) as error:
        raise ValueError(f"predictions cannot be decoded: {error}") from error
    if len(data) != count or not inflater.eof:
        raise ValueError(f"predictions must be of {count:,} examples")
    return np.frombuffer(data, np.uint8)
