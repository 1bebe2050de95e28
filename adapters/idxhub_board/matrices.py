"""The scaled pixels of a dataset as matrices that all processes of a machine map from one file each."""

from __future__ import annotations

import hashlib
import io
import json
import os
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass, field
from typing import Any

import numpy as np
from numpy.typing import NDArray

from idxhub import Split, errors, get_dataset, load

SCALED = "StandardScaler"  # fitted on the train examples, as the authors did
RAW = "none"  # the images as they are stored
UNIT = "pixel/255"  # float32 from 0 to 1
_LARGEST_LABEL = 255
_FORMAT = 1  # of the cached matrices
_ROWS = 1 << 12  # of a matrix that are made at a time
# these convert to float32 themselves, so that their results are the same and they make no copy
_FLOAT32 = (
    "DecisionTreeClassifier",
    "ExtraTreeClassifier",
    "RandomForestClassifier",
    "GradientBoostingClassifier",
    "HNSWClassifier",
    "LGBMClassifier",
    "XGBClassifier",
)
# what a classifier gets instead of the matrices
_INPUTS = {"HOG+LinearSVC": RAW, "ConvNet": UNIT, "MLP": UNIT, "ResNet": UNIT}


@dataclass(frozen=True)
class DataReference:
    """A dataset by its name and the digest of its content, so that each worker loads it from its own cache.

    `examples` is how many of the train and of the test examples are used at most; None for all.
    """

    dataset: str
    examples: int | None
    digest: str
    data_dir: str | None = None
    download: bool = True

    def load(self) -> Data:
        """The examples on this machine. Raises `ArgumentError` if they are others, and what `load_data` raises."""
        # another machine of a cluster may lack the folder
        data_dir = self.data_dir if self.data_dir is not None and os.path.isdir(self.data_dir) else None
        data = load_data(self.dataset, self.examples, data_dir=data_dir, download=self.download)
        if data.digest != self.digest:
            raise errors.ArgumentError("digest of the dataset on this machine", data.digest, repr(self.digest))
        return data


@dataclass(frozen=True, eq=False)
class Data:
    """The train and test examples of a dataset.

    `source` is the arguments of `idxhub.load` that say where they come from.
    """

    train: Split
    test: Split
    source: Mapping[str, Any] = field(default_factory=dict)

    @property
    def digest(self) -> str:
        """SHA-256 of what identifies the pixels and labels: digests of files, and which of their examples are used."""
        parts = [
            [
                [record.filename, record.payload_sha256, list(record.steps)]
                for record in sorted(split.info.records, key=lambda record: record.filename)
            ]
            + [[part.start, part.stop] for part in split.info.parts]
            for split in (self.train, self.test)
        ]
        return hashlib.sha256(json.dumps(parts).encode()).hexdigest()

    def inputs(self, classifier: str) -> tuple[Any, Any]:
        """What a classifier gets: the matrices in its dtype, the images as they are stored, or datasets of PyTorch."""
        preprocessing = preprocessing_of(classifier)
        if preprocessing == RAW:
            return self.train.images, self.test.images
        if preprocessing == UNIT:
            return self._torch_dataset(self.train), self._torch_dataset(self.test)
        return self.matrices(dtype_of(classifier))

    def matrices(self, dtype: str) -> tuple[NDArray[Any], NDArray[Any]]:
        """The scaled train and test pixels, (N, pixels), read-only: mapped from files in the cache, made if absent."""
        return self._matrix(self.train, "train", dtype), self._matrix(self.test, "test", dtype)

    def make_matrices(self, classifiers: Iterable[str]) -> None:
        """Make the matrices that these classifiers need, before several processes map them."""
        for dtype in sorted({dtype_of(each) for each in classifiers if preprocessing_of(each) == SCALED}):
            self.matrices(dtype)

    def _torch_dataset(self, split: Split) -> Any:
        info = split.info
        return get_dataset(info.dataset, framework="torch", split=info.split, dtype="float32", **self.source)

    def _matrix(self, split: Split, which: str, dtype: str) -> NDArray[Any]:
        name = f"board-{_FORMAT}-{self.digest[:16]}-{which}-{dtype}.npy"
        path = split.derived(name, lambda: self._encoded(split, dtype))
        found: NDArray[Any] = np.load(path, mmap_mode="r")
        return found

    def _encoded(self, split: Split, dtype: str) -> Iterator[bytes]:
        from sklearn.preprocessing import StandardScaler  # noqa: PLC0415 -- not where the matrices are in the cache

        scaler = StandardScaler().fit(_table(self.train.images).astype(np.float64))
        rows = _table(split.images)
        header = io.BytesIO()
        np.lib.format.write_array_header_1_0(
            header, {"descr": np.dtype(dtype).str, "fortran_order": False, "shape": rows.shape}
        )
        yield header.getvalue()
        for start in range(0, len(rows), _ROWS):
            yield scaler.transform(rows[start : start + _ROWS].astype(np.float64)).astype(dtype).tobytes()


def load_data(dataset: str, examples: int | None = None, *, data_dir: str | None = None, download: bool = True) -> Data:
    """The train and test examples of a dataset.

    Raises what `idxhub.load` raises, and `ArgumentError` for labels that a stored prediction, a byte, cannot hold.
    """
    source = {"data_dir": data_dir, "download": download}
    train, test = (_load_part(dataset, name, examples, **source) for name in ("train", "test"))
    if train.labels.min(initial=0) < 0 or train.labels.max(initial=0) > _LARGEST_LABEL:
        must_be = f"one whose labels are from 0 to {_LARGEST_LABEL}, because a stored prediction is one byte"
        raise errors.ArgumentError("dataset", dataset, must_be)
    return Data(train, test, source)


def _load_part(dataset: str, name: str, examples: int | None, **source: Any) -> Split:
    split = load(dataset, name, **source)
    return split if examples is None or examples >= len(split) else load(dataset, f"{name}[:{examples}]", **source)


def dtype_of(classifier: str) -> str:
    """The dtype in which a classifier gets the matrices."""
    return "float32" if classifier in _FLOAT32 else "float64"


def preprocessing_of(classifier: str) -> str:
    """What was done to the pixels before a classifier gets them; it belongs to a result's key."""
    return _INPUTS.get(classifier, SCALED)


def _table(images: NDArray[Any]) -> NDArray[Any]:
    return images.reshape(len(images), -1)
