"""The readers that are measured, a module for each framework; `make` imports only the one that is asked for."""

from __future__ import annotations

import importlib

from idxhub_bench.load.contenders.base import Contender
from idxhub_bench.load.places import Place


def make(reader: str, place: Place) -> Contender:
    """The reader called `module:class`; its framework is imported."""
    module, _, name = reader.partition(":")
    kind = getattr(importlib.import_module(module if "." in module else f"{__name__}.{module}"), name)
    made: Contender = kind(place)
    return made
