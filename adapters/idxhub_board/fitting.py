"""One job: fit a configuration and measure its accuracy."""

from __future__ import annotations

import time
import warnings
from dataclasses import asdict, dataclass
from functools import cache
from typing import Any

from idxhub_board import records
from idxhub_board.configurations import Configuration
from idxhub_board.matrices import Data, DataReference, preprocessing_of
from idxhub_board.today import find_version, packages_of

PACKAGES = ("scikit-learn", "numpy", "scipy")  # whose versions belong to every result


@dataclass(frozen=True)
class Job:
    """A configuration to fit with a seed. `backend` is what distributes the jobs; it belongs to the result's key.

    `threads` is how many the estimator may use, which does not.
    """

    configuration: Configuration
    seed: int
    data: DataReference
    backend: str = "loky"
    accelerated: bool = False
    threads: int = 1

    @property
    def identity(self) -> dict[str, Any]:
        """The fields of a record that are known before the job runs."""
        return {
            "format": records.FORMAT,
            "dataset": self.data.dataset,
            "examples": self.data.examples,
            "digest": self.data.digest,
            "preprocessing": preprocessing_of(self.configuration.classifier),
            "classifier": self.configuration.classifier,
            "parameters": self.configuration.parameters,
            "seed": self.seed,
            "versions": versions(self.configuration.classifier, accelerated=self.accelerated),
            "backend": self.backend,
            "accelerated": self.accelerated,
        }

    @property
    def key(self) -> records.Key:
        """The key of its result."""
        return records.key(self.identity)

    def as_json(self) -> dict[str, Any]:
        """What `job_from_json` takes."""
        return asdict(self)


def job_from_json(data: dict[str, Any]) -> Job:
    """The job that `Job.as_json` describes."""
    configuration, reference = Configuration(**data["configuration"]), DataReference(**data["data"])
    return Job(**{**data, "configuration": configuration, "data": reference})


def fit(job: Job) -> dict[str, Any]:
    """Fit and predict; the fields of a record that the job adds. Raises whatever the estimator raises."""
    from idxhub_board.estimators import build  # noqa: PLC0415 -- imports scikit-learn, after it was accelerated

    data = _load(job.data)
    train, test = data.inputs(job.configuration.classifier)
    estimator = build(job.configuration, job.seed, job.threads)
    with warnings.catch_warnings(record=True) as caught:
        warnings.simplefilter("always")
        start, used = time.perf_counter(), time.process_time()
        estimator.fit(train, data.train.labels)
        fitted = time.perf_counter()
        predictions = estimator.predict(test)
        end, used = time.perf_counter(), time.process_time() - used
    return {
        "status": records.DONE,
        "accuracy": float((predictions == data.test.labels).mean()),
        "test_examples": len(data.test),
        "fit_seconds": round(fitted - start, 4),
        "predict_seconds": round(end - fitted, 4),
        "cpu_seconds": round(used, 4),
        "warnings": sorted({each.category.__name__ for each in caught}),
        # of one seed: those of all would be most of a store
        "predictions": records.encode_predictions(predictions) if job.seed == 0 else None,
    }


@cache
def versions(classifier: str, *, accelerated: bool) -> dict[str, str]:
    """The versions of the packages that decide a result of a classifier; "none" for one that is not installed."""
    more = [*packages_of(classifier), *(["scikit-learn-intelex"] if accelerated else [])]
    return {name: find_version(name) or "none" for name in (*PACKAGES, *more)}


@cache
def _load(reference: DataReference) -> Data:
    return reference.load()
