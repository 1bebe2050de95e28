"""What the tests of the command share."""

from dataclasses import replace

import pytest
from click.testing import CliRunner

from idxhub.catalog.builtin import fashion_mnist
from idxhub.cli import commands
from idxhub.plugins.manager import installed

DEBIAN = "/usr/share/datasets/fashion-mnist"


@pytest.fixture
def run(monkeypatch):
    """Run the command offline; returns click's result, stdout and stderr apart."""
    monkeypatch.setenv("IDXHUB_OFFLINE", "1")
    return lambda *arguments: CliRunner().invoke(commands, [*map(str, arguments)])


@pytest.fixture
def nowhere(tmp_path, monkeypatch):
    """Fashion-MNIST's files are not on this machine; Debian's package, if it is installed, is not found."""
    specs = []
    for spec in fashion_mnist.DATASETS:
        folders = (str(tmp_path / "no package") if folder == DEBIAN else folder for folder in spec.folders)
        specs.append(replace(spec, folders=tuple(folders)))
    monkeypatch.setattr(fashion_mnist, "DATASETS", tuple(specs))
    monkeypatch.setattr(installed(), "_datasets", None)
    monkeypatch.chdir(tmp_path)
