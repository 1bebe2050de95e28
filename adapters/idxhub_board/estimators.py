"""A configuration as an estimator of the installed scikit-learn, with what version 0.19 did by default."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from importlib import import_module
from typing import Any

import sklearn
from sklearn.ensemble import GradientBoostingClassifier, HistGradientBoostingClassifier, RandomForestClassifier
from sklearn.linear_model import LogisticRegression, Perceptron, SGDClassifier
from sklearn.multiclass import OneVsRestClassifier
from sklearn.naive_bayes import GaussianNB
from sklearn.neighbors import KNeighborsClassifier
from sklearn.neural_network import MLPClassifier
from sklearn.svm import SVC, LinearSVC
from sklearn.tree import DecisionTreeClassifier, ExtraTreeClassifier

from idxhub_board.configurations import Configuration

# since 1.8, `penalty` of LogisticRegression and PassiveAggressiveClassifier are deprecated, and have substitutes
_SINCE_1_8 = tuple(map(int, sklearn.__version__.split(".")[:2])) >= (1, 8)
_FIVE_EPOCHS = {"max_iter": 5, "tol": None}


def build(configuration: Configuration, seed: int, threads: int = 1) -> Any:
    """An estimator that is not fitted yet. The seed is its `random_state`, if its result depends on one.

    `threads` is for the libraries that have a parameter for it; the others take it from the environment.
    """
    more = {"random_state": seed} if configuration.is_seeded else {}
    if configuration.classifier in _MODULES:
        module = import_module(f"idxhub_board.today.{_MODULES[configuration.classifier]}")
        return module.make(configuration.parameters, threads, **more)
    return _MAKE[configuration.classifier](configuration.parameters, more)


_Make = Callable[[Mapping[str, Any], Mapping[str, Any]], Any]


def _plain(estimator: type, **defaults: Any) -> _Make:
    def make(parameters: Mapping[str, Any], more: Mapping[str, Any]) -> Any:
        return estimator(**{**defaults, **parameters, **more})

    return make


def _renamed_loss(estimator: type, old: str, **defaults: Any) -> _Make:
    plain = _plain(estimator, **defaults)

    def make(parameters: Mapping[str, Any], more: Mapping[str, Any]) -> Any:
        loss = parameters["loss"]
        return plain({**parameters, "loss": "log_loss" if loss == old else loss}, more)

    return make


def _passive_aggressive(parameters: Mapping[str, Any], more: Mapping[str, Any]) -> Any:
    if _SINCE_1_8:
        rate = {"penalty": None, "learning_rate": "pa1", "eta0": parameters["C"]}
        return SGDClassifier(loss="hinge", **rate, **_FIVE_EPOCHS, **more)
    from sklearn.linear_model import PassiveAggressiveClassifier  # noqa: PLC0415 -- gone in 1.10

    return PassiveAggressiveClassifier(C=parameters["C"], **_FIVE_EPOCHS, **more)


def _logistic_regression(parameters: Mapping[str, Any], more: Mapping[str, Any]) -> Any:
    # before 1.8, `l1_ratio` is silently ignored
    l1 = parameters["penalty"] == "l1"
    penalty = {"l1_ratio": float(l1)} if _SINCE_1_8 else {"penalty": parameters["penalty"]}
    return OneVsRestClassifier(LogisticRegression(solver="liblinear", C=parameters["C"], **penalty, **more))


_MAKE: Mapping[str, _Make] = {
    "PassiveAggressiveClassifier": _passive_aggressive,
    "SGDClassifier": _renamed_loss(SGDClassifier, "log", **_FIVE_EPOCHS),
    "Perceptron": _plain(Perceptron, **_FIVE_EPOCHS),
    "DecisionTreeClassifier": _plain(DecisionTreeClassifier),
    "RandomForestClassifier": _plain(RandomForestClassifier),
    "LogisticRegression": _logistic_regression,
    "MLPClassifier": _plain(MLPClassifier, n_iter_no_change=2),
    "KNeighborsClassifier": _plain(KNeighborsClassifier),
    "SVC": _plain(SVC, gamma="auto"),
    "GaussianNB": _plain(GaussianNB),
    "ExtraTreeClassifier": _plain(ExtraTreeClassifier),
    "GradientBoostingClassifier": _renamed_loss(GradientBoostingClassifier, "deviance"),
    "LinearSVC": _plain(LinearSVC, dual=True),
    "HistGradientBoostingClassifier": _plain(HistGradientBoostingClassifier),
}
# those of other libraries: each module imports its own
_MODULES: Mapping[str, str] = {
    "ConvNet": "torch_convnet",
    "HNSWClassifier": "faiss_neighbors",
    "HOG+LinearSVC": "hog_svm",
    "LGBMClassifier": "lightgbm_trees",
    "MLP": "torch_mlp",
    "ResNet": "torch_resnet",
    "XGBClassifier": "xgboost_trees",
}
