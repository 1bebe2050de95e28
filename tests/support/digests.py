"""Two digests that every framework must give of the sample, those too that do not go into one environment."""

from __future__ import annotations

import hashlib
from collections.abc import Iterable
from typing import Any

import numpy as np

import idxhub
from idxhub import conformance

NAME = "fashion-mnist-sample"
EPOCHS, BATCH = 3, 128
# of the train split, as `idxhub demo --epochs 3` prints them: in the order of the file, and of three shuffled epochs
FILE_ORDER = "8895f4b147c054c76bce9a627e39503cc616965792e4fc1124246f0e08976c9c"
SHUFFLED = "06e9616adde7668bfe1687f2544512a9c4bd3e70d3c7016047603de6711552cf"


def read(framework: str) -> tuple[str, str]:
    """The two digests as a framework gives them."""
    subject = conformance.subject(framework)
    native = idxhub.get_dataset(NAME, framework=framework)
    loader = idxhub.get_loader(NAME, framework=framework, batch_size=BATCH, seed=0)
    batches = (subject.pair(batch) for _ in range(EPOCHS) for batch in loader)
    return _digest(subject, subject.batches(native, BATCH)), _digest(subject, batches)


def _digest(subject: conformance.Subject, batches: Iterable[tuple[Any, Any]]) -> str:
    found = hashlib.sha256()
    for images, labels in batches:
        found.update(np.ascontiguousarray(subject.to_numpy(images)))
        found.update(np.asarray(subject.to_numpy(labels)).astype("<i8"))
    return found.hexdigest()
