"""idxhub in a measured process: its adapters, the versions of what is measured."""

from __future__ import annotations

import importlib.metadata
import platform
from collections.abc import Iterable
from importlib.metadata import EntryPoint

from idxhub import Plugins

# what a framework's figures depend on; one interpreter may have all of them
PACKAGES = {
    "torch": ("torch",),
    "tensorflow": ("tensorflow", "tensorflow-cpu", "keras"),
    "jax": ("jax", "jaxlib"),
}


def plugins(framework: str) -> Plugins:
    """Those installed; in a checkout that is on the path and not installed, the adapter of this framework."""
    found = Plugins()
    if framework in found.adapters():
        return found
    return Plugins([EntryPoint(framework, f"idxhub_adapters.{framework}", "idxhub.adapters")])


def versions(packages: Iterable[str]) -> dict[str, str]:
    """Of those packages that are installed, and of Python."""
    found = {"python": platform.python_version()}
    for package in packages:
        try:
            found[package] = importlib.metadata.version(package)
        except importlib.metadata.PackageNotFoundError:
            continue
    return found
