"""Results of several seeds in one row, beside what was published."""

from __future__ import annotations

import statistics
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from typing import Any

from idxhub_board import records
from idxhub_board.configurations import Configuration, later
from idxhub_board.published import Published, published, reported
from idxhub_board.records import Record

# by how much a mean accuracy may differ from the published one
_TOLERANCES = {
    **dict.fromkeys(("SVC", "KNeighborsClassifier", "LogisticRegression"), 0.005),
    **dict.fromkeys(("DecisionTreeClassifier", "ExtraTreeClassifier", "RandomForestClassifier"), 0.01),
    **dict.fromkeys(("Perceptron", "PassiveAggressiveClassifier"), 0.06),
}
_TOLERANCE = 0.01  # of the other classifiers, if their published accuracies did not vary more
_ROUNDING = 0.0005  # of the published accuracies, which have three digits


@dataclass(frozen=True)
class Row:
    """The results of a configuration that differ in their seed only.

    `accuracies` and `seconds` (of fitting and predicting) are by seed. `published` is the published accuracy on this
    dataset, if all its examples were used; `reported` is what somebody has reported for such a classifier, likewise.
    """

    configuration: Configuration
    dataset: str
    digest: str
    examples: int | None
    preprocessing: str
    versions: Mapping[str, str]
    accelerated: bool
    accuracies: Mapping[int, float]
    seconds: Mapping[int, float]
    published: float | None
    reported: float | None

    @property
    def mean(self) -> float:
        """The mean accuracy."""
        return statistics.fmean(self.accuracies.values())

    @property
    def deviation(self) -> float | None:
        """The standard deviation of the accuracies, with n - 1; None for a single one."""
        return statistics.stdev(self.accuracies.values()) if len(self.accuracies) > 1 else None

    @property
    def mean_seconds(self) -> float:
        """The mean wall time of fitting and predicting."""
        return statistics.fmean(self.seconds.values())

    @property
    def difference(self) -> float | None:
        """The mean accuracy minus the published one."""
        return None if self.published is None else self.mean - self.published

    @property
    def tolerance(self) -> float:
        """How large the difference may be."""
        return tolerance(self.configuration)

    @property
    def is_within(self) -> bool | None:
        """Whether the published accuracy is reproduced; None if there is none."""
        return None if self.difference is None else abs(self.difference) <= self.tolerance + _ROUNDING


def tolerance(configuration: Configuration) -> float:
    """How much the mean accuracy of a configuration may differ from the published one."""
    found = published().get(configuration)
    spread = found.two_std if found is not None and found.two_std is not None else 0.0
    return _TOLERANCES.get(configuration.classifier, max(_TOLERANCE, spread))


def summarise(results: Iterable[Record]) -> list[Row]:
    """The rows of results, in the order of the configurations; results that are not done are left out.

    If a seed was run on several backends, the first result counts.
    """
    groups: dict[tuple[Any, ...], dict[int, Record]] = {}
    for record in results:
        if record["status"] == records.DONE:
            groups.setdefault(_group(record), {}).setdefault(record["seed"], record)
    order = {each: i for i, each in enumerate([*published(), *later()])}
    rows = [_row(by_seed) for by_seed in groups.values()]
    return sorted(rows, key=lambda row: (row.dataset, row.examples or 0, order.get(row.configuration, len(order))))


def configuration_of(record: Record) -> Configuration:
    """The configuration of a result."""
    return Configuration.of(record["classifier"], record["parameters"])


def _group(record: Record) -> tuple[Any, ...]:
    versions = records.canonical(record["versions"])
    return configuration_of(record), record["digest"], record["preprocessing"], versions, record["accelerated"]


def _row(by_seed: Mapping[int, Record]) -> Row:
    first = next(iter(by_seed.values()))
    configuration = configuration_of(first)
    known = published().get(configuration, Published({}, None, None, None)).accuracy.get(first["dataset"])
    return Row(
        configuration,
        first["dataset"],
        first["digest"],
        first["examples"],
        first["preprocessing"],
        first["versions"],
        first["accelerated"],
        {seed: record["accuracy"] for seed, record in sorted(by_seed.items())},
        {seed: record["fit_seconds"] + record["predict_seconds"] for seed, record in by_seed.items()},
        known if first["examples"] is None else None,
        reported(configuration, first["dataset"]) if first["examples"] is None else None,
    )
