"""What a type checker knows of `get_dataset`, proven by mypy on the uses beside this file."""

from __future__ import annotations

import subprocess
import sys
from importlib.metadata import PackageNotFoundError, distribution
from pathlib import Path

import pytest
from support.needs import need
from support.processes import without

need("mypy")
need("torch")


def mypy(script: Path, cache: Path) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        [sys.executable, "-m", "mypy", "--strict", "--cache-dir", str(cache), str(script)],
        capture_output=True,
        text=True,
        check=False,
        cwd=cache.parent,
    )


@pytest.fixture(scope="module")
def cache(tmp_path_factory):
    return tmp_path_factory.mktemp("mypy") / "cache"


def test_mypy_knows_the_native_types(cache):
    done = mypy(Path(__file__).with_name("uses.py"), cache)
    assert done.returncode == 0, done.stdout


def test_mypy_knows_the_types_of_tensorflow(cache, tmp_path):
    """By the stubs on PyPI: TensorFlow itself has none."""
    try:
        distribution("types-tensorflow")
    except PackageNotFoundError:
        without("types-tensorflow")
    uses = Path(__file__).with_name("uses_tensorflow.py")
    assert mypy(uses, cache).stdout.startswith("Success")
    (tmp_path / "wrong.py").write_text(uses.read_text().replace("tuple[Batches, ...]", "Batches"))
    assert mypy(tmp_path / "wrong.py", cache).stdout.count("[assert-type]") == 1


@pytest.mark.parametrize(
    ("right", "wrong"),
    [
        ("transform=None), IdxDataset)", "transform=None), int)"),
        ("assert_type(plain[0], tuple[torch.Tensor, int])", "assert_type(plain[0], tuple[Any, Any])"),
        ("plain[0:3], tuple[torch.Tensor, torch.Tensor])", "plain[0:3], tuple[torch.Tensor, int])"),
    ],
)
def test_mypy_would_see_a_wrong_type(right, wrong, cache, tmp_path):
    uses = Path(__file__).with_name("uses.py").read_text()
    assert uses.count(right) == 1
    (tmp_path / "wrong.py").write_text(uses.replace(right, wrong))
    done = mypy(tmp_path / "wrong.py", cache)
    assert done.returncode == 1
    assert done.stdout.count("[assert-type]") == 1
