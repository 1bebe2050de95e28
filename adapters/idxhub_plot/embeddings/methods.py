"""The methods that place the examples of a dataset in the plane, without importing any of them."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from importlib import import_module, metadata
from typing import Any

import numpy as np
from numpy.typing import NDArray

from idxhub import errors

# of (n, d) float32, a function that is told of progress, the seed, and the method's parameters: (n, 2)
Compute = Callable[..., NDArray[Any]]


@dataclass(frozen=True)
class Method:
    """A method.

    `module` has its function `compute`. `packages` are the distributions whose versions decide the result, the one to
    install first. `parameters` are the parameters with their defaults. `least` is the smallest number of examples that
    it can place.
    """

    title: str
    module: str
    packages: tuple[str, ...]
    parameters: Mapping[str, int | float] = field(default_factory=dict)
    least: int = 16

    def load(self, name: str) -> Compute:
        """The function that computes. Raises `MissingFrameworkError`."""
        try:
            compute: Compute = import_module(f"idxhub_plot.embeddings.{self.module}").compute
        except Exception as error:  # a package that does not fit the others raises anything while it is imported
            raise errors.MissingFrameworkError(
                f"the method {name!r} needs the package {self.packages[0]}, which cannot be imported ({error}); "
                f"install it with: pip install {self.packages[0]}",
                name=getattr(error, "name", None),
            ) from error
        return compute

    def versions(self) -> dict[str, str]:
        """The version of each package that decides the result."""
        return {package: metadata.version(package) for package in self.packages}

    def check(self, name: str, parameters: Mapping[str, Any]) -> dict[str, int | float]:
        """The method's parameters, some of them the caller's.

        Raises `UnknownNameError` for a parameter that the method does not have, and `ArgumentError` for a value that is
        no positive number, or no integer where the default is one.
        """
        for key, value in parameters.items():
            if key not in self.parameters:
                raise errors.UnknownNameError(f"{name} parameter", key, tuple(self.parameters))
            kind = type(self.parameters[key])
            if isinstance(value, bool) or not isinstance(value, (int, kind)) or not 0 < value < np.inf:
                word = "an integer of 1 or more" if kind is int else "a positive number"
                raise errors.ArgumentError(f"{key} of {name}", value, word)
        given = {key: type(self.parameters[key])(value) for key, value in parameters.items()}
        return {**self.parameters, **given}


METHODS: Mapping[str, Method] = {
    "pca": Method("PCA", "pca", ("numpy",), least=2),
    "tsne": Method(
        "t-SNE",
        "open_tsne",
        ("openTSNE", "numpy"),
        {"perplexity": 30.0, "pca_components": 50, "early_iterations": 250, "iterations": 500},
    ),
    "umap": Method(
        "UMAP",
        "umap_learn",
        ("umap-learn", "pynndescent", "numba", "numpy"),
        {"neighbors": 15, "min_distance": 0.1, "epochs": 200},
    ),
    "pymde": Method("PyMDE", "py_mde", ("pymde", "torch", "numpy"), {"neighbors": 15, "iterations": 300}),
}


def find_method(name: str) -> Method:
    """The method of this name. Raises `UnknownNameError`."""
    if name not in METHODS:
        raise errors.UnknownNameError("method", name, tuple(METHODS))
    return METHODS[name]
