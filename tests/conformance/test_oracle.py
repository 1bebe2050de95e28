"""The oracle under test: a right adapter passes every check, and for every check a wrong adapter fails it.

Each is examined in an interpreter of its own, so that it can be as wrong as it likes.
"""

from __future__ import annotations

import json
import os
import subprocess
import sys
from pathlib import Path

import pytest
from support.wrong_adapters import ALSO_WRONG, WRONG, install

from idxhub.conformance import CHECKS

ADAPTERS = [
    *[pytest.param(check, changes, id=check) for check, changes in WRONG.items()],
    *[
        pytest.param(check, changes, id=f"{check}: {what}")
        for check, several in ALSO_WRONG.items()
        for what, changes in several.items()
    ],
]


def examine(folder: Path, check: str = "") -> dict:
    code = (
        "import json, sys, warnings\n"
        "from idxhub import conformance as kit\n"
        "if __name__ == '__main__':\n"
        "    wanted = [c for c in kit.CHECKS if sys.argv[1] in ('', c.id)]\n"
        "    print(json.dumps(kit.run(kit.subject('rows'), wanted).to_json()))\n"
    )
    script = folder / "examine.py"
    script.write_text(code)
    done = subprocess.run(
        [sys.executable, str(script), check],
        env=os.environ | {"PYTHONPATH": os.pathsep.join(filter(None, [str(folder), os.environ.get("PYTHONPATH")]))},
        capture_output=True,
        text=True,
        check=False,
        timeout=120,
    )
    assert done.returncode == 0, done.stderr
    return json.loads(done.stdout)


def test_a_right_adapter_passes_every_check(tmp_path):
    install(tmp_path, [], "")
    report = examine(tmp_path)
    assert [r for r in report["results"] if r["outcome"] != "passed"] == []
    assert report["passed"] == len(CHECKS)


def test_every_check_has_a_wrong_adapter():
    assert set(WRONG) == {check.id for check in CHECKS}


@pytest.mark.parametrize(("check", "changes"), ADAPTERS)
def test_a_wrong_adapter_fails(check, changes, tmp_path):
    install(tmp_path, changes, check)
    (result,) = examine(tmp_path, check)["results"]
    assert result["outcome"] == "failed", result
    assert result["seen"]


def test_ids_and_promises_are_unique():
    assert len({check.id for check in CHECKS}) == len({check.promise for check in CHECKS}) == len(CHECKS)
    assert all(check.promise.endswith(".") and "\n" not in check.promise for check in CHECKS)
