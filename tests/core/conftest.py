"""What several files of tests start from."""

import sys
import textwrap

import pytest
from support.installed import entry

from idxhub import Plugins, get_dataset, get_loader
from idxhub.acquire.download import Downloader
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


@pytest.fixture
def write(tmp_path, monkeypatch):
    """Write modules that can be imported; they are forgotten afterwards."""
    folder = tmp_path / "modules"
    folder.mkdir()
    monkeypatch.syspath_prepend(folder)
    written = []

    def write_module(name, code):
        (folder / f"{name}.py").write_text(textwrap.dedent(code))
        written.append(name)

    yield write_module
    for name in written:
        sys.modules.pop(name, None)


@pytest.fixture
def adapters(write):
    """Plugins whose adapters are modules with this code, by the names of their frameworks."""

    def make(**codes):
        for name, code in codes.items():
            write(f"adapter_{name}", code)
        return Plugins([entry(name, f"adapter_{name}") for name in codes])

    return make


@pytest.fixture
def get(toy):
    """The toy dataset by an adapter, called "a" unless said otherwise."""
    return lambda plugins, framework="a", **options: get_dataset(
        toy.spec, framework=framework, data_dir=toy.folder, plugins=plugins, **options
    )


@pytest.fixture
def loader(toy):
    """A loader of `toy`; keywords change what is asked for."""

    def make(**changes):
        return get_loader(toy.spec, **({"batch_size": 8, "data_dir": toy.folder, "download": False} | changes))

    return make


@pytest.fixture
def numbers_of(toy):
    """Which train examples batches hold, by their pixels: the images of `toy` are all different."""
    known = {image.tobytes(): i for i, image in enumerate(toy.array(toy.train_images))}
    return lambda batches: [known[image.tobytes()] for batch, _ in batches for image in batch]


@pytest.fixture
def resource(large):
    """What `download` downloads."""
    return large.train_images


@pytest.fixture
def body(large, resource):
    return large.bytes(resource)


@pytest.fixture
def download(resource, server, monkeypatch):
    """Download /x from the server; retries do not pause."""
    monkeypatch.setattr("idxhub.acquire.download.BACKOFF_FACTOR", 0.01)

    def download_it(**options):
        with Downloader(resource, **options) as downloader:
            return downloader.download(f"{server.url}/x")

    return download_it


@pytest.fixture
def find(large, cache_dir, monkeypatch):
    """Find the train images of `large`, or another file, with these mirrors."""
    monkeypatch.setattr("idxhub.acquire.download.BACKOFF_FACTOR", 0.01)

    def find_with(*mirrors, resource=large.train_images, stop=None):
        spec = large.mirrored(*mirrors)
        return find_file(spec, resource, Cache(cache_dir, spec), SearchSettings(), specs=[large.spec], stop=stop)

    return find_with
