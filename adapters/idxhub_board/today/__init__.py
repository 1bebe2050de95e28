"""Classifiers of other libraries than scikit-learn: which packages they need. Each module imports one library."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from importlib.metadata import PackageNotFoundError, version
from importlib.util import find_spec

from idxhub import errors
from idxhub_board.configurations import Configuration

# by classifier: the distribution that decides its result, and the module by which that is imported
_PACKAGES: Mapping[str, Mapping[str, str]] = {
    "ConvNet": {"torch": "torch"},
    "HNSWClassifier": {"faiss-cpu": "faiss"},
    "HOG+LinearSVC": {"scikit-image": "skimage"},
    "LGBMClassifier": {"lightgbm": "lightgbm"},
    "MLP": {"torch": "torch"},
    "ResNet": {"torch": "torch"},
    "XGBClassifier": {"xgboost": "xgboost"},
}
_OTHER_BUILDS = {"xgboost": "xgboost-cpu"}  # the same module, under another name in the package index


def packages_of(classifier: str) -> tuple[str, ...]:
    """The packages beside scikit-learn whose versions belong to a classifier's results."""
    return tuple(_PACKAGES.get(classifier, ()))


def find_version(package: str) -> str | None:
    """The version of a package; None if it is not installed."""
    for name in (package, _OTHER_BUILDS.get(package, package)):
        try:
            return version(name)
        except PackageNotFoundError:
            continue
    return None


def need_packages(chosen: Iterable[Configuration]) -> None:
    """Raise `MissingFrameworkError` if a configuration needs a package that is not installed. Imports nothing."""
    wanted = [
        (each.classifier, package)
        for each in chosen
        for package, module in _PACKAGES.get(each.classifier, {}).items()
        if find_spec(module) is None
    ]
    if wanted:
        names, packages = (list(dict.fromkeys(words)) for words in zip(*wanted, strict=True))
        verb = "needs" if len(names) == 1 else "need"
        what = "a package that is" if len(packages) == 1 else "packages that are"
        raise errors.MissingFrameworkError(
            f"{', '.join(names)} {verb} {what} not installed: pip install {' '.join(packages)}"
        )
