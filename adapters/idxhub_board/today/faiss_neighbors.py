"""The nearest neighbours by an approximate index: a small-world graph of Faiss (HNSW)."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import faiss
import numpy as np
from numpy.typing import NDArray
from sklearn.base import BaseEstimator, ClassifierMixin


def make(parameters: Mapping[str, Any], threads: int) -> HNSWClassifier:
    """Neighbours by Euclidean distance."""
    return HNSWClassifier(**parameters, threads=threads)


class HNSWClassifier(ClassifierMixin, BaseEstimator):  # type: ignore[misc]  # scikit-learn has no types
    """The class that most of the nearest neighbours have; of several, the smallest, as KNeighborsClassifier has it.

    `links` is Faiss' M, the neighbours of each example in the graph. The other parameters are Faiss' own: how many
    candidates are kept while the graph is built, and while it is searched.
    """

    def __init__(self, *, n_neighbors: int, links: int, ef_construction: int, ef_search: int, threads: int = 1) -> None:
        self.n_neighbors = n_neighbors
        self.links = links
        self.ef_construction = ef_construction
        self.ef_search = ef_search
        self.threads = threads

    def fit(self, features: NDArray[np.float32], labels: NDArray[Any]) -> HNSWClassifier:
        """Build the graph. With one thread it is the same each time: Faiss begins with a fixed seed."""
        self.classes_, self._codes = np.unique(labels, return_inverse=True)
        faiss.omp_set_num_threads(self.threads)
        self._index = faiss.IndexHNSWFlat(features.shape[1], self.links)
        self._index.hnsw.efConstruction = self.ef_construction
        self._index.hnsw.efSearch = self.ef_search
        self._index.add(np.ascontiguousarray(features, np.float32))
        return self

    def predict(self, features: NDArray[np.float32]) -> NDArray[Any]:
        """The class of each example."""
        found: NDArray[Any] = self.classes_[self._votes(features).argmax(1)]
        return found

    def predict_proba(self, features: NDArray[np.float32]) -> NDArray[np.float64]:
        """The share of each class among the neighbours, (N, classes)."""
        votes = self._votes(features)
        shares: NDArray[np.float64] = votes / votes.sum(1, keepdims=True)
        return shares

    def _votes(self, features: NDArray[np.float32]) -> NDArray[np.intp]:
        _, near = self._index.search(np.ascontiguousarray(features, np.float32), self.n_neighbors)
        at, place = np.nonzero(near >= 0)  # -1 where the graph had fewer neighbours
        votes = np.zeros((len(features), len(self.classes_)), np.intp)
        np.add.at(votes, (at, self._codes[near[at, place]]), 1)
        return votes
