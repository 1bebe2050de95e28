"""The notebook of the documentation runs, and shows datasets as HTML."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest
from support.needs import need_elsewhere

for module in ("nbconvert", "ipykernel", "torch", "PIL.Image"):
    need_elsewhere(module)

NOTEBOOK = Path(__file__).parents[2] / "docs" / "tutorial-notebook.ipynb"
SHOWN = {  # what each of these objects is called, and how its dataset
    "Arrays": "<b>fashion-mnist-sample</b> train, 2,000 examples <small>Arrays</small>",
    "Split": "<b>fashion-mnist-sample</b> train[:10%]+test, 700 examples <small>Split</small>",
    "IdxDataset": "<b>fashion-mnist-sample</b> train, 2,000 examples <small>IdxDataset</small>",
    "Loader": "<b>fashion-mnist-sample</b> train, 2,000 examples <small>Loader</small>",
}


def convert(path: Path, folder: Path, *options: str) -> Path:
    """Convert a notebook, in a process of its own: Jupyter's libraries warn, and leave threads behind."""
    command = [sys.executable, "-m", "nbconvert", *options, "--output-dir", folder, path]
    environment = os.environ | {"IDXHUB_OFFLINE": "1", "JUPYTER_PLATFORM_DIRS": "1"}
    done = subprocess.run(command, env=environment, capture_output=True, text=True, check=False, timeout=300)
    assert done.returncode == 0, done.stderr
    (result,) = folder.iterdir()
    return result


@pytest.fixture(scope="module")
def executed(tmp_path_factory: Any) -> Path:
    return convert(NOTEBOOK, tmp_path_factory.mktemp("executed"), "--to", "notebook", "--execute")


def outputs(path: Path) -> list[dict[str, Any]]:
    cells = json.loads(path.read_text(encoding="utf-8"))["cells"]
    return [output for cell in cells for output in cell.get("outputs", [])]


def test_the_notebook_is_kept_without_outputs() -> None:
    assert outputs(NOTEBOOK) == []
    cells = json.loads(NOTEBOOK.read_text(encoding="utf-8"))["cells"]
    assert {cell["execution_count"] for cell in cells if cell["cell_type"] == "code"} == {None}


def test_each_kind_of_dataset_is_shown(executed: Path) -> None:
    shown = [output["data"] for output in outputs(executed) if "text/html" in output.get("data", {})]
    for kind, heading in SHOWN.items():
        html = ["".join(data["text/html"]) for data in shown if "".join(data["text/plain"]).startswith(f"{kind}(")]
        assert any(heading in each and each.count("data:image/png;base64,") == 1 for each in html), kind


def test_the_classifiers_are_better_than_guesses(executed: Path) -> None:
    texts = ["".join(output["text"]) for output in outputs(executed) if output["output_type"] == "stream"]
    right = [int(text.partition("%")[0]) for text in texts if "% of 500 right" in text]
    assert len(right) == 2
    assert min(right) > 50


@pytest.mark.parametrize("theme", ["light", "dark"])
def test_it_becomes_a_page(executed: Path, theme: str, tmp_path: Path) -> None:
    page = convert(executed, tmp_path, "--to", "html", "--theme", theme).read_text(encoding="utf-8")
    assert page.count('<div class="idxhub">') == 6
    assert page.count('<img alt="the first images of each class"') == 6
