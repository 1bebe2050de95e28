"""The checks. Each has an id, a promise in one line, and the capabilities that it needs."""

# each module adds its checks to `CHECKS`, in this order
from idxhub.conformance.checks import arrays, reading, asking, process, loader  # noqa: F401, I001
from idxhub.conformance.checks.common import CHECKS

__all__ = ["CHECKS"]
