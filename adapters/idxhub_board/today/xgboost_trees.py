"""XGBoost."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from xgboost import XGBClassifier


def make(parameters: Mapping[str, Any], threads: int) -> XGBClassifier:
    """Boosted trees on histograms of the features."""
    return XGBClassifier(**parameters, tree_method="hist", n_jobs=threads)
