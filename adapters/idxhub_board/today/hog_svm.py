"""Histograms of oriented gradients (scikit-image), and a linear SVM on them."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import numpy as np
from numpy.typing import NDArray
from skimage.feature import hog
from sklearn.pipeline import Pipeline, make_pipeline
from sklearn.preprocessing import FunctionTransformer
from sklearn.svm import LinearSVC


def make(parameters: Mapping[str, Any], _threads: int) -> Pipeline:
    """A pipeline that takes images, (N, height, width). Neither step can use several threads."""
    size = {key: (parameters[key], parameters[key]) for key in ("pixels_per_cell", "cells_per_block")}
    features = FunctionTransformer(_features, kw_args={"orientations": parameters["orientations"], **size})
    # the primal problem: there are more examples than features, and its solver draws nothing at random
    return make_pipeline(features, LinearSVC(C=parameters["C"], dual=False))


def _features(images: NDArray[np.uint8], **options: Any) -> NDArray[np.float64]:
    found: NDArray[np.float64] = np.stack([hog(image, **options) for image in images])
    return found
