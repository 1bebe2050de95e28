"""What the measured processes of `train` and `device` share; they need idxhub."""

from __future__ import annotations

from collections.abc import Callable
from importlib.metadata import EntryPoint
from typing import Any

from idxhub import Plugins, errors
from idxhub_bench import processes

# the packages on which a framework's figures depend
PACKAGES = {
    "torch": ("torch",),
    "tensorflow": ("tensorflow", "tensorflow-cpu", "keras"),
    "jax": ("jax", "jaxlib"),
}


def answer(measure: Callable[..., dict[str, Any]]) -> None:
    """Call `measure` with what this process is asked, and answer what it returns.

    If a module or the device is missing, the answer has only the reason, as `missing`.
    """
    try:
        found = measure(**processes.question())
    except ImportError as error:  # idxhub's own, for a framework, comes from Python's
        cause = error if isinstance(error, ModuleNotFoundError) else error.__cause__
        if not isinstance(cause, ModuleNotFoundError):
            raise
        found = {"missing": f"{cause.name} not installed"}
    except errors.ArgumentError as error:  # an adapter refuses a device that the machine does not have
        found = {"missing": str(error)}
    processes.answer(found)


def plugins(framework: str) -> Plugins:
    """The installed plugins, or the framework's adapter alone in a checkout that is on the path and not installed."""
    found = Plugins()
    if framework in found.adapters():
        return found
    return Plugins([EntryPoint(framework, f"idxhub_adapters.{framework}", "idxhub.adapters")])
