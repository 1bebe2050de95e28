"""PyTorch's conformance subject: read as its users read it, through a plain DataLoader."""

from __future__ import annotations

import warnings
from collections.abc import Iterator
from typing import Any

import torch
from torch.utils.data import DataLoader

from idxhub.conformance import Subject


def _batches_from_workers(native: Any, size: int, count: int, start_method: str) -> Iterator[Any]:
    loader = DataLoader(native, batch_size=size, num_workers=count, multiprocessing_context=start_method)
    with warnings.catch_warnings():
        # if this process has used JAX, forked workers lack its threads; they only read the dataset
        warnings.filterwarnings("ignore", r"os\.fork\(\) was called.* JAX", RuntimeWarning)
        return iter(loader)


SUBJECT = Subject(
    framework="torch",
    batches=lambda native, size: DataLoader(native, batch_size=size),
    to_numpy=lambda tensor: tensor.numpy(force=True),
    element=lambda native, i: native[i],
    length=len,
    class_names=lambda native: native.classes,
    workers=_batches_from_workers,
    package="torch",
    options={"transform": None, "target_transform": None},
    device="cuda" if torch.cuda.is_available() else "cpu",
    wrong_options={"transform": 3, "target_transform": "x"},
    records=lambda native: [record._asdict() for record in native.info.records],
    minimum=55,
)
