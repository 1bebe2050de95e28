"""Examples whose label is probably wrong or arguable, found by cleanlab from what models say that never saw them."""

from __future__ import annotations

import hashlib
import platform
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from cleanlab.filter import find_label_issues
from cleanlab.rank import get_label_quality_ensemble_scores, get_label_quality_scores
from numpy.typing import NDArray
from sklearn.model_selection import StratifiedKFold, cross_val_predict
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import StandardScaler
from tqdm import tqdm

from idxhub import Split, errors
from idxhub_board.configurations import Configuration
from idxhub_board.estimators import build
from idxhub_board.today import find_version

_PACKAGES = ("cleanlab", "scikit-learn", "numpy", "scipy", "idxhub")


@dataclass(frozen=True)
class Suspect:
    """An example: where it is, its label, and what each model says instead.

    `digest` is SHA-256 of the bytes of the image. `quality` is cleanlab's score of the label, from 0 to 1; a low
    one is suspicious. `flagged_by` counts the models for which cleanlab takes the label for an error. `predicted`
    is by model: the class, and its probability.
    """

    split: str
    index: int
    digest: str
    label: int
    quality: float
    flagged_by: int
    predicted: Mapping[str, tuple[int, float]]


def out_of_fold(
    split: Split, models: Sequence[Configuration], folds: int, seed: int, *, progress: bool = False
) -> dict[str, NDArray[np.float64]]:
    """For each model the probability of each class for each example, (N, classes), by a fit without that example.

    The folds are stratified and the same for all models. Raises `ArgumentError` if a model gives no probabilities, a
    class has fewer examples than there are folds, or the dataset is not one of images whose classes have names.
    """
    if not split.classes or split.images.ndim != 3:
        name = split.info.dataset
        raise errors.ArgumentError("dataset", name, "one of images, (height, width), whose classes have names")
    if np.bincount(split.labels, minlength=len(split.classes)).min() < folds:
        raise errors.ArgumentError("folds", folds, "at most the number of examples of the smallest class")
    pixels = split.images.reshape(len(split), -1).astype(np.float32)
    parts = StratifiedKFold(folds, shuffle=True, random_state=seed)
    found = {}
    for model in tqdm(models, desc="models", disable=None if progress else True):
        estimator = make_pipeline(StandardScaler(), build(model, seed))
        if not hasattr(estimator, "predict_proba"):
            raise errors.ArgumentError("model", model.name, "one that gives probabilities")
        found[model.name] = cross_val_predict(estimator, pixels, split.labels, cv=parts, method="predict_proba")
    return found


def find_issues(split: Split, probabilities: Mapping[str, NDArray[np.float64]]) -> dict[str, NDArray[np.bool_]]:
    """For each model, the labels that cleanlab takes for errors, (N,)."""
    return {name: find_label_issues(split.labels, each, n_jobs=1) for name, each in probabilities.items()}


def rank(
    split: Split,
    probabilities: Mapping[str, NDArray[np.float64]],
    issues: Mapping[str, NDArray[np.bool_]],
    count: int,
) -> list[Suspect]:
    """The `count` most suspicious examples: first those that most models flag, and among these the lowest quality."""
    several = list(probabilities.values())
    if len(several) == 1:
        quality = get_label_quality_scores(split.labels, several[0])
    else:
        quality = get_label_quality_ensemble_scores(split.labels, several, verbose=False)
    flags = np.sum(list(issues.values()), axis=0)
    worst = np.lexsort((quality, -flags))[:count]  # a model that gives a probability of 0 cannot decide alone
    return [_suspect(split, int(at), float(quality[at]), int(flags[at]), probabilities) for at in worst]


def method(
    split: Split,
    probabilities: Mapping[str, NDArray[np.float64]],
    issues: Mapping[str, NDArray[np.bool_]],
    folds: int,
    seed: int,
) -> dict[str, Any]:
    """How the suspects were found, as docs/reference/board.md describes it."""
    several = len(probabilities) > 1
    return {
        "format": 1,
        "meaning": "suspicions, not the truth: models disagree with these labels",
        "dataset": split.info.dataset,
        "files": [[record.filename, record.payload_sha256] for record in split.info.records],
        "ranges": [[part.name, part.start, part.stop] for part in split.info.parts],
        "folds": folds,
        "seed": seed,
        "score": f"cleanlab.rank.get_label_quality_{'ensemble_' if several else ''}scores",
        "flag": "cleanlab.filter.find_label_issues",
        "models": {
            name: {
                "accuracy": round(float((each.argmax(1) == split.labels).mean()), 4),
                "flagged": int(issues[name].sum()),
            }
            for name, each in probabilities.items()
        },
        "flagged_by_all": int(np.all(list(issues.values()), axis=0).sum()),
        "versions": {name: find_version(name) for name in _PACKAGES} | {"python": platform.python_version()},
    }


def _suspect(
    split: Split, at: int, quality: float, flagged_by: int, probabilities: Mapping[str, NDArray[np.float64]]
) -> Suspect:
    said = {name: (int(each[at].argmax()), float(each[at].max())) for name, each in probabilities.items()}
    name, index = _position(split, at)
    digest = hashlib.sha256(np.ascontiguousarray(split.images[at]).tobytes()).hexdigest()
    return Suspect(name, index, digest, int(split.labels[at]), quality, flagged_by, said)


def _position(split: Split, at: int) -> tuple[str, int]:
    """The split of the dataset, and the position in it, of an example."""
    for part in split.info.parts:
        length = part.stop - part.start
        if at < length:
            return part.name, part.start + at
        at -= length
    raise IndexError(at)


def table(suspects: Sequence[Suspect], classes: Sequence[str]) -> Iterator[list[Any]]:
    """The suspects as rows of text and numbers, headings first."""
    models = list(suspects[0].predicted) if suspects else []
    yield ["split", "index", "sha256", "label", "class", "quality", "flagged_by", *models]
    for each in suspects:
        said = [f"{classes[label]} ({probability:.2f})" for label, probability in each.predicted.values()]
        name = classes[each.label]
        yield [each.split, each.index, each.digest, each.label, name, f"{each.quality:.5f}", each.flagged_by, *said]
