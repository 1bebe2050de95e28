"""What every format is tested with: Fashion-MNIST whole, and a small dataset of other shapes."""

from __future__ import annotations

import functools
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from importlib.metadata import distribution
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from numpy.typing import NDArray
from support import made
from support.exports import temporary_folder

import idxhub
from idxhub.errors import MissingFrameworkError

FORMATS = sorted(each.name for each in distribution("idxhub").entry_points if each.group == "idxhub.exporters")


@dataclass(frozen=True)
class Data:
    """A dataset to export, and what each of its splits must read as."""

    spec: idxhub.DatasetSpec
    data_dir: Path
    cache_dir: Path
    exports: Path

    @functools.cached_property
    def splits(self) -> dict[str, tuple[NDArray[Any], NDArray[Any]]]:
        """Images (N, H, W) and labels (N,) by the name of the split, decoded from the files without the cache."""
        return {
            name: (self._decoded(split.images), self._decoded(split.labels)) for name, split in self.spec.splits.items()
        }

    def _decoded(self, resource: idxhub.Resource) -> NDArray[Any]:
        # by another decoder than the one that the export has read with
        from idxhub.formats.compression import inflate  # noqa: PLC0415 -- here only

        content = inflate((self.data_dir / resource.filename).read_bytes(), resource.payload_size)
        start = 4 + 4 * len(resource.shape)
        dtype = np.dtype(resource.dtype).newbyteorder(">")
        return np.frombuffer(content, dtype, offset=start).reshape(resource.shape)

    def exported(self, format_name: str, **options: Any) -> Path:
        """An export that several tests read: it is made once."""
        path = self.exports / "-".join([self.spec.name, format_name, *map(str, options.values())])
        return path if path.exists() else self.export(format_name, path, **options)

    def export(self, format_name: str, path: Path, **options: Any) -> Path:
        """Export with this dataset's folders, quietly."""
        folders = {"data_dir": self.data_dir, "cache_dir": self.cache_dir, "download": False}
        return idxhub.export(self.spec, format_name, path, **{"progress": False, **folders, **options})


@pytest.fixture(scope="session")
def shared_cache(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Path]:
    """A cache for the whole session: Fashion-MNIST need not be decoded for each test."""
    with temporary_folder(tmp_path_factory, "cache") as folder:
        yield folder


@pytest.fixture(scope="module")
def shared_exports(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Path]:
    """A folder for exports of Fashion-MNIST that several tests of a module read."""
    with temporary_folder(tmp_path_factory, "exports") as folder:
        yield folder


@pytest.fixture(scope="module")
def fashion_mnist(full_data_dir: Path, shared_cache: Path, shared_exports: Path) -> Data:
    """Fashion-MNIST whole."""
    return Data(idxhub.Plugins([]).dataset("fashion-mnist"), full_data_dir, shared_cache, shared_exports)


@pytest.fixture
def odd(tmp_path: Path) -> Data:
    """Images that are not square, a split that is neither train nor test, and classes that are no file names."""
    sizes = {"train": 30, "valid": 7, "test": 12}
    dataset = made.make(tmp_path / "published", sizes=sizes, shape=(9, 5), classes=("Ant/s", "bee", "Ça va?"))
    return Data(dataset.spec, dataset.folder, tmp_path / "cache", tmp_path)


@pytest.fixture(params=["fashion_mnist", "odd"])
def data(request: pytest.FixtureRequest) -> Data:
    """Both datasets."""
    return request.getfixturevalue(request.param)


@pytest.fixture(params=FORMATS)
def format_name(request: pytest.FixtureRequest) -> str:
    """Each format whose packages are installed."""
    name: str = request.param
    try:
        idxhub.Plugins().exporter(name)
    except MissingFrameworkError as error:
        pytest.skip(str(error))
    return name


@pytest.fixture
def same() -> Callable[..., None]:
    """Asserts that what a reader has read is a split, value for value."""

    def compare(read: tuple[Any, Any], split: tuple[NDArray[Any], NDArray[Any]]) -> None:
        for found, expected in zip(read, split, strict=True):
            array = np.asarray(found)
            assert array.shape == expected.shape
            assert np.array_equal(array, expected)

    return compare
