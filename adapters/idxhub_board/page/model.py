"""What the page shows, as plain data."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from typing import Any

from idxhub_board.configurations import Configuration, later
from idxhub_board.matrices import SCALED
from idxhub_board.published import DATASETS, published, submissions
from idxhub_board.summary import Row, tolerance

TITLES = {"fashion-mnist": "Fashion-MNIST", "mnist": "MNIST"}


def model(rows: Iterable[Row]) -> dict[str, Any]:
    """The rows of the page: each configuration with what was published, and its results on all examples.

    A configuration that was run with several sets of versions, or accelerated too, has a row for each. `versions` are
    those of most results; a row names its own where they are others.
    """
    kept = [row for row in rows if row.examples is None and row.dataset in DATASETS]
    usual = _usual_versions(kept)
    found: dict[Configuration, dict[str, dict[str, Row]]] = {}
    for row in kept:
        found.setdefault(row.configuration, {}).setdefault(_variant(row, usual), {}).setdefault(row.dataset, row)
    shown = [
        _shown(configuration, variant, by_dataset)
        for configuration in dict.fromkeys([*published(), *(each for each in later() if each in found), *found])
        for variant, by_dataset in (found.get(configuration) or {"": {}}).items()
    ]
    return {
        "datasets": [{"name": name, "title": TITLES[name]} for name in DATASETS],
        "classifiers": list(dict.fromkeys(row["classifier"] for row in shown)),
        "rows": shown,
        "versions": _words(usual),
        "submissions": [each | {"ours": _ours(each["run_as"], kept)} for each in submissions()],
    }


def counts(shown: Sequence[dict[str, Any]]) -> dict[str, dict[str, int]]:
    """For each dataset, how many rows have results, and how many of these are within the tolerance."""
    results = {name: [row["results"][name] for row in shown] for name in DATASETS}
    return {
        name: {
            "run": sum(each["mean"] is not None for each in some),
            "compared": sum(each["within"] is not None for each in some),
            "within": sum(each["within"] is True for each in some),
        }
        for name, some in results.items()
    }


def _ours(classifier: str | None, rows: Sequence[Row]) -> dict[str, float | None]:
    """For each dataset, the mean accuracy of a classifier, of the first of its rows."""
    of_classifier = [row for row in rows if row.configuration.classifier == classifier]
    return {name: next((row.mean for row in of_classifier if row.dataset == name), None) for name in DATASETS}


def _usual_versions(rows: Iterable[Row]) -> Mapping[str, str]:
    """For each package that all results have, the version that most of them have."""
    all_versions = [row.versions for row in rows]
    shared = [name for name in all_versions[0] if all(name in each for each in all_versions)] if all_versions else []
    return {name: Counter(each[name] for each in all_versions).most_common(1)[0][0] for name in shared}


def _variant(row: Row, usual: Mapping[str, str]) -> str:
    """What distinguishes a row from others of its configuration."""
    versions = _words({name: version for name, version in row.versions.items() if usual.get(name) != version})
    scaled = "" if row.preprocessing == SCALED else f"preprocessing {row.preprocessing}"
    return ", ".join(filter(None, [versions, scaled, "accelerated" if row.accelerated else ""]))


def _words(versions: Mapping[str, str]) -> str:
    return ", ".join(f"{name} {version}" for name, version in versions.items())


def _shown(configuration: Configuration, variant: str, by_dataset: dict[str, Row]) -> dict[str, Any]:
    name = configuration.name
    return {
        "classifier": configuration.classifier,
        "parameters": name[len(configuration.classifier) + 1 : -1],
        "variant": variant,
        "tolerance": tolerance(configuration),
        "results": {dataset: _result(configuration, dataset, by_dataset.get(dataset)) for dataset in DATASETS},
    }


def _result(configuration: Configuration, dataset: str, row: Row | None) -> dict[str, Any]:
    known = published().get(configuration)
    is_timed = known is not None and dataset == "fashion-mnist"
    return {
        "published": known.accuracy.get(dataset) if known else None,
        "publishedSeconds": known.seconds if known and is_timed else None,
        "publishedDeviation": known.two_std / 2 if known and is_timed and known.two_std is not None else None,
        "mean": row.mean if row else None,
        "deviation": row.deviation if row else None,
        "seeds": len(row.accuracies) if row else 0,
        "seconds": row.mean_seconds if row else None,
        "difference": row.difference if row else None,
        "within": row.is_within if row else None,
        "reported": row.reported if row else None,
    }
