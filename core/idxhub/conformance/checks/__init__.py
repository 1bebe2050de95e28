"""The checks. Each has an id, a promise in one line, and the capability it needs; each is public as data."""

# each adds its checks to the list, in this order
from idxhub.conformance.checks import arrays, reading, asking, process, loader  # noqa: F401, I001
from idxhub.conformance.checks.common import CHECKS

__all__ = ["CHECKS"]
