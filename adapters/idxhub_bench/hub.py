"""What the measured processes of `train` and `device` share; they need idxhub."""

from __future__ import annotations

import json
import sys
from collections.abc import Callable
from importlib.metadata import EntryPoint
from typing import Any

from idxhub import Plugins, errors

# the packages on which a framework's figures depend
PACKAGES = {
    "torch": ("torch",),
    "tensorflow": ("tensorflow", "tensorflow-cpu", "keras"),
    "jax": ("jax", "jaxlib"),
}


def answer(measure: Callable[..., dict[str, Any]]) -> None:
    """Call `measure` with the JSON in the first argument, and print its answer as one line of JSON.

    If a module or the device is missing, the answer has only the reason, as `missing`.
    """
    try:
        found = measure(**json.loads(sys.argv[1]))
    except ModuleNotFoundError as error:
        found = {"missing": f"{error.name} not installed"}
    except errors.ArgumentError as error:  # an adapter refuses a device that the machine does not have
        found = {"missing": str(error)}
    print(json.dumps(found))  # noqa: T201 -- its answer


def plugins(framework: str) -> Plugins:
    """The installed plugins, or the framework's adapter alone in a checkout that is on the path and not installed."""
    found = Plugins()
    if framework in found.adapters():
        return found
    return Plugins([EntryPoint(framework, f"idxhub_adapters.{framework}", "idxhub.adapters")])
