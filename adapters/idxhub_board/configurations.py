"""The 129 configurations of Fashion-MNIST's benchmark, by the names that scikit-learn 0.19 had.

Source: benchmark/baselines.json of zalandoresearch/fashion-mnist. `estimators` makes them with today's names. Beside
them stand classifiers that came later.
"""

from __future__ import annotations

import itertools
import json
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from fnmatch import fnmatchcase
from typing import Any

from idxhub import errors

_TREE: Mapping[str, Sequence[Any]] = {
    "criterion": ["gini", "entropy"],
    "splitter": ["best", "random"],
    "max_depth": [10, 50, 100],
}
_LINEAR: Mapping[str, Sequence[Any]] = {"penalty": ["l1", "l2"], "C": [1.0, 10.0, 100.0]}
GRID: Mapping[str, Mapping[str, Sequence[Any]]] = {
    "PassiveAggressiveClassifier": {"C": [1.0, 10.0, 100.0]},
    "SGDClassifier": {
        "loss": ["hinge", "squared_hinge", "perceptron", "log", "modified_huber"],
        "penalty": ["l1", "l2", "elasticnet"],
    },
    "Perceptron": {"penalty": ["l1", "l2", "elasticnet"]},
    "DecisionTreeClassifier": _TREE,
    "RandomForestClassifier": {
        "criterion": ["gini", "entropy"],
        "max_depth": [10, 50, 100],
        "n_estimators": [10, 50, 100],
    },
    "LogisticRegression": {**_LINEAR, "multi_class": ["ovr", "multinomial"]},
    "MLPClassifier": {
        "activation": ["tanh", "relu"],
        "hidden_layer_sizes": [[10], [100], [10, 10], [100, 10]],
    },
    "KNeighborsClassifier": {"n_neighbors": [1, 5, 9], "weights": ["uniform", "distance"], "p": [1, 2]},
    "SVC": {"C": [1.0, 10.0, 100.0], "kernel": ["linear", "rbf", "poly", "sigmoid"]},
    "GaussianNB": {"priors": [[0.1] * 10]},
    "ExtraTreeClassifier": _TREE,
    "GaussianProcessClassifier": {"multi_class": ["one_vs_one", "one_vs_rest"]},
    "GradientBoostingClassifier": {"loss": ["deviance"], "n_estimators": [10, 50, 100], "max_depth": [3, 10, 50]},
    "LinearSVC": {"loss": ["hinge", "squared_hinge"], **_LINEAR, "multi_class": ["ovr", "crammer_singer"]},
}
# classifiers that came after the benchmark; docs/reference/board.md says where a value is not the library's default
TODAY: Mapping[str, Mapping[str, Sequence[Any]]] = {
    "HOG+LinearSVC": {"C": [1.0], "orientations": [9], "pixels_per_cell": [4], "cells_per_block": [2]},
    "HistGradientBoostingClassifier": {"learning_rate": [0.1], "max_iter": [100], "max_leaf_nodes": [31]},
    "XGBClassifier": {"learning_rate": [0.3], "max_depth": [6], "n_estimators": [100]},
    "LGBMClassifier": {"learning_rate": [0.1], "n_estimators": [100], "num_leaves": [31]},
    "HNSWClassifier": {"n_neighbors": [5], "links": [32], "ef_construction": [40], "ef_search": [16]},
}
# networks, which PyTorch trains; likewise
DEEP: Mapping[str, Mapping[str, Sequence[Any]]] = {
    "MLP": {"hidden_layer_sizes": [[256, 128, 100]], "batch_size": [128], "epochs": [20], "learning_rate": [0.001]},
    "ConvNet": {"batch_size": [400], "epochs": [8], "learning_rate": [0.2]},
    "ResNet": {
        "channels": [[16, 32, 64]],
        "batch_size": [128],
        "epochs": [10],
        "learning_rate": [0.1],
        "weight_decay": [0.0005],
    },
}
# XGBoost and LightGBM draw nothing at random unless they sample rows or columns, which they do not do by default; Faiss
# has a seed of its own
_UNSEEDED = ("KNeighborsClassifier", "SVC", "GaussianNB", *TODAY.keys() - {"HistGradientBoostingClassifier"})


@dataclass(frozen=True)
class Configuration:
    """A classifier and its parameters, as they were published.

    `canonical` is the parameters as JSON with sorted keys, by which a configuration is found in stores and tables.
    """

    classifier: str
    canonical: str

    @classmethod
    def of(cls, classifier: str, parameters: Mapping[str, Any]) -> Configuration:
        """The configuration with these parameters."""
        return cls(classifier, json.dumps(parameters, sort_keys=True, separators=(",", ":")))

    @property
    def parameters(self) -> dict[str, Any]:
        """The parameters by name."""
        found: dict[str, Any] = json.loads(self.canonical)
        return found

    @property
    def name(self) -> str:
        """The classifier and its parameters in a word without spaces, such as `SVC(C=10,kernel=rbf)`."""
        words = (f"{key}={_word(value)}" for key, value in self.parameters.items())
        return f"{self.classifier}({','.join(words)})"

    @property
    def is_seeded(self) -> bool:
        """Whether the result depends on a seed; without one, a second run would repeat the first."""
        return self.classifier not in _UNSEEDED


def configurations() -> list[Configuration]:
    """All 129: the products of the grid, without what scikit-learn 0.19 refused or could not hold in memory."""
    return [each for each in _products(GRID) if _was_run(each.classifier, each.parameters)]


def today() -> list[Configuration]:
    """Today's classifiers, which are not among the 129: nothing was published for them."""
    return _products(TODAY)


def deep() -> list[Configuration]:
    """The networks, which are not among the 129 either."""
    return _products(DEEP)


def later() -> list[Configuration]:
    """All that are not among the 129."""
    return [*today(), *deep()]


Group = Callable[[], list[Configuration]]


def select(pattern: str, groups: Sequence[Group] = (configurations, today, deep)) -> list[Configuration]:
    """The configurations that a pattern means: a classifier, or a name in which * and ? stand for any characters.

    Case does not matter. A later group counts only if nothing in an earlier one matches, so that a pattern for the
    published configurations means no others. Raises `UnknownNameError` if there is none.
    """
    folded = pattern.casefold()
    for group in groups:
        found = [
            each
            for each in group()
            if each.classifier.casefold() == folded or fnmatchcase(each.name.casefold(), folded)
        ]
        if found:
            return found
    every = [each for group in groups for each in group()]
    classifiers = list(dict.fromkeys(each.classifier for each in every))
    classifier = pattern.partition("(")[0]
    of_classifier = [each.name for each in every if each.classifier.casefold() == classifier.casefold()]
    if of_classifier:
        raise errors.UnknownNameError("configuration", pattern, of_classifier)
    raise errors.UnknownNameError("classifier", classifier, classifiers)


def _products(grid: Mapping[str, Mapping[str, Sequence[Any]]]) -> list[Configuration]:
    return [
        Configuration.of(classifier, dict(zip(axes, values, strict=True)))
        for classifier, axes in grid.items()
        for values in itertools.product(*axes.values())
    ]


def _was_run(classifier: str, parameters: Mapping[str, Any]) -> bool:
    multi_class = parameters.get("multi_class")
    if classifier == "LinearSVC":  # it has no solver for L1 and one against the rest with these losses in the dual
        return not (parameters["penalty"] == "l1" and multi_class == "ovr")
    if classifier == "LogisticRegression":  # liblinear, then the default, has no multinomial loss
        return multi_class == "ovr"
    return classifier != "GaussianProcessClassifier"  # its kernel is 28.8 GB


def _word(value: Any) -> str:
    if isinstance(value, float):
        return f"{value:g}"
    if isinstance(value, list):
        return "uniform" if len(set(value)) == 1 and isinstance(value[0], float) else f"({','.join(map(str, value))})"
    return str(value)
