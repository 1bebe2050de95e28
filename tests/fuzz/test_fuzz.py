"""The corpus through the targets, and each target for a while with coverage as the guide."""

import os
import re
import subprocess
import sys
from pathlib import Path

import pytest
from fuzz.targets import TARGETS
from support.needs import need

HERE = Path(__file__).parent
SECONDS = os.environ.get("IDXHUB_FUZZ_SECONDS", "5")


@pytest.mark.parametrize("target", TARGETS)
def test_the_corpus(target):
    inputs = sorted((HERE / "corpus" / target).iterdir())
    assert len(inputs) > 10
    for path in inputs:
        TARGETS[target](path.read_bytes())


@pytest.mark.parametrize("target", TARGETS)
def test_guided_by_coverage(target, tmp_path):
    """For IDXHUB_FUZZ_SECONDS each. A find is an input on which a target raises; its bytes are shown."""
    need("atheris")
    done = subprocess.run(
        [sys.executable, HERE / "run.py", target, SECONDS, tmp_path], capture_output=True, text=True, check=False
    )
    finds = {path.name: path.read_bytes() for path in tmp_path.glob("crash-*")}
    assert done.returncode == 0, f"{finds}\n{done.stdout}\n{done.stderr}"
    runs, coverage = re.search(r"number_of_executed_units: (\d+)", done.stderr), re.findall(r"cov: (\d+)", done.stderr)
    assert runs is not None
    assert int(runs[1]) > 1000
    assert int(coverage[-1]) > 40
    print(f"{target}: {int(runs[1]):,} executions in {SECONDS} s, {coverage[-1]} edges")  # noqa: T201 -- with -rP


def test_a_wrong_decoder_is_found(tmp_path):
    """The fuzzing itself is tried on a decoder that forgets to compare the size."""
    need("atheris")
    program = (HERE / "run.py").read_text() + "\n"
    wrong = program.replace(
        'if __name__ == "__main__":',
        "from idxhub import idx\n"
        "decode = idx.decode\n"
        "idx.decode = lambda data: decode(data[: idx.read_header(data).payload_size])\n"
        'if __name__ == "__main__":',
    ).replace("Path(__file__)", repr(HERE / "run.py").replace("PosixPath", "Path"))
    path = tmp_path / "wrong.py"
    path.write_text(wrong)
    done = subprocess.run(
        [sys.executable, path, "decode", "30", tmp_path / "found"],
        env=os.environ | {"PYTHONPATH": str(HERE)},
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 77, done.stderr
    assert list((tmp_path / "found").glob("crash-*"))
