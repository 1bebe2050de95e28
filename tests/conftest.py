"""What every test starts from: a cache and a home of its own, no proxy, no mirror but its own."""

from __future__ import annotations

import itertools
import os
import tempfile
from collections.abc import Iterator
from pathlib import Path

import pytest
from hypothesis import settings
from support import made
from support.browser import NO_BROWSER
from support.server import Server

from idxhub import Plugins

ROOT = Path(__file__).parents[1]
collect_ignore = ["third_party"]  # a distribution of its own, with tests of its own: tox's environment `plugin`
FULL_FILES = (
    "train-images-idx3-ubyte.gz",
    "train-labels-idx1-ubyte.gz",
    "t10k-images-idx3-ubyte.gz",
    "t10k-labels-idx1-ubyte.gz",
)

# no database: a run leaves nothing in the repository; no deadline: machines differ
settings.register_profile("idxhub", database=None, deadline=None, max_examples=60)
settings.load_profile("idxhub")


def pytest_configure(config: pytest.Config) -> None:
    """Hide the user's files and settings from the first import on, also from what several tests share.

    The user's home may hold the files of Fashion-MNIST, and settings that frameworks read when they are imported.
    """
    home = tempfile.TemporaryDirectory(ignore_cleanup_errors=True)
    environment = pytest.MonkeyPatch()
    isolate(environment, Path(home.name))
    config.add_cleanup(home.cleanup)
    config.add_cleanup(environment.undo)


def pytest_terminal_summary(terminalreporter: pytest.TerminalReporter) -> None:
    """Say how many tests were not run because there is no browser; tox ends well all the same."""
    reports = terminalreporter.stats.get("skipped", [])
    reasons = [report.longrepr[2] for report in reports if isinstance(report.longrepr, tuple)]
    not_run = [reason.removeprefix("Skipped: ") for reason in reasons if NO_BROWSER in reason]
    if not_run:
        terminalreporter.section("NOT RUN", yellow=True)
        for reason in sorted(set(not_run)):
            terminalreporter.line(f"{not_run.count(reason)} tests {reason}", yellow=True)


@pytest.fixture(scope="session")
def homes(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Path]:
    """A new folder each time; pytest's own numbering lists all folders that exist."""
    base = tmp_path_factory.mktemp("homes")
    return (base / str(number) for number in itertools.count())


@pytest.fixture(autouse=True)
def isolated(homes: Iterator[Path], monkeypatch: pytest.MonkeyPatch) -> Path:
    """An empty home, a cache yet to be made, and an environment without other settings; returns the cache's folder."""
    home = next(homes)
    home.mkdir()
    return isolate(monkeypatch, home)


def isolate(environment: pytest.MonkeyPatch, home: Path) -> Path:
    """Make `home` the user's home, without other settings; returns the cache's folder in it."""
    for name in list(os.environ):
        if name.lower().endswith("_proxy") or name in (
            *("IDXHUB_MIRRORS", "IDXHUB_OFFLINE", "KERAS_HOME", "HF_HOME", "MXNET_HOME", "XDG_CACHE_HOME"),
            *("TFDS_DATA_DIR", "CHAINER_DATASET_ROOT"),
            *("REQUESTS_CA_BUNDLE", "CURL_CA_BUNDLE", "SSL_CERT_FILE", "SSL_CERT_DIR"),
        ):
            environment.delenv(name)
    cache = home / "cache" / "idxhub"
    environment.setenv("HOME", str(home))
    environment.setenv("USERPROFILE", str(home))
    environment.setenv("IDXHUB_CACHE", str(cache))
    return cache


@pytest.fixture
def cache_dir(isolated: Path) -> Path:
    """The cache's folder; not made yet."""
    return isolated


@pytest.fixture
def toy(tmp_path: Path) -> made.Made:
    """A dataset of 30 and 12 images of 6x5, three classes, published as .gz in a folder that nothing points to."""
    return made.make(tmp_path / "published")


@pytest.fixture
def large(tmp_path: Path) -> made.Made:
    """A dataset of 500 and 20 images of 28x28, large enough for a body to arrive in several pieces."""
    return made.make(tmp_path / "large", sizes={"train": 500, "test": 20}, shape=(28, 28))


@pytest.fixture
def plugins() -> Plugins:
    """A plugin manager without plugins."""
    return Plugins([])


@pytest.fixture
def server() -> Iterator[Server]:
    with Server() as running:
        yield running


@pytest.fixture
def open_dir() -> Iterator[Path]:
    """A folder that every user can reach and read; `tmp_path` is this user's alone."""
    with tempfile.TemporaryDirectory() as folder:
        os.chmod(folder, 0o755)  # noqa: S103 -- its purpose
        yield Path(folder)


@pytest.fixture(scope="session")
def full_data_dir() -> Path:
    """A folder with the four files of Fashion-MNIST; the test is skipped if there is none."""
    named = os.environ.get("IDXHUB_TEST_DATA")
    folders = (
        [Path(named)]
        if named
        else [ROOT.parent / "shared" / "data" / "fashion-mnist", Path("/usr/share/datasets/fashion-mnist")]
    )
    for folder in folders:
        if all((folder / name).is_file() for name in FULL_FILES):
            return folder
    if named:
        pytest.fail(f"IDXHUB_TEST_DATA={named} does not hold {', '.join(FULL_FILES)}")
    pytest.skip("needs Fashion-MNIST's four files: name their folder in IDXHUB_TEST_DATA")


@pytest.fixture(scope="session")
def mnist_dir() -> Path:
    """A folder with real MNIST files (not the train images); the test is skipped if there is none."""
    folder = Path(os.environ.get("IDXHUB_TEST_MNIST") or ROOT.parent / "shared" / "data" / "mnist-partial")
    if not (folder / "t10k-images-idx3-ubyte.gz").is_file():
        pytest.skip("needs MNIST's files: name their folder in IDXHUB_TEST_MNIST")
    return folder
