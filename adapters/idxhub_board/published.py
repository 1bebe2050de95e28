"""The published results: of the 129 configurations, and of the deep networks that people have submitted.

Source: the tables of zalandoresearch/fashion-mnist. The times are those of the authors' machine.
"""

from __future__ import annotations

import csv
import statistics
from collections.abc import Iterator
from functools import cache
from importlib.resources import files
from typing import Any, NamedTuple

from idxhub_board.configurations import Configuration

DATASETS = ("fashion-mnist", "mnist")  # those with published results
_UNKNOWN_SECONDS = 600.0
# submitted results (model, submitter) of which the board can run a model of the same kind
_RUN_AS = {
    ("2 Conv+pooling", "Tensorflow\N{RIGHT SINGLE QUOTATION MARK}s doc"): "ConvNet",
    ("HOG+SVM", "@subalde"): "HOG+LinearSVC",
    ("MLP 256-128-100", "@heitorrapela"): "MLP",
    ("XgBoost", "@anktplwl91"): "XGBClassifier",
}


class Published(NamedTuple):
    """The published result of a configuration; None is what was not published.

    `accuracy` is by dataset. `seconds` is for one repeat on Fashion-MNIST; `two_std` is two standard deviations of the
    accuracy on Fashion-MNIST over `repeats` repeats.
    """

    accuracy: dict[str, float]
    seconds: float | None
    two_std: float | None
    repeats: int | None


@cache
def published() -> dict[Configuration, Published]:
    """The published result of each configuration."""
    found = {}
    for row in _table("published.csv"):
        accuracy = {name: float(row[name]) for name in DATASETS if row[name]}
        seconds, two_std = (float(row[name]) if row[name] else None for name in ("seconds", "two_std"))
        repeats = int(row["repeats"]) if row["repeats"] else None
        found[Configuration(row["classifier"], row["parameters"])] = Published(accuracy, seconds, two_std, repeats)
    return found


@cache
def expected_seconds() -> dict[Configuration, float]:
    """About how long each configuration takes on all of Fashion-MNIST, by which jobs are put in order.

    Measured in one thread (processor time) where seconds.csv has it; otherwise the published time. Where neither is
    known, it is the median of the same classifier's times, of those with the most parameters in common.
    """
    measured = _measured()
    known = {each: found.seconds for each, found in published().items() if found.seconds is not None}
    return {each: measured.get(each) or known.get(each) or _typical(each, measured | known) for each in published()}


def seconds_of(configuration: Configuration) -> float:
    """As `expected_seconds`, for any configuration: of today's classifiers only what was measured is known."""
    return expected_seconds().get(configuration) or _measured().get(configuration, _UNKNOWN_SECONDS)


def reported(configuration: Configuration, dataset: str) -> float | None:
    """The accuracy that somebody has reported for a model of the same kind. None if there is none."""
    found = [each["accuracy"][dataset] for each in submissions() if each["run_as"] == configuration.classifier]
    return float(found[0]) if found and found[0] else None


def submissions() -> list[dict[str, Any]]:
    """The results that people have reported for other models.

    `run_as` is the classifier of the board that is a model of the same kind, or None: then nobody here has verified it.
    """
    return [
        {
            "classifier": row["classifier"],
            "preprocessing": "" if row["preprocessing"] in ("None", "-") else row["preprocessing"],
            "submitter": row["submitter"],
            "run_as": _RUN_AS.get((row["classifier"], row["submitter"])),
            "accuracy": {
                "fashion-mnist": row["fashion_test_accuracy"],
                "mnist": row["mnist_test_accuracy"].strip("-"),
            },
        }
        for row in _table("submissions.csv")
    ]


def _typical(configuration: Configuration, known: dict[Configuration, float]) -> float:
    of_classifier = {each: seconds for each, seconds in known.items() if each.classifier == configuration.classifier}

    def in_common(each: Configuration) -> int:
        theirs = each.parameters
        return sum(theirs.get(key) == value for key, value in configuration.parameters.items())

    most = max(map(in_common, of_classifier), default=0)
    alike = [seconds for each, seconds in of_classifier.items() if in_common(each) == most]
    return statistics.median(alike) if alike else _UNKNOWN_SECONDS


@cache
def _measured() -> dict[Configuration, float]:
    rows = _table("seconds.csv")
    return {Configuration(row["classifier"], row["parameters"]): float(row["seconds"]) for row in rows}


def _table(name: str) -> Iterator[dict[str, str]]:
    with (files("idxhub_board") / name).open(encoding="utf-8") as file:
        yield from csv.DictReader(file)
