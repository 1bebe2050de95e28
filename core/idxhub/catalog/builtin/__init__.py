"""The datasets that come with idxhub, as data: a module for each family, which names the source of its digests.

A dataset is included only if all digests that identify its files are known. A family is imported when one of its
datasets is asked for, because most processes ask for one.
"""

import importlib

from idxhub.catalog.spec import DatasetSpec

_FAMILIES = {
    "fashion-mnist": "fashion_mnist",
    "fashion-mnist-sample": "fashion_mnist_sample",
    "mnist": "mnist",
    "kmnist": "kmnist",
    "qmnist": "qmnist",
    "emnist-balanced": "emnist",
    "emnist-byclass": "emnist",
    "emnist-bymerge": "emnist",
    "emnist-digits": "emnist",
    "emnist-letters": "emnist",
}
NAMES = tuple(_FAMILIES)


def dataset(name: str) -> DatasetSpec:
    """The spec called `name`, one of `NAMES`."""
    family = importlib.import_module(f"{__name__}.{_FAMILIES[name]}")
    found: DatasetSpec = next(spec for spec in family.DATASETS if spec.name == name)
    return found


def datasets() -> dict[str, DatasetSpec]:
    """All specs by name, in the order of `NAMES`."""
    return {name: dataset(name) for name in NAMES}
