"""Fashion-MNIST for the drop-ins, and what its files say, read without idxhub."""

from __future__ import annotations

import gzip
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import pytest

import idxhub

SAMPLE = Path(idxhub.__file__).parent / "catalog" / "sample"
NAMES = ("fashion-mnist-sample", "fashion-mnist")


@dataclass(frozen=True)
class Fashion:
    """A dataset of the catalog, and the folder with its four files."""

    name: str
    folder: Path

    def images(self, kind: str) -> Any:
        """uint8 (N, 28, 28)."""
        data = self.content(f"{kind}-images-idx3-ubyte")
        return np.frombuffer(data, np.uint8, offset=16).reshape(-1, 28, 28)

    def labels(self, kind: str) -> Any:
        """uint8 (N,)."""
        return np.frombuffer(self.content(f"{kind}-labels-idx1-ubyte"), np.uint8, offset=8)

    def content(self, name: str) -> bytes:
        return gzip.decompress((self.folder / f"{name}.gz").read_bytes())

    def unpack(self, folder: Path) -> Path:
        """Write the decompressed files."""
        folder.mkdir(parents=True)
        for path in self.folder.glob("*-ubyte.gz"):
            (folder / path.stem).write_bytes(self.content(path.stem))
        return folder


@pytest.fixture(scope="session")
def full_cache(tmp_path_factory):
    """A cache for the tests on the full dataset, which is decoded only once."""
    return tmp_path_factory.mktemp("full-cache")


@pytest.fixture
def sample(monkeypatch):
    """The sample, which every machine has. A drop-in takes it if its NAME is that of the sample."""
    monkeypatch.setenv("IDXHUB_OFFLINE", "1")
    return Fashion(NAMES[0], SAMPLE)


@pytest.fixture(params=NAMES)
def fashion(request, monkeypatch):
    """The sample; and the full dataset, if the machine has it."""
    if request.param == NAMES[0]:
        return request.getfixturevalue("sample")
    folder = request.getfixturevalue("full_data_dir")
    monkeypatch.setenv("IDXHUB_CACHE", str(request.getfixturevalue("full_cache")))
    monkeypatch.setenv("IDXHUB_MIRRORS", str(folder))
    monkeypatch.setenv("IDXHUB_OFFLINE", "1")
    return Fashion(request.param, folder)
