"""The examples in docstrings."""

from __future__ import annotations

import io
from collections.abc import Callable
from doctest import DocTestFinder, DocTestRunner
from typing import Any


def assert_example_holds(function: Callable[..., Any]) -> None:
    """That the docstring of a function has an example, and that it gives what it says."""
    (found,) = DocTestFinder(recurse=False).find(function, function.__name__, globs={})
    assert found.examples
    failures = io.StringIO()
    DocTestRunner(verbose=False).run(found, out=failures.write)
    assert failures.getvalue() == ""
