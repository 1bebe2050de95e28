"""Fuzz with coverage as the guide: python tests/fuzz/run.py TARGET SECONDS [FOLDER]

Finds go to FOLDER (a temporary one by default), beside the inputs that reached something new; the corpus in the
repository is read and not written. Exit status 77 means a find; the input is the file `crash-...` in FOLDER.
"""

import sys
import tempfile
from pathlib import Path

import atheris

with atheris.instrument_imports(include=["idxhub.idx", "idxhub.formats.compression", "idxhub.catalog.split_string"]):
    from targets import TARGETS


def main(target: str, seconds: str, folder: str | None = None) -> None:
    found = Path(folder or tempfile.mkdtemp(prefix="idxhub-fuzz-"))
    found.mkdir(parents=True, exist_ok=True)
    corpus = Path(__file__).with_name("corpus") / target
    options = [f"-max_total_time={seconds}", f"-artifact_prefix={found}/", "-print_final_stats=1", "-max_len=4096"]
    atheris.Setup([sys.argv[0], *options, str(found), str(corpus)], TARGETS[target])
    atheris.Fuzz()


if __name__ == "__main__":
    main(*sys.argv[1:])
