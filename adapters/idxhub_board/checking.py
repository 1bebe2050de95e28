"""Whether results that somebody hands in are sound: of a known dataset, once each, and as accurate as they say."""

from __future__ import annotations

import json
import re
from collections.abc import Iterator, Mapping
from functools import cache
from pathlib import Path
from typing import Any, NamedTuple

from idxhub import errors
from idxhub_board import records
from idxhub_board.configurations import later
from idxhub_board.fitting import PACKAGES
from idxhub_board.matrices import Data, load_data, preprocessing_of
from idxhub_board.pairs import is_correct
from idxhub_board.published import published
from idxhub_board.summary import configuration_of
from idxhub_board.today import packages_of

_BACKENDS = ("loky", "ray", "dask")
_VERSION = re.compile(r"\d+(\.\d+)*[\w.+]*")


class Checked(NamedTuple):
    """How many results a file has, for how many the accuracy was computed from predictions, and what is wrong."""

    results: int
    recomputed: int
    problems: tuple[str, ...]


def check_file(path: Path, **source: Any) -> Checked:
    """Check a file of results, line by line. `source` is as for `load_data`, whose other errors it raises."""

    @cache
    def load(dataset: str, examples: int | None) -> Data:
        return load_data(dataset, examples, **source)

    problems: list[str] = []
    seen: dict[records.Key, int] = {}
    recomputed = number = count = 0
    for number, line in enumerate(path.read_bytes().splitlines(), 1):
        if not line.strip():
            continue
        count += 1
        record = _parse(line)
        why = records.problem(record)
        found = [why] if why is not None else list(_problems(record, load))
        if why is None:
            first = seen.setdefault(records.key(record), number)
            if first != number:
                found.append(f"is the same result as line {first}")
            if not found and record.get("predictions") is not None:
                found += _recomputed(record, source)
                recomputed += 1
        problems += [f"line {number} {each}" for each in found]
    if not count:
        problems.append("there are no results")
    return Checked(count, recomputed, tuple(problems))


def _parse(line: bytes) -> Any:
    try:
        return json.loads(line)
    except (ValueError, RecursionError):
        return None


def _problems(record: Mapping[str, Any], load: Any) -> Iterator[str]:
    """What is wrong with a record that has all fields."""
    configuration = configuration_of(dict(record))
    if configuration not in published() and configuration not in later():
        yield f"has an unknown configuration: {configuration.name}"
    elif not configuration.is_seeded and record["seed"] != 0:
        yield f"has seed {record['seed']}, but the result of {configuration.classifier} depends on none: it must be 0"
    preprocessing = preprocessing_of(configuration.classifier)
    if record["preprocessing"] != preprocessing:
        yield f"has {record['preprocessing']!r} as 'preprocessing', which must be {preprocessing!r}"
    if record["backend"] not in _BACKENDS:
        yield f"has {record['backend']!r} as 'backend', which must be {', '.join(_BACKENDS)}"
    accelerated = ["scikit-learn-intelex"] if record["accelerated"] else []
    for package in (*PACKAGES, *packages_of(configuration.classifier), *accelerated):
        if not _VERSION.fullmatch(record["versions"].get(package, "")):
            yield f"has no version of {package}"
    try:
        data = load(record["dataset"], record["examples"])
    except errors.UnknownNameError as error:
        yield f"is of an unknown dataset: {error}"
        return
    if record["digest"] != data.digest:
        yield f"has another digest than {record['dataset']}: {record['digest'][:16]}, and not {data.digest[:16]}"
    elif record["status"] == records.DONE and record.get("test_examples") != len(data.test):
        yield f"has {record.get('test_examples')!r} as 'test_examples', which must be {len(data.test)}"


def _recomputed(record: Mapping[str, Any], source: Mapping[str, Any]) -> list[str]:
    try:
        accuracy = float(is_correct(dict(record), **source).mean())
    except errors.ArgumentError as error:
        return [str(error)]
    if abs(accuracy - record["accuracy"]) < 1e-9:
        return []
    return [f"says that the accuracy is {record['accuracy']}, but its predictions have {accuracy}"]
