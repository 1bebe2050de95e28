"""What several files of tests start from."""

import pytest

from idxhub.acquire.find import find_file
from idxhub.acquire.local import SearchSettings
from idxhub.audit.judge import audit_files
from idxhub.cache.store import Cache
from idxhub.catalog import builtin


@pytest.fixture
def find_images(toy, cache_dir):
    """Search for the train images, as `load` would; keywords as for `SearchSettings.from_environment`."""
    specs = tuple(builtin.datasets().values())

    def find(data_dir=None, *, spec=toy.spec, resource=None, **options):
        settings = SearchSettings.from_environment(data_dir, **options)
        return find_file(spec, resource or spec.splits["train"].images, Cache(cache_dir, spec), settings, specs=specs)

    return find


@pytest.fixture
def look(toy, tmp_path):
    """Examine what was put into `tmp_path / "looked"`: file names and what they are found to be, with their states."""

    def looked(*specs, at=None):
        report = audit_files([at or tmp_path / "looked"], specs or [toy.spec])
        return {each.member or each.path.name: (each.state, each.found) for each in report.findings}

    return looked


@pytest.fixture
def put(toy, tmp_path):
    """Write a file into a folder that says nothing about it."""

    def write(data, name="train-images-idx3-ubyte.gz", folder="looked"):
        path = tmp_path / folder / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(data)
        return path

    return write
