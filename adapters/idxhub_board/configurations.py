"""The 129 configurations of Fashion-MNIST's benchmark, by the names that scikit-learn 0.19 had.

Source: benchmark/baselines.json of zalandoresearch/fashion-mnist. `estimators` makes them with today's names.
"""

from __future__ import annotations

import itertools
import json
from collections.abc import Mapping, Sequence
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
_UNSEEDED = ("KNeighborsClassifier", "SVC", "GaussianNB")


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
    return [
        Configuration.of(classifier, parameters)
        for classifier, axes in GRID.items()
        for values in itertools.product(*axes.values())
        if _was_run(classifier, parameters := dict(zip(axes, values, strict=True)))
    ]


def select(pattern: str) -> list[Configuration]:
    """The configurations that a pattern means: a classifier, or a name in which * and ? stand for any characters.

    Case does not matter. Raises `UnknownNameError` if there is none.
    """
    every = configurations()
    folded = pattern.casefold()
    found = [
        each for each in every if each.classifier.casefold() == folded or fnmatchcase(each.name.casefold(), folded)
    ]
    if found:
        return found
    classifiers = list(dict.fromkeys(each.classifier for each in every))
    classifier = pattern.partition("(")[0]
    of_classifier = [each.name for each in every if each.classifier.casefold() == classifier.casefold()]
    if of_classifier:
        raise errors.UnknownNameError("configuration", pattern, of_classifier)
    raise errors.UnknownNameError("classifier", classifier, classifiers)


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
