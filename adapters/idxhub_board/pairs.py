"""Whether two classifiers really differ: McNemar's test on their predictions for the same examples."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any, NamedTuple

import numpy as np
from numpy.typing import NDArray

from idxhub import errors
from idxhub_board import records
from idxhub_board.configurations import Configuration
from idxhub_board.matrices import load_data
from idxhub_board.records import Record
from idxhub_board.summary import configuration_of


class Pair(NamedTuple):
    """Two results on the same test examples.

    `only_first` and `only_second` count the examples that one of them alone classifies correctly. `p` is the
    probability of a difference at least as large if both were equally good: McNemar's exact test, two-sided.
    """

    accuracies: tuple[float, float]
    only_first: int
    only_second: int
    p: float


def mcnemar(first: NDArray[np.bool_], second: NDArray[np.bool_]) -> Pair:
    """Compare two arrays that say which examples were classified correctly."""
    from scipy.stats import binomtest  # noqa: PLC0415 -- takes a second, and the other comparisons do without

    only_first, only_second = int((first & ~second).sum()), int((second & ~first).sum())
    both = only_first + only_second
    p = float(binomtest(only_first, both).pvalue) if both else 1.0
    return Pair((float(first.mean()), float(second.mean())), only_first, only_second, p)


def compare_pair(results: Iterable[Record], first: Configuration, second: Configuration, **source: Any) -> Pair:
    """McNemar's test of two configurations, on their results on the same dataset that have predictions.

    `source` is as for `load_data`. Raises `UnknownNameError` if there are no such results.
    """
    kept = [each for each in results if each["status"] == records.DONE and each["predictions"] is not None]
    of_first, of_second = ([each for each in kept if configuration_of(each) == wanted] for wanted in (first, second))
    for a in of_first:
        for b in of_second:
            if all(a[key] == b[key] for key in ("digest", "seed")):
                return mcnemar(is_correct(a, **source), is_correct(b, **source))
    have = dict.fromkeys(configuration_of(each).name for each in kept)
    missing = first if not of_first else second
    why = f"there are no predictions of {missing.name} on the same dataset with the same seed"
    raise errors.UnknownNameError("pair", f"{first.name} and {second.name}", have, why=why)


def is_correct(record: Record, **source: Any) -> NDArray[np.bool_]:
    """Which test examples a result classified correctly. Raises `ArgumentError` if the record does not fit the data."""
    data = load_data(record["dataset"], record["examples"], **source)
    if data.digest != record["digest"]:
        raise errors.ArgumentError("digest of a result", record["digest"], f"{data.digest}, that of the dataset")
    try:
        predictions = records.decode_predictions(record["predictions"], len(data.test))
    except ValueError as error:
        raise errors.ArgumentError("predictions of a result", configuration_of(record).name, str(error)) from error
    found: NDArray[np.bool_] = predictions == data.test.labels
    return found
