"""The stub that type checkers read and the functions that run: the same parameters."""

from __future__ import annotations

import ast
import inspect
from importlib.resources import files

import pytest

from idxhub import _api

STUB = ast.parse(files("idxhub").joinpath("_overloads.pyi").read_text())
SHARED = {"name", "framework", "split", "batch_size"}  # named by each overload itself


def fields(name: str) -> set[str]:
    """The keys of a TypedDict in the stub, those of its base included."""
    (found,) = [node for node in STUB.body if isinstance(node, ast.ClassDef) and node.name == name]
    own = {node.target.id for node in found.body if isinstance(node, ast.AnnAssign)}
    bases = [base.id for base in found.bases if isinstance(base, ast.Name) and base.id != "TypedDict"]
    return own.union(*map(fields, bases))


@pytest.mark.parametrize(("function", "options"), [("get_dataset", "Common"), ("get_loader", "Batching")])
def test_the_stub_has_the_functions_parameters(function, options):
    parameters = inspect.signature(getattr(_api, function)).parameters.values()
    real = {parameter.name for parameter in parameters if parameter.kind is not parameter.VAR_KEYWORD}
    assert fields(options) | SHARED == real | SHARED
